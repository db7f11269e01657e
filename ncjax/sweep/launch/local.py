"""Runs a whole sweep in this process."""

import contextlib
import dataclasses
import functools
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import ml_collections

from ncjax.files import naming_a_full_disk
from ncjax.paths import StrPath
from ncjax.results import rows as results
from ncjax.sweep.launch.group import Group, Surroundings, run_group
from ncjax.sweep.launch.preparation import Sweep, planned_ledger, prepare
from ncjax.sweep.launch.progress import Progress, Work
from ncjax.sweep.launch.signals import noticing_signals
from ncjax.sweep.launch.source_weights import keep_source, with_source
from ncjax.sweep.program import hosts
from ncjax.sweep.program.group_program import init_group
from ncjax.sweep.program.memory import TooLarge, agreed_runs
from ncjax.sweep.program.mesh import stack_runs
from ncjax.sweep.workdir.checkpoints import GroupCheckpoints
from ncjax.sweep.workdir.directory import add_to_summary, claim_workdir, locked
from ncjax.sweep.workdir.environment import count_compilations, peak_memory_bytes
from ncjax.sweep.workdir.ledger import Ledger, from_json, write_ledger


def run_sweep(
    config: ml_collections.ConfigDict, workdir: StrPath, profile_steps: int = 0, verify_data: bool = False
) -> dict[str, Any]:
    """Trains, measures and transfers every run of a config; resumes where an earlier call was interrupted.

    In a workdir whose sweep this one extends (more values on an axis, more epochs) only what is missing is run. Where
    several processes make up one JAX runtime, all call this, and the first alone reads and writes the workdir.

    Args:
        config: with the keys of ``default_config``.
        workdir: gets ``config.json``, ``environment.json``, ``data.json``, ``runs.json``, ``results.jsonl``,
          ``summary.json``, ``sweep.log``, ``checkpoints/`` and ``tensorboard/``.
        profile_steps: steps of training of which to write a profile to ``profile/``; 0 for none.
        verify_data: read all data first and compare them with their checksums; after a crash that is done in any case.

    Returns:
        What ``summary.json`` holds (runs, rows, seconds, compilations, peak memory, of all calls), and ``this_call``.

    Raises:
        ValueError: if the config is wrong, or the workdir holds another one.
        OSError: if the disk is full.
        SweepStopped: if SIGTERM or SIGINT came; the state is saved.
    """
    began, workdir = time.perf_counter(), Path(workdir)
    sweep = with_source(prepare(config, workdir, verify_data), workdir)
    # Nothing is written before all that can be wrong with the config has been found.
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming_a_full_disk(workdir))
        compilations = stack.enter_context(count_compilations())
        stop = stack.enter_context(noticing_signals())
        hosts.shared(lambda: stack.enter_context(locked(workdir)) and None)
        ledger = from_json(hosts.shared(lambda: dataclasses.asdict(claim(config, workdir, sweep))))
        groups = sweep.groups(ledger)
        before = table_lines(workdir)
        with Progress(workdir if hosts.is_writer() else None, work_of(groups), len(ledger.runs)) as progress:
            stop.tell = progress.say
            around = Surroundings(
                workdir,
                workdir / results.FILE_NAME,
                progress,
                stop,
                ledger.varying(),
                sweep.plan.runs_per_program,
                profile_steps,
            )
            while groups:
                group, done = groups.pop(0), progress.done
                try:
                    run_group(group, sweep.view(group.runs).inputs, around)
                    continue
                except TooLarge as answer:
                    runs, reason = agreed_runs(answer, group.number), answer.reason
                progress.done = done
                progress.say(f"group {group.number}: {reason}; going on with at most {runs} at a time")

                def divided(group: Group = group, known: Ledger = ledger, runs: int = runs) -> tuple[Any, list[int]]:
                    after, parts = divide(sweep, known, group, runs, workdir)
                    return dataclasses.asdict(after), parts

                content, parts = hosts.shared(divided)
                ledger = from_json(content)
                groups = [*(sweep.group(ledger, number) for number in parts), *groups]
            costs = {
                "seconds": time.perf_counter() - began,
                "compilations": compilations.count,
                "compile_seconds": compilations.seconds,
            }
            summary: dict[str, Any] = hosts.shared(lambda: summarise(workdir, costs, ledger, before))
            progress.log(call_in_words(summary))
        return summary


def work_of(groups: list[Group]) -> Work:
    """What groups cost from their first step to their last measurement.

    Args:
        groups: of a sweep.

    Returns:
        Samples and measurements of all.
    """
    return functools.reduce(Work.plus, (group.work(group.steps[-1]) for group in groups), Work(0, 0))


