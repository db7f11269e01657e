"""Kills a small sweep again and again, and holds what is left to an uninterrupted one, bit for bit.

python -m tests.sweep.kills --kills=25 [--seed=0] [--cold=3]

Every life of the sweep is a process that is sent SIGKILL at a moment drawn at random: while it starts, while it traces
and compiles, while it trains, just after rows were appended, while a checkpoint is half written. The next life is
the same call. A sweep that comes to its end is compared, and another one begun. Lives are forked from a process that
has imported everything, which saves most of their time; ``--cold`` of them are real commands that begin with the
interpreter. At the end a report is killed too, and written again.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLAGS = {
    "data.name": "digits",
    "data.train_samples": 200,
    "model.name": "mlp",
    "model.widths": (8,),
    "train.epochs": 40.0,
    "measure.checkpoints": 5,
    "measure.complexity_samples": 20,
    "transfer.episodes": 0,
    "sweep.learning_rate": (0.05, 0.1),
    "sweep.l2": None,
    "sweep.seed": None,
    "sweep.batch_size": (10, 20),
}
PHASES = ("start", "compile", "train", "rows", "checkpoint")


def small_config(**changes):
    """The config of the flags."""
    from ncjax.sweep import default_config

    config = default_config()
    config.update_from_flattened_dict({**FLAGS, **changes})
    return config


def live(workdir, changes=None):
    """Forks a process that runs the sweep; returns its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        log = os.open(workdir.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        from ncjax.sweep import STOPPED, SweepStopped, run_sweep

        try:
            run_sweep(small_config(**(changes or {})), workdir)
            status = 0
        except SweepStopped as stopped:
            print(f"stopped: {stopped}", file=sys.stderr)
            status = STOPPED
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def command(workdir):
    """Starts the sweep as a user does."""
    flags = [f"--config.{name}={value}" for name, value in FLAGS.items() if value is not None]
    cleared = ["--config.sweep.l2=None", "--config.sweep.seed=None"]
    line = [sys.executable, "-m", "experiments.sweep", "--config=configs/quickstart.py", f"--workdir={workdir}"]
    with workdir.with_suffix(".log").open("a") as log:
        return subprocess.Popen(
            [*line, *flags, *cleared, "--config.model.norm=standard"], cwd=ROOT, stdout=log, stderr=log
        ).pid


def reached(phase, workdir, rows_before):
    """Whether the sweep in a workdir has come to a phase."""
    if phase == "start":
        return True
    if phase == "compile":
        return (workdir / "runs.json").exists()
    if phase == "checkpoint":
        return any(workdir.glob("checkpoints/*/*tmp*"))
    table = workdir / "results.jsonl"
    return table.exists() and table.stat().st_size > rows_before


def ended(child, block=False):
    """The exit status of a child, or None while it lives; a killed one has minus the signal."""
    number, status = os.waitpid(child, 0 if block else os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if number else None


def kill_at(phase, child, workdir, delay):
    """Waits for a phase and a delay, then kills; returns the exit status."""
    table = workdir / "results.jsonl"
    rows_before = table.stat().st_size if table.exists() else 0
    while (status := ended(child)) is None and not reached(phase, workdir, rows_before):
        time.sleep(0.0005)
    if status is not None:
        return status
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    return ended(child, block=True)


def rows_without_times(workdir):
    """The results table, all but wall times."""
    rows = [json.loads(line) for line in (workdir / "results.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


def run(kills, seed=0, cold=0, say=print):
    """Kills ``kills`` times and compares every table that results.

    Returns:
        How many kills struck in each phase.
    """
    # Inherited by all lives: they load what the first one compiled.
    folder = Path(tempfile.mkdtemp(prefix="ncjax-kills-"))
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": "",
    }
    import ncjax.sweep  # noqa: F401 - the lives are forked from here

    whole = folder / "whole"
    began = time.monotonic()
    assert ended(live(whole), block=True) == 0, whole.with_suffix(".log").read_text()
    expected = rows_without_times(whole)
    say(f"uninterrupted: {len(expected)} rows, {time.monotonic() - began:.1f} s")
    draw, struck, rounds, compared = random.Random(seed), Counter[str](), 0, 0
    workdir = folder / "round0"
    while sum(struck.values()) < kills:
        number = sum(struck.values())
        phase = PHASES[number % len(PHASES)] if number < len(PHASES) else draw.choice(PHASES)
        longest = {"start": 0.5, "compile": 2.5, "train": 0.3, "rows": 0.01, "checkpoint": 0.03}[phase]
        is_cold = number < cold
        delay = draw.uniform(0, 3 * longest if is_cold else longest)
        status = kill_at(phase, command(workdir) if is_cold else live(workdir), workdir, delay)
        if status == -signal.SIGKILL:
            struck[phase] += 1
            table = workdir / "results.jsonl"
            there = len(table.read_bytes().splitlines()) if table.exists() else 0
            kind = "command" if is_cold else "fork"
            say(f"kill {number + 1}: {kind}, {phase} + {1000 * delay:.0f} ms, {there} rows in the table")
            continue
        assert status == 0, workdir.with_suffix(".log").read_text()
        assert rows_without_times(workdir) == expected, workdir
        compared, rounds = compared + 1, rounds + 1
        say(f"round {rounds} came to its end: the same {len(expected)} rows")
        workdir = folder / f"round{rounds}"
    assert ended(live(workdir), block=True) == 0, workdir.with_suffix(".log").read_text()
    assert rows_without_times(workdir) == expected, workdir
    say(f"round {rounds + 1} came to its end: the same {len(expected)} rows")
    say(f"{sum(struck.values())} kills, {compared + 1} sweeps, {time.monotonic() - began:.0f} s: {dict(struck)}")
    return struck, workdir


def kill_report(workdir, say=print):
    """Kills a report half-way and writes it again."""
    line = [sys.executable, "-m", "experiments.report", f"--workdir={workdir}"]
    for delay in (6.0, None):
        process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if delay is not None:
            while not (workdir / "report").exists() and process.poll() is None:
                time.sleep(0.01)
            process.kill()
        status = process.wait()
        say(f"report: status {status}, {len(list((workdir / 'report').glob('*')))} files")
    assert status == 0
    assert (workdir / "report" / "report.html").stat().st_size > 0


def main():
    """Reads the flags."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cold", type=int, default=3, help="kills of commands that begin with the interpreter")
    parser.add_argument("--report", type=int, default=1, help="whether to kill a report at the end too")
    options = parser.parse_args()
    _, workdir = run(options.kills, options.seed, options.cold)
    if options.report:
        kill_report(workdir)


if __name__ == "__main__":
    main()
