"""Runs a sweep's groups as Ray tasks, on this machine or on a cluster. Ray schedules; nothing here does."""

import json
import time
from pathlib import Path
from typing import Any

import ml_collections

from ncjax.files import naming_a_full_disk
from ncjax.paths import StrPath
from ncjax.results import rows as results
from ncjax.sweep.launch.group import Surroundings, run_group
from ncjax.sweep.launch.local import claim, divide, gather_rows, group_table, summarise, table_lines, work_of
from ncjax.sweep.launch.preparation import prepare
from ncjax.sweep.launch.progress import Progress
from ncjax.sweep.launch.signals import StopRequest, SweepStopped, noticing_signals
from ncjax.sweep.launch.source_weights import with_source
from ncjax.sweep.program.memory import TooLarge
from ncjax.sweep.workdir.directory import locked, was_cut_off
from ncjax.sweep.workdir.environment import count_compilations
from ncjax.sweep.workdir.ledger import read_ledger

# Seconds between two gatherings of rows.
_GATHER_SECONDS = 5.0
_RETRIES = 5


def run_sweep_on_ray(
    config: ml_collections.ConfigDict,
    workdir: StrPath,
    address: str | None = None,
    resources: str = "{}",
    verify_data: bool = False,
) -> dict[str, Any]:
    """Runs what ``run_sweep`` runs, each group of the grid as a Ray task.

    A task whose worker dies is tried again, and goes on from its group's last checkpoint.

    Args:
        config: with the keys of ``default_config``.
        workdir: a directory that all machines of the cluster see under the same name.
        address: of a Ray cluster, or None to start Ray here for as long as the sweep runs.
        resources: JSON of what each task takes, ``CPU``, ``GPU``, or a name that the cluster knows, such as ``TPU``.
        verify_data: read all data first and compare them with their checksums, here and in each task; where a process
            crashed, what goes on after it does so in any case.

    Returns:
        What ``run_sweep`` returns.

    Raises:
        ValueError: if Ray is not installed, the resources are no JSON, or what ``run_sweep`` raises it for.
        OSError: if the disk is full.
        SweepStopped: if SIGTERM or SIGINT came.
    """
    began, workdir = time.perf_counter(), Path(workdir)
    options = task_options(resources)
    try:
        import ray
    except ImportError:
        raise ValueError("--launcher: ray is not installed; expected pip install 'ncjax[ray]'") from None
    sweep = with_source(prepare(config, workdir, verify_data), workdir)
    with naming_a_full_disk(workdir), locked(workdir), noticing_signals() as stop, count_compilations() as compilations:
        ledger = claim(config, workdir, sweep)
        started = not ray.is_initialized()
        if started:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        groups = sweep.groups(ledger)
        before = table_lines(workdir)
        task = ray.remote(**options)(_run_group)
        try:
            with Progress(workdir, work_of(groups), len(ledger.runs)) as progress:
                stop.tell = progress.say
                running = {
                    task.remote(config.to_dict(), str(workdir), group.number, verify_data): group for group in groups
                }
                progress.say(f"ray: {len(running)} tasks, each with {json.dumps(options)}")
                while running:
                    done, _ = ray.wait(list(running), timeout=_GATHER_SECONDS)
                    gather_rows(workdir, ledger)
                    if stop.signal is not None:
                        raise SweepStopped(f"{stop.signal}: tasks end, what they have not saved is done again")
                    for finished in done:
                        group = running.pop(finished)
                        too_large = _result(ray, finished, group.number)
                        if too_large is None:
                            progress.skip(group.work(group.steps[-1]))
                            progress.say(f"group {group.number}: finished")
                            continue
                        runs, reason = too_large
                        progress.say(f"group {group.number}: {reason}; going on with at most {runs} at a time")
                        ledger, parts = divide(sweep, ledger, group, runs, workdir)
                        for number in parts:
                            part = sweep.group(ledger, number)
                            running[task.remote(config.to_dict(), str(workdir), number, verify_data)] = part
        finally:
            if started:
                ray.shutdown()
        gather_rows(workdir, ledger)
        costs = {
            "seconds": time.perf_counter() - began,
            "compilations": compilations.count,
            "compile_seconds": compilations.seconds,
        }
        return summarise(workdir, costs, ledger, before)


def task_options(resources: str) -> dict[str, Any]:
    """What each task asks of Ray.

    Args:
        resources: JSON, from names to amounts.

    Returns:
        Options of ``ray.remote``.

    Raises:
        ValueError: if it is not JSON, not an object, or an amount is not a number above 0.

    Examples:
        >>> task_options('{"CPU": 2, "TPU": 4}')
        {'max_retries': 5, 'num_cpus': 2, 'resources': {'TPU': 4}}
    """
    wrong = f"--ray.resources: got {resources!r}, expected JSON such as '{{\"TPU\": 4}}'"
    try:
        amounts = json.loads(resources)
    except json.JSONDecodeError as error:
        raise ValueError(f"{wrong} ({error.msg})") from None
    if not isinstance(amounts, dict):
        raise ValueError(wrong)
    for name, amount in amounts.items():
        if not isinstance(amount, int | float) or isinstance(amount, bool) or amount <= 0:
            raise ValueError(f"{wrong} (an amount above 0 for {name})")
    options: dict[str, Any] = {"max_retries": _RETRIES}
    for name, option in (("CPU", "num_cpus"), ("GPU", "num_gpus")):
        if name in amounts:
            options[option] = amounts.pop(name)
    return {**options, "resources": amounts} if amounts else options


def _result(ray: Any, task: Any, number: int) -> tuple[int, str] | None:
    """What a task returned; what it found wrong is bad input here too."""
    try:
        answer: tuple[int, str] | None = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, ValueError | OSError):
            raise
        raise ValueError(f"group {number}: {error.cause}") from None
    return answer


def _run_group(config: dict[str, Any], workdir: str, number: int, verify_data: bool) -> tuple[int, str] | None:
    """The task: one group from its last checkpoint to its end; runs that would fit and why, if so many do not."""
    directory = Path(workdir)
    lock = directory / "checkpoints" / f"lock_{number:03d}"
    verify_data = verify_data or was_cut_off(lock)
    sweep = with_source(prepare(ml_collections.ConfigDict(config), directory, verify_data), directory)
    ledger = read_ledger(directory)
    if ledger is None:
        raise ValueError(
            f"--workdir: {directory} is not to be seen from a machine of the cluster; expected a shared one"
        )
    group = sweep.group(ledger, number)
    # Its predecessor may still be dying.
    with locked(lock, wait=True):
        table = group_table(directory, number)
        if not table.exists():
            ours = set(ledger.groups[number].runs)
            rows = results.read_rows(directory / results.FILE_NAME) if (directory / results.FILE_NAME).exists() else []
            results.append_rows(table, [row for row in rows if row["run"] in ours])
        progress = Progress(None, group.work(group.steps[-1]), len(group.runs))
        try:
            around = Surroundings(
                directory, table, progress, StopRequest(), ledger.varying(), sweep.plan.runs_per_program
            )
            run_group(group, sweep.view(group.runs).inputs, around)
        except TooLarge as answer:
            return answer.runs, answer.reason
        return None