def table_lines(workdir: Path) -> set[bytes]:
    """The rows of a workdir's table, to tell later what has been added: rows made again have other times.

    Args:
        workdir: of the sweep.

    Returns:
        Its lines.
    """
    table = workdir / results.FILE_NAME
    return set(table.read_bytes().splitlines()) if hosts.is_writer() and table.is_file() else set()


def call_in_words(summary: dict[str, Any]) -> str:
    """What a call of a sweep did.

    Args:
        summary: as ``run_sweep`` returns it.

    Returns:
        One line.

    Examples:
        >>> call = {"runs": 0, "rows": 0, "seconds": 3.2, "compilations": 0, "compile_seconds": 0.0}
        >>> call_in_words({"runs": 12, "rows": 108, "peak_memory_bytes": 2**30, "this_call": call})
        'nothing to do: all 12 runs are measured to the end (108 rows)'
        >>> call |= {"runs": 4, "rows": 36, "compilations": 1, "compile_seconds": 2.0}
        >>> call_in_words({"runs": 12, "rows": 108, "peak_memory_bytes": 2**30, "this_call": call})
        '4 of 12 runs, 36 of 108 rows in 3 s, 1 program compiled in 2 s, 1.0 GiB of memory at most'
    """
    runs, rows, call = summary["runs"], summary["rows"], summary["this_call"]
    if not call["rows"]:
        return f"nothing to do: all {runs} runs are measured to the end ({rows} rows)"
    did = f"{runs} runs" if call["rows"] == rows else f"{call['runs']} of {runs} runs, {call['rows']} of {rows} rows"
    programs = f"{call['compilations']} program{'' if call['compilations'] == 1 else 's'}"
    return (
        f"{did} in {call['seconds']:.0f} s, {programs} compiled in {call['compile_seconds']:.0f} s, "
        f"{summary['peak_memory_bytes'] / 2**30:.1f} GiB of memory at most"
    )


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
    _divide_checkpoints(group, [sweep.group(ledger, number) for number in parts], workdir)
    # From here on the parts count; before, the whole did.
    write_ledger(workdir, ledger)
    _remove_unknown(workdir, ledger)
    return ledger, parts


def _divide_checkpoints(whole: Group, parts: Sequence[Group], workdir: Path) -> None:
    """Writes the newest state of a group as the states of the groups into which it was divided.

    Args:
        whole: the group that was; nothing happens if it has no checkpoint.
        parts: the groups that are, with its runs in its order.
        workdir: of the sweep.
    """
    with GroupCheckpoints(whole.checkpoints(workdir)) as checkpoints:
        if checkpoints.latest_step() is None:
            return
        hyper, seeds = [run.hyper for run in whole.runs], [run.seed for run in whole.runs]
        stacked = stack_runs(whole.mesh, hyper, seeds, whole.size)
        like = jax.eval_shape(functools.partial(init_group, whole.spec, whole.mesh), *stacked)
        step, state, _ = checkpoints.restore(like, len(whole.runs))
    first = 0
    for part in parts:
        # What an earlier attempt that was cut short left there.
        shutil.rmtree(part.checkpoints(workdir), ignore_errors=True)
        own = slice(first, first + len(part.runs))
        with GroupCheckpoints(part.checkpoints(workdir)) as checkpoints:
            checkpoints.save(step, jax.tree.map(lambda leaf, own=own: leaf[own], state))
        first += len(part.runs)


def summarise(workdir: Path, costs: dict[str, float], ledger: Ledger, before: set[bytes]) -> dict[str, Any]:
    """Adds up what a sweep cost, in ``summary.json``.

    Args:
        workdir: of the sweep.
        costs: of this call, amounts that add up.
        ledger: of the sweep.
        before: the lines of its table when this call began.

    Returns:
        What the file holds now, and under ``this_call`` what this call did: runs and rows that it measured, and costs.
    """
    added = [json.loads(line) for line in table_lines(workdir) - before]
    facts = {
        "runs": len(ledger.runs),
        "groups": len(ledger.groups),
        "rows": len(results.read_rows(workdir / results.FILE_NAME)),
        "peak_memory_bytes": peak_memory_bytes(),
    }
    this_call = {"runs": len({row["run"] for row in added}), "rows": len(added), **costs}
    return {**add_to_summary(workdir, costs, facts), "this_call": this_call}


def _remove_unknown(workdir: Path, ledger: Ledger) -> None:
    """Removes checkpoints of groups that were never entered, or have been divided since."""
    known = {f"group_{number:03d}" for number in ledger.groups}
    for directory in (workdir / "checkpoints").glob("group_*"):
        if directory.name not in known:
            shutil.rmtree(directory)
