"""Runs a whole sweep in this process."""

import contextlib
import dataclasses
import shutil
import time
from pathlib import Path
from typing import Any

import jax
import ml_collections

from ncjax import data
from ncjax.sweep import hosts, results
from ncjax.sweep.config import SweepPlan, read_config
from ncjax.sweep.environment import count_compilations, device_memory_bytes, peak_memory_bytes
from ncjax.sweep.grid import Run
from ncjax.sweep.group import Group, Surroundings, divide_checkpoints, make_group, naming, run_group
from ncjax.sweep.ledger import Ledger, extend_ledger, read_ledger, write_ledger
from ncjax.sweep.memory import TooLarge
from ncjax.sweep.progress import Progress
from ncjax.sweep.signals import noticing_signals
from ncjax.sweep.storage import naming_a_full_disk
from ncjax.sweep.workdir import add_to_summary, check_workdir, claim_workdir, describe_data, locked
from ncjax.training import RunInputs, run_inputs
from ncjax.transfer import check_fits

_DATA_OPTIONS = tuple(field.name for field in dataclasses.fields(data.DataSpec))


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
    sweep = prepare(config, workdir)
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


@dataclasses.dataclass(frozen=True)
class View:
    """The data as one or more groups see it.

    Attributes:
      plan: of the sweep, with what only the data can tell.
      dataset: that the groups train on.
      inputs: the same as arrays.
    """

    plan: SweepPlan
    dataset: data.Dataset
    inputs: RunInputs


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A config with the data that it asks for.

    Attributes:
      plan: the config, read.
      dataset: that it names.
      views: of the data, by the options in which they differ from it.
    """

    plan: SweepPlan
    dataset: data.Dataset
    views: dict[tuple[tuple[str, Any], ...], View]

    def view(self, runs: tuple[Run, ...]) -> View:
        """The data as runs of one group see it."""
        return self.views[runs[0].data]

    def group(self, ledger: Ledger, number: int) -> Group:
        """A group of a ledger, ready to run."""
        members, runs = ledger.groups[number], ledger.numbered(self.plan.runs)
        own = tuple(runs[run] for run in members.runs)
        view = self.view(own)
        return make_group(view.plan, own, view.dataset, number, members.size, ledger.epochs)

    def groups(self, ledger: Ledger) -> list[Group]:
        """All groups of a ledger, in the order in which they run."""
        return [self.group(ledger, number) for number in sorted(ledger.groups)]


def prepare(config: ml_collections.ConfigDict, workdir: Path) -> Sweep:
    """Reads a config and its data, and finds whatever is wrong with them before anything is written.

    Args:
      config: with the keys of ``default_config``.
      workdir: where it is to run.

    Returns:
      The sweep.

    Raises:
      ValueError: if the config is wrong, or the workdir holds another one.
    """
    plan = read_config(config)
    ledger = hosts.shared(lambda: _ledger(config, workdir, plan))
    with naming("config.data", _DATA_OPTIONS):
        dataset = data.load(plan.data)
    if jax.process_count() > 1:
        ours = describe_data(dataset)["sha256"]
        if (theirs := hosts.shared(lambda: ours)) != ours:
            raise ValueError(
                f"config.data: {dataset.name} has sha256 {ours[:12]}… on host {jax.process_index()} and {theirs[:12]}… "
                f"on the first; expected the same images and labels on every host"
            )
    views = {options: _view(plan, dataset, options) for options in dict.fromkeys(run.data for run in plan.runs)}
    sweep = Sweep(plan, dataset, views)
    sweep.groups(ledger)
    return sweep


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
    ledger = _ledger(config, workdir, sweep.plan)
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


def _ledger(config: ml_collections.ConfigDict, workdir: Path, plan: SweepPlan) -> Ledger:
    """What the workdir is to hold: what it holds, extended."""
    check_workdir(config, workdir)
    if not (workdir / "config.json").is_file():
        return extend_ledger(None, plan, plan.runs_per_program)
    recorded = read_ledger(workdir)
    if recorded is None:
        raise ValueError(f"--workdir: {workdir} holds a sweep without runs.json; restore it or use a new directory")
    return extend_ledger(recorded, plan, plan.runs_per_program)


def _remove_unknown(workdir: Path, ledger: Ledger) -> None:
    """Removes checkpoints of groups that were never entered, or have been divided since."""
    known = {f"group_{number:03d}" for number in ledger.groups}
    for directory in (workdir / "checkpoints").glob("group_*"):
        if directory.name not in known:
            shutil.rmtree(directory)


def _view(plan: SweepPlan, dataset: data.Dataset, options: tuple[tuple[str, Any], ...]) -> View:
    """The data with other options."""
    if options:
        with naming("config.data", _DATA_OPTIONS):
            viewed = data.load(dataclasses.replace(plan.data, **dict(options)))
        # Of the same pixels, so that geometric complexity is in the same unit.
        dataset = dataclasses.replace(viewed, mean=dataset.mean, std=dataset.std)
    streamed = plan.stream.applies(dataset.train.images.nbytes, device_memory_bytes())
    inputs = run_inputs(dataset, plan.complexity_samples, streamed, plan.fine_probes, plan.measure.bounds)
    return View(_with_classes(plan, dataset, inputs), dataset, inputs)


def _with_classes(plan: SweepPlan, dataset: data.Dataset, inputs: RunInputs) -> SweepPlan:
    """The plan with what only the data can tell: fine classes; classes to transfer to, or none and so no transfer."""
    train = dataset.train
    fine = (len(train.fine_class_names) or train.num_classes) if plan.fine_probes else 0
    measure = dataclasses.replace(plan.measure, fine_classes=fine)
    if dataset.target is None or inputs.target_index is None:
        return dataclasses.replace(plan, measure=dataclasses.replace(measure, transfer=None))
    if measure.transfer is not None:
        with naming("config.transfer", ("ways",)):
            check_fits(inputs.target_index, measure.transfer)
    return dataclasses.replace(plan, measure=dataclasses.replace(measure, target_classes=dataset.target.num_classes))
