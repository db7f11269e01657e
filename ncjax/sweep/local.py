"""Runs a whole sweep in this process."""

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

import ml_collections

from ncjax.sweep import hosts, results
from ncjax.sweep.environment import count_compilations, peak_memory_bytes
from ncjax.sweep.fine_tune import keep_source, with_source
from ncjax.sweep.group import Group, Surroundings, divide_checkpoints, run_group
from ncjax.sweep.ledger import Ledger, write_ledger
from ncjax.sweep.memory import TooLarge
from ncjax.sweep.prepared import Sweep, planned_ledger, prepare
from ncjax.sweep.progress import Progress
from ncjax.sweep.signals import noticing_signals
from ncjax.sweep.storage import naming_a_full_disk
from ncjax.sweep.workdir import add_to_summary, claim_workdir, locked


def run_sweep(config: ml_collections.ConfigDict, workdir: Path, profile_steps: int = 0) -> dict[str, Any]:
    """Trains, measures and transfers every run of a config; resumes where an earlier call was interrupted.

    In a workdir whose sweep this one extends (more values on an axis, more epochs) only what is missing is run. Where
    several processes make up one JAX runtime, all call this, and the first alone reads and writes the workdir.

    Args:
      config: with the keys of ``default_config``.
      workdir: gets ``config.json``, ``environment.json``, ``data.json``, ``runs.json``, ``results.jsonl``,
        ``summary.json``, ``sweep.log``, ``checkpoints/`` and ``tensorboard/``.
      profile_steps: steps of training of which to write a profile to ``profile/``; 0 for none.

    Returns:
      What ``summary.json`` holds: runs, rows, seconds, compilations, peak memory.

    Raises:
      ValueError: if the config is wrong, or the workdir holds another one.
      OSError: if the disk is full.
      SweepStopped: if SIGTERM or SIGINT came; the state is saved.
    """
    began = time.perf_counter()
    sweep = with_source(prepare(config, workdir), workdir)
    # Nothing is written before all that can be wrong with the config has been found.
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming_a_full_disk(workdir))
        compilations = stack.enter_context(count_compilations())
        stop = stack.enter_context(noticing_signals())
        hosts.shared(lambda: stack.enter_context(locked(workdir)) and None)
        ledger = hosts.shared(lambda: claim(config, workdir, sweep))
        groups = sweep.groups(ledger)
        total = sum(group.samples(group.steps[-1]) for group in groups)
        with Progress(workdir if hosts.is_writer() else None, total, len(ledger.runs)) as progress:
            around = Surroundings(
                workdir, workdir / results.FILE_NAME, progress, stop, sweep.plan.runs_per_program, profile_steps
            )
            while groups:
                group = groups.pop(0)
                try:
                    run_group(group, sweep.view(group.runs).inputs, around)
                    continue
                except TooLarge as answer:
                    runs, reason = hosts.agree(answer.runs)[0], answer.reason
                progress.say(f"group {group.number}: {reason}; going on with at most {runs} at a time")
                ledger, parts = hosts.shared(lambda: divide(sweep, ledger, group, runs, workdir))  # noqa: B023
                groups = [*(sweep.group(ledger, number) for number in parts), *groups]
        costs = {
            "seconds": time.perf_counter() - began,
            "compilations": compilations.count,
            "compile_seconds": compilations.seconds,
        }
        return hosts.shared(lambda: summarise(workdir, costs, ledger))


def claim(config: ml_collections.ConfigDict, workdir: Path, sweep: Sweep) -> Ledger:
    """Writes what describes a sweep to a workdir that is locked.

    Args:
      config: of the sweep.
      workdir: of the sweep.
      sweep: the same, prepared.

    Returns:
      The runs that the workdir is to hold: those that it holds, and those that the config adds.
    """
    # Another process may have been here since the config was checked.
    ledger = planned_ledger(config, workdir, sweep.plan)
    keep_source(sweep, workdir)
    claim_workdir(config, workdir, sweep.dataset, ledger)
    gather_rows(workdir, ledger)
    for table in (workdir / "checkpoints").glob("rows_*.jsonl"):
        table.unlink()
    _remove_unknown(workdir, ledger)
    return ledger


def group_table(workdir: Path, number: int) -> Path:
    """Where a task on another machine writes the rows of its group until they are gathered.

    Args:
      workdir: of the sweep.
      number: of the group.

    Returns:
      A path.
    """
    return workdir / "checkpoints" / f"rows_{number:03d}.jsonl"


def gather_rows(workdir: Path, ledger: Ledger) -> None:
    """Brings rows that tasks on other machines wrote into the one table.

    Args:
      workdir: of the sweep.
      ledger: of its groups.
    """
    tables = {group_table(workdir, number): set(members.runs) for number, members in ledger.groups.items()}
    results.gather_tables(workdir / results.FILE_NAME, tables)


def divide(sweep: Sweep, ledger: Ledger, group: Group, runs: int, workdir: Path) -> tuple[Ledger, list[int]]:
    """Divides a group that is too large for one program, and its checkpoint with it.

    Args:
      sweep: that it belongs to.
      ledger: as it is.
      group: to divide.
      runs: most runs in a part.
      workdir: of the sweep.

    Returns:
      The new ledger, written, and the numbers of the parts.
    """
    ledger, parts = ledger.divided(group.number, runs)
    divide_checkpoints(group, [sweep.group(ledger, number) for number in parts], workdir)
    # From here on the parts count; before, the whole did.
    write_ledger(workdir, ledger)
    _remove_unknown(workdir, ledger)
    return ledger, parts


def summarise(workdir: Path, costs: dict[str, float], ledger: Ledger) -> dict[str, Any]:
    """Adds up what a sweep cost, in ``summary.json``.

    Args:
      workdir: of the sweep.
      costs: of this call, amounts that add up.
      ledger: of the sweep.

    Returns:
      What the file holds now.
    """
    facts = {
        "runs": len(ledger.runs),
        "groups": len(ledger.groups),
        "rows": len(results.read_rows(workdir / results.FILE_NAME)),
        "peak_memory_bytes": peak_memory_bytes(),
    }
    return add_to_summary(workdir, costs, facts)


def _remove_unknown(workdir: Path, ledger: Ledger) -> None:
    """Removes checkpoints of groups that were never entered, or have been divided since."""
    known = {f"group_{number:03d}" for number in ledger.groups}
    for directory in (workdir / "checkpoints").glob("group_*"):
        if directory.name not in known:
            shutil.rmtree(directory)
