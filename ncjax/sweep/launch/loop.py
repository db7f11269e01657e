"""The loop over a sweep's groups, wherever they run."""

import contextlib
import dataclasses
import functools
import json
import shutil
import time
from collections.abc import Sequence
from typing import Any

import jax
import ml_collections

from ncjax.files import naming_a_full_disk
from ncjax.paths import StrPath
from ncjax.sweep.launch.group import Group
from ncjax.sweep.launch.here import Here
from ncjax.sweep.launch.launcher import Launcher
from ncjax.sweep.launch.preparation import Sweep, prepare
from ncjax.sweep.launch.progress import Progress, Work
from ncjax.sweep.launch.signals import noticing_signals
from ncjax.sweep.program import hosts
from ncjax.sweep.program.group_program import init_group
from ncjax.sweep.program.mesh import stack_runs
from ncjax.sweep.workdir.environment import count_compilations, peak_memory_bytes
from ncjax.sweep.workdir.ledger import Ledger, from_json
from ncjax.sweep.workdir.workdir import Workdir


def run_sweep(
    config: ml_collections.ConfigDict,
    workdir: StrPath,
    profile_steps: int = 0,
    verify_data: bool = False,
    launcher: Launcher | None = None,
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
        launcher: where groups run; in this process if it is None.

    Returns:
        What ``summary.json`` holds (runs, rows, seconds, compilations, peak memory, of all calls), and ``this_call``.

    Raises:
        ValueError: if the config is wrong, or the workdir holds another one.
        OSError: if the disk is full.
        SweepStopped: if SIGTERM or SIGINT came; the state is saved.
    """
    began, place = time.perf_counter(), Workdir(workdir)
    launcher = launcher or Here(profile_steps)
    sweep = prepare(config, place, verify_data)
    # Nothing is written before all that can be wrong with the config has been found.
    with contextlib.ExitStack() as stack:
        stack.enter_context(naming_a_full_disk(place.path))
        compilations = stack.enter_context(count_compilations())
        stop = stack.enter_context(noticing_signals())
        hosts.shared(lambda: stack.enter_context(place.locked()) and None)
        ledger = from_json(hosts.shared(lambda: dataclasses.asdict(_claim(config, place, sweep))))
        groups = sweep.groups(ledger)
        before = _table_lines(place)
        with Progress(place.path if hosts.is_writer() else None, _work(groups), len(ledger.runs)) as progress:
            stop.tell = progress.say
            with launcher.running(sweep, place, progress, stop) as running:
                running.submit(groups)
                while (ended := running.next()) is not None:
                    group, too_large = ended
                    if too_large is None:
                        continue
                    runs = too_large.runs
                    progress.say(f"group {group.number}: {too_large.reason}; going on with at most {runs} at a time")

                    def divided(
                        group: Group = group, known: Ledger = ledger, runs: int = runs
                    ) -> tuple[Any, list[int]]:
                        after, parts = _divide(sweep, known, group, runs, place)
                        return dataclasses.asdict(after), parts

                    content, parts = hosts.shared(divided)
                    ledger = from_json(content)
                    running.submit([sweep.group(ledger, number) for number in parts])
            costs = {
                "seconds": time.perf_counter() - began,
                "compilations": compilations.count,
                "compile_seconds": compilations.seconds,
            }
            summary: dict[str, Any] = hosts.shared(lambda: _summarise(place, costs, ledger, before))
            progress.log(call_in_words(summary))
        return summary


def _work(groups: list[Group]) -> Work:
    """What groups cost from their first step to their last measurement."""
    return functools.reduce(Work.plus, (group.work(group.steps[-1]) for group in groups), Work(0, 0))


def _table_lines(workdir: Workdir) -> set[bytes]:
    return workdir.table_lines() if hosts.is_writer() else set()


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
        >>> call |= {"runs": 4, "rows": 36, "compilations": 1, "compile_seconds": 2.0, "seconds": 9.4}
        >>> call |= {"train_seconds": 4.2, "measure_seconds": 2.9}
        >>> call_in_words({"runs": 12, "rows": 108, "peak_memory_bytes": 2**30, "this_call": call})
        '4 of 12 runs, 36 of 108 rows in 9 s: 1 program compiled in 2 s, training 4 s, measuring 3 s;
        1.0 GiB of memory at most'
    """
    runs, rows, call = summary["runs"], summary["rows"], summary["this_call"]
    if not call["rows"]:
        return f"nothing to do: all {runs} runs are measured to the end ({rows} rows)"
    did = f"{runs} runs" if call["rows"] == rows else f"{call['runs']} of {runs} runs, {call['rows']} of {rows} rows"
    programs = f"{call['compilations']} program{'' if call['compilations'] == 1 else 's'}"
    return (
        f"{did} in {call['seconds']:.0f} s: {programs} compiled in {call['compile_seconds']:.0f} s, training "
        f"{call['train_seconds']:.0f} s, measuring {call['measure_seconds']:.0f} s; "
        f"{summary['peak_memory_bytes'] / 2**30:.1f} GiB of memory at most"
    )


def _claim(config: ml_collections.ConfigDict, workdir: Workdir, sweep: Sweep) -> Ledger:
    """Writes what describes a sweep to a workdir that is locked; returns the runs that it is to hold."""
    # Another process may have been here since the config was checked.
    ledger = workdir.planned_ledger(config, sweep.plan)
    if sweep.source is not None:
        workdir.keep_source(sweep.source)
    workdir.claim(config, sweep.dataset, ledger)
    workdir.gather_rows(ledger)
    workdir.remove_group_tables()
    return ledger


def _divide(sweep: Sweep, ledger: Ledger, group: Group, runs: int, workdir: Workdir) -> tuple[Ledger, list[int]]:
    """Divides a group that is too large for one program, and its checkpoint with it, into parts of so many runs."""
    ledger, parts = ledger.divided(group.number, runs)
    _divide_checkpoints(group, [sweep.group(ledger, number) for number in parts], workdir)
    # From here on the parts count; before, the whole did.
    workdir.write_ledger(ledger)
    return ledger, parts


def _divide_checkpoints(whole: Group, parts: Sequence[Group], workdir: Workdir) -> None:
    """Writes the newest state of a group, if it has one, as the states of the groups into which it was divided."""
    with workdir.checkpoints(whole.number) as checkpoints:
        if checkpoints.latest_step() is None:
            return
        hyper, seeds = [run.hyper for run in whole.runs], [run.seed for run in whole.runs]
        stacked = stack_runs(whole.mesh, hyper, seeds, whole.size)
        like = jax.eval_shape(functools.partial(init_group, whole.spec, whole.mesh), *stacked)
        step, state, _ = checkpoints.restore(like, len(whole.runs))
    first = 0
    for part in parts:
        # What an earlier attempt that was cut short left there.
        shutil.rmtree(workdir.checkpoints_path(part.number), ignore_errors=True)
        own = slice(first, first + len(part.runs))
        with workdir.checkpoints(part.number) as checkpoints:
            checkpoints.save(step, jax.tree.map(lambda leaf, own=own: leaf[own], state))
        first += len(part.runs)


def _summarise(workdir: Workdir, costs: dict[str, float], ledger: Ledger, before: set[bytes]) -> dict[str, Any]:
    """Adds up what a sweep cost, in ``summary.json``; ``this_call`` says what this call measured, and what it cost."""
    added = [json.loads(line) for line in workdir.table_lines() - before]
    facts = {
        "runs": len(ledger.runs),
        "groups": len(ledger.groups),
        "rows": len(workdir.rows()),
        "peak_memory_bytes": peak_memory_bytes(),
    }
    # Runs of a group share its times: each has its part of them.
    sharing = {run: len(members.runs) for members in ledger.groups.values() for run in members.runs}
    spent = {
        name: sum(row[f"time/{name}"] / sharing[row["run"]] for row in added)
        for name in ("train_seconds", "measure_seconds")
    }
    this_call = {"runs": len({row["run"] for row in added}), "rows": len(added), **costs, **spent}
    return {**workdir.add_to_summary(costs, facts), "this_call": this_call}
