"""The console command, as a program of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from ncjax.cli.command import COMMANDS, usage
from ncjax.cli.help import as_called

pytestmark = pytest.mark.structure

ROOT = Path(__file__).resolve().parents[2]


def call(*arguments):
    command = [sys.executable, "-c", "from ncjax.cli.command import main; main()", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_usage_names_every_subcommand():
    assert all(f"  {name} " in usage() for name in COMMANDS)


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "benchmark"])
def test_every_subcommand_has_a_module_to_start(name):
    assert (ROOT / "experiments" / f"{name.replace('-', '_')}.py").is_file()


def test_an_unknown_subcommand_is_one_line():
    done = call("swep")
    assert (done.returncode, done.stderr) == (
        2,
        "error: ncjax: got 'swep', expected a subcommand: did you mean 'sweep'?\n",
    )


def test_help_lists_every_option_of_a_config():
    from ncjax.sweep.plan.options import OPTIONS

    done = call("sweep", "--help")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert done.stdout.startswith("Trains, measures and transfers a grid of runs.\n\nncjax sweep --config=")
    for key, about in OPTIONS.items():
        assert about.doc.split()[0] in lines[lines.index(f"  {key}") + 1]


def test_a_message_names_commands_as_the_program_was_called(monkeypatch):
    message = "next: python -m experiments.few_shot --workdir=a"
    monkeypatch.setattr("sys.argv", ["ncjax sweep"])
    assert as_called(message) == "next: ncjax few-shot --workdir=a"
    monkeypatch.setattr("sys.argv", ["experiments/sweep.py"])
    assert as_called(message) == message
