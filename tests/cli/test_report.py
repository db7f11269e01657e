"""The entry point in a process of its own, as a user starts it."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ncjax.cli import report
from ncjax.sweep.workdir.lock import locked
from tests.claims.synthetic import sweep_table

ROOT = Path(__file__).resolve().parents[2]


def run_report(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    command = [sys.executable, "-m", "experiments.report", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300, check=False)


def write_results(workdir: Path) -> None:
    workdir.mkdir(exist_ok=True)
    rows = json.loads(sweep_table(seeds=1).to_json(orient="records"))
    (workdir / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.slow
def test_reports_several_workdirs_and_warns_of_what_is_damaged(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for workdir in (first, second):
        write_results(workdir)
        (workdir / "environment.json").write_text("{}")
    (first / "config.json").write_text('{"data": {"name": "glyphs"}}')
    with (second / "results.jsonl").open("a") as file:
        file.write('{"run": 3, "st')
    done = run_report(f"--workdir={first}", f"--workdir={second}")
    assert done.returncode == 0, done.stderr
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert "last line is cut off" in warnings[0]
    assert "config.json is missing" in warnings[1]
    assert "A1 GC and train CDNV, all runs" in done.stdout
    for name in ("claims.json", "report.html", "layers.png", "layers.pdf"):
        assert (first / "report" / name).is_file()
    assert str(first / "report" / "trajectories.png") in done.stdout.splitlines()
    claims = json.loads((first / "report" / "claims.json").read_text())
    assert claims["claims"][0]["findings"][0]["runs"] == 12


def test_a_report_that_follows_is_written_for_new_rows_and_ends_with_the_sweep(tmp_path, monkeypatch) -> None:
    table, written = tmp_path / "results.jsonl", []
    looks = iter([lambda: table.write_text("a row\n"), lambda: None, lambda: table.write_text("two rows\n")])

    def look(_: float) -> None:
        next(looks, sweep.close)()

    monkeypatch.setattr(report, "write", lambda workdirs: written.append(report._sizes(workdirs)))
    monkeypatch.setattr(report.time, "sleep", look)
    with contextlib.ExitStack() as sweep:
        sweep.enter_context(locked(tmp_path))
        report.write_again([tmp_path], following=True)
    assert written == [[6], [9]]


def test_bad_input_ends_with_one_line(tmp_path: Path) -> None:
    done = run_report(f"--workdir={tmp_path}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "no results table here" in done.stderr
