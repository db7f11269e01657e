"""The README's Python runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=["metrics", "training"])
def test_a_python_block_of_the_readme_runs_and_prints_only_true_things(block, capsys):
    exec(compile(block, str(README), "exec"), {})
    printed = capsys.readouterr().out
    assert printed
    assert "False" not in printed
    assert "0.0" not in printed


def test_every_make_target_of_the_readme_exists():
    text = README.read_text(encoding="utf-8")
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"^make (\w+)", text, flags=re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def _source(module):
    """The text of a command: that of an entry point lies in the package."""
    own = README.parent / "ncjax" / "cli" / f"{module.rpartition('.')[2]}.py"
    path = own if own.exists() else README.parent / f"{module.replace('.', '/')}.py"
    shared = [README.parent / "ncjax" / "cli" / f"{name}.py" for name in ("entry", "config_flag")]
    return "".join(each.read_text(encoding="utf-8") for each in (path, *shared))


def test_every_command_of_the_readme_is_an_entry_point_with_those_flags():
    text = README.read_text(encoding="utf-8")
    commands = re.findall(r"^python -m (experiments\.\w+|tests\.[\w.]+)(.*?)(?:#.*)?$", text, flags=re.MULTILINE)
    assert commands
    for module, arguments in commands:
        source = _source(module)
        for flag in re.findall(r"--(\w+)[=\s]", arguments):
            assert re.search(rf'DEFINE_\w+\(\s*"{flag}"|_NAME = "{flag}"', source), f"{module} --{flag}"


def test_every_flag_of_the_page_on_clusters_exists():
    text = (README.parent / "docs" / "tpu.md").read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"python -m (experiments\.\w+)([^\n]*)", text)
    assert len(commands) > 5
    for module, arguments in commands:
        source = _source(module)
        for flag in re.findall(r" --(\w+)\b(?!\.)", arguments):
            assert re.search(rf'DEFINE_\w+\(\s*"{flag}"|_NAME = "{flag}"', source), f"{module} --{flag}"


def test_every_relative_link_of_the_readme_leads_to_a_file():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert [link for link in links if not (README.parent / link).exists()] == []
