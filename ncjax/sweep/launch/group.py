"""One group of a sweep: from its newest checkpoint to its end, measuring on the way."""

import bisect
import contextlib
import dataclasses
import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from ncjax import data, models
from ncjax.results import check_columns
from ncjax.results import rows as results
from ncjax.sweep.launch.progress import Progress, Work
from ncjax.sweep.launch.signals import StopRequest, SweepStopped
from ncjax.sweep.plan.measuring_times import steps_at
from ncjax.sweep.plan.sweep_plan import Run, StreamSpec, SweepPlan
from ncjax.sweep.program import hosts
from ncjax.sweep.program.compiled_group import CompiledGroup
from ncjax.sweep.program.group_program import ProgramSpec, init_group, step_flops
from ncjax.sweep.program.memory import TooLarge
from ncjax.sweep.program.mesh import (
    make_mesh,
    replicate,
    resolve_batch_devices,
    resolve_sharing,
    spread_runs,
    stack_runs,
)
from ncjax.sweep.program.resident import ResidentGroup
from ncjax.sweep.program.streamed import StreamedGroup
from ncjax.sweep.workdir.checkpoints import GroupCheckpoints, group_checkpoints
from ncjax.sweep.workdir.environment import device_memory_bytes
from ncjax.sweep.workdir.event_files import EventFiles
from ncjax.sweep.workdir.network import Network, network_for, write_network
from ncjax.training import RunInputs, TrainedWeights, TrainSpec, frozen_layers, start_from

# Seconds of training after which the state is saved even where nothing is measured.
_SAVE_SECONDS = 300.0


@dataclasses.dataclass(frozen=True)
class Group:
    """Runs that share a program, and when they are measured.

    Attributes:
        number: of its directory of checkpoints.
        runs: by their numbers in the results table.
        size: runs that the program is compiled for.
        spec: what the program is compiled for.
        mesh: over which the runs are spread.
        train: the train split, to be streamed from the host; None where it lies on the devices.
        stream: how it is streamed.
        source: weights that they start from; None for fresh ones.
        steps: at which they are measured, ascending from 0.
        steps_per_epoch: of these runs.
        network: that they train.
    """

    number: int
    runs: tuple[Run, ...]
    size: int
    spec: ProgramSpec
    mesh: Mesh
    train: data.Split | None
    stream: StreamSpec
    source: TrainedWeights | None
    steps: tuple[int, ...]
    steps_per_epoch: int
    network: Network

    def samples(self, steps: int) -> int:
        """Training samples that all runs together see in so many steps."""
        return len(self.runs) * steps * self.spec.train.batch_size

    def work(self, steps: int, measured: bool = True) -> Work:
        """What all runs together cost in so many steps, with the measurement that is due then or without it."""
        due = bisect.bisect_right(self.steps, steps) if measured else bisect.bisect_left(self.steps, steps)
        return Work(self.samples(steps), due * len(self.runs))

    def checkpoints(self, workdir: Path) -> Path:
        """The directory of its checkpoints."""
        return group_checkpoints(workdir, self.number)


def make_group(
    plan: SweepPlan,
    runs: tuple[Run, ...],
    dataset: data.Dataset,
    number: int,
    size: int,
    epochs: tuple[float, ...],
    source: TrainedWeights | None = None,
) -> Group:
    """Makes a group of runs, and finds what is wrong with its network or its batch size.

    Args:
        plan: of the sweep.
        runs: that share a program.
        dataset: to train on.
        number: of the group.
        size: runs that the program is compiled for.
        epochs: at which to measure.
        source: weights that they start from; None for fresh ones.

    Returns:
        The group.

    Raises:
        ValueError: naming the key of the config that does not fit the data.
    """
    batch_size = runs[0].train.batch_size
    steps_per_epoch = len(dataset.train) // batch_size
    if not steps_per_epoch:
        raise ValueError(
            f"config.train.batch_size: got {batch_size}, expected at most the {len(dataset.train)} training "
            f"samples of {dataset.name}"
        )
    network = network_for(runs[0].train.model, dataset)
    train = static_training(plan, runs[0], network)
    spec = ProgramSpec(train, plan.measure, network.image_shape, resolve_sharing(plan.runs_axis))
    mesh = make_mesh(size, plan.mesh_runs, resolve_batch_devices(plan.mesh_batch, size, batch_size, plan.mesh_runs))
    streamed = plan.stream.applies(dataset.train.images.nbytes, device_memory_bytes())
    split, steps = dataset.train if streamed else None, steps_at(epochs, steps_per_epoch)
    return Group(number, runs, size, spec, mesh, split, plan.stream, source, steps, steps_per_epoch, network)


def static_training(plan: SweepPlan, run: Run, network: Network) -> TrainSpec:
    """What training a run is compiled for, its network built for the shapes alone.

    Args:
        plan: of the sweep.
        run: one of a group.
        network: of the run.

    Returns:
        The static choices of training.

    Raises:
        ValueError: naming the key of the config that does not fit the network or its images.
    """
    train = run.train_spec(network.num_classes)
    with naming("config.model", ("classifier", "name", "widths", "norm", "lowering")):
        # The shapes alone tell whether the network takes these images.
        model = models.build(network.model, network.num_classes)
        fresh = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), network.image_shape))
    with naming("config.init", ("last_stages",)):
        frozen = frozen_layers(fresh["params"], getattr(model, "stages", ()), plan.init.last_stages)
    return dataclasses.replace(train, model=network.model, frozen=frozen)


@contextlib.contextmanager
def naming(section: str, keys: tuple[str, ...]) -> Iterator[None]:
    """Makes the errors of a ``with`` block begin with the section of the config that they are about.

    Args:
        section: of the config, dotted.
        keys: of the section, by which a message may begin already.

    Raises:
        ValueError: what was raised, with the section before it.
    """
    try:
        yield
    except ValueError as error:
        first_word = str(error).partition(" ")[0].rstrip(":")
        raise ValueError(f"{section}.{error}" if first_word in keys else f"{section}: {error}") from None


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What a group works with.

    Attributes:
        workdir: of the sweep.
        table: of results, to which rows are appended.
        progress: to tell.
        stop: asked between slices of training.
        runs_per_program: most runs to try at once; 0 for no limit.
        varying: settings that differ among the sweep's runs.
        profile_steps: steps of training of which to write a profile; 0 for none.
    """

    workdir: Path
    table: Path
    progress: Progress
    stop: StopRequest
    varying: frozenset[str]
    runs_per_program: int = 0
    profile_steps: int = 0


def run_group(group: Group, inputs: RunInputs, around: Surroundings) -> None:
    """Advances a group from its newest checkpoint to its end, measuring on the way.

    Args:
        group: to run.
        inputs: the data.
        around: what it works with.

    Raises:
        SweepStopped: once the state is saved, if a stop was requested.
        TooLarge: if so many runs do not fit into memory; what is saved stays.
    """
    with contextlib.ExitStack() as stack:
        checkpoints = None
        if hosts.is_writer():
            checkpoints = stack.enter_context(GroupCheckpoints(group.checkpoints(around.workdir)))
            write_network(group.checkpoints(around.workdir), group.network)

        def is_finished() -> bool:
            newest = checkpoints.latest_step() if checkpoints else None
            return newest == group.steps[-1] and _settle_rows(around.table, group, newest)

        if hosts.shared(is_finished):
            around.progress.skip(group.work(group.steps[-1]))
            return
        if not hosts.agree(0 if around.stop.signal is not None else 1)[0]:
            raise SweepStopped(f"{around.stop.signal or 'another process was stopped'}: before group {group.number}")
        if 0 < around.runs_per_program < len(group.runs):
            raise TooLarge(around.runs_per_program, f"config.mesh.runs_per_program={around.runs_per_program}")
        _Course(group, inputs, around, checkpoints).run()


class _Course:
    """A group on its way: its state, where it stands, and who is told.

    Only the process that writes has checkpoints.
    """

    def __init__(
        self, group: Group, inputs: RunInputs, around: Surroundings, checkpoints: GroupCheckpoints | None
    ) -> None:
        self.group, self.around, self.checkpoints = group, around, checkpoints
        self.events = EventFiles(around.workdir / "tensorboard", around.varying)
        self.profile_steps = around.profile_steps
        self.programs: CompiledGroup
        with around.progress.compiling(f"group {group.number}"):
            hypers, seeds = [run.hyper for run in group.runs], [run.seed for run in group.runs]
            self.hyper, self.seeds = stack_runs(group.mesh, hypers, seeds, group.size)
            newest, self.state = self._begin()
            self.measured = hosts.shared(lambda: _settle_rows(around.table, group, newest))
            self.step = newest or 0
            everywhere = replicate(group.mesh, inputs)
            arguments = (group.spec, group.mesh, self.hyper, self.seeds, self.state, everywhere, len(group.runs))
            flops = len(group.runs) * step_flops(group.spec)
            if group.train is None:
                self.programs = ResidentGroup(*arguments)
            else:
                self.programs = StreamedGroup(*arguments, group.train, group.stream, group.steps[-1])
        around.progress.begin(group.work(self.step, self.measured), flops)

    def _begin(self) -> tuple[int | None, Any]:
        """The newest state there is."""
        group, mesh, checkpoints = self.group, self.group.mesh, self.checkpoints
        like = jax.eval_shape(functools.partial(init_group, group.spec, mesh), self.hyper, self.seeds)

        def read() -> tuple[Any, list[np.ndarray]]:
            if checkpoints is None or checkpoints.latest_step() is None:
                return None, []
            step, state, damage = checkpoints.restore(like, len(group.runs))
            return (step, damage), jax.tree.leaves(state)

        saved, leaves = hosts.shared_arrays(read)
        if saved is None:
            fresh = init_group(group.spec, mesh, self.hyper, self.seeds)
            return None, fresh if group.source is None else start_from(fresh, group.source)
        step, damage = saved
        if damage is not None:
            self.around.progress.say(f"group {group.number}: {damage}")
        state = jax.tree.unflatten(jax.tree.structure(like), leaves)
        return step, spread_runs(mesh, state, group.size)

    def run(self) -> None:
        """Trains to each step at which to measure, and measures."""
        # Someone may have asked to stop while it was compiled.
        self._heed(0)
        for until in self.group.steps:
            if until > self.step or (until == self.step and not self.measured):
                seconds = self._train(until)
                self._measure(seconds)

    def _train(self, until: int) -> float:
        """Trains and returns the seconds that it took."""
        began = saved = time.perf_counter()
        while self.step < until:
            due = time.perf_counter() - saved > _SAVE_SECONDS
            size = self.profile_steps if self.profile_steps and self.programs.is_warm else self.programs.slice_steps
            size = self._heed(min(until - self.step, size), due)
            if due:
                saved = time.perf_counter()
            profiled = size == self.profile_steps and self.programs.is_warm
            slice_began = time.perf_counter()
            with self._profile(size) if profiled else contextlib.nullcontext():
                self.state = self.programs.train(self.state, self.step, size)
            self.step += size
            seconds = None if profiled else time.perf_counter() - slice_began
            self.around.progress.advance(self.group.samples(size), self._place(), size, seconds)
        return time.perf_counter() - began

    def _measure(self, train_seconds: float) -> None:
        began = time.perf_counter()
        self.state, measured = self.programs.measure(self.state, self.step)
        values = hosts.gather(measured)
        took = time.perf_counter() - began
        seconds = {"time/train_seconds": train_seconds, "time/measure_seconds": took}
        if hosts.is_writer():
            rows = [_row(self.group, position, self.step, values) | seconds for position in range(len(self.group.runs))]
            # Rows are on the disk before the checkpoint that covers them is, so rows past it are made again.
            results.append_rows(self.around.table, rows)
            for row in rows:
                self.events.write(row)
        self.around.progress.measured(len(self.group.runs), self._place(), took)
        self._save()
        self._heed(0)

    def _place(self) -> str:
        steps = self.group.steps
        segment = f"segment {bisect.bisect_left(steps, self.step)}/{len(steps) - 1}"
        return f"group {self.group.number}, {segment}, step {self.step}/{steps[-1]}"

    @contextlib.contextmanager
    def _profile(self, size: int) -> Iterator[None]:
        """Writes a profile, once."""
        self.profile_steps = 0
        with jax.profiler.trace(str(self.around.workdir / "profile")):
            yield
        self.around.progress.say(f"profile of {size} steps: {self.around.workdir / 'profile'}")

    def _save(self) -> None:
        state = self.state
        if jax.process_count() > 1:
            state = hosts.gather(state)
        if self.checkpoints is not None:
            self.checkpoints.save(self.step, jax.tree.map(lambda leaf: leaf[: len(self.group.runs)], state))

    def _heed(self, size: int, due: bool = False) -> int:
        """Saves if that is due, saves and ends if someone has asked to stop; returns the size that all agree on."""
        going = 0 if self.around.stop.signal is not None else 1
        size, going, not_due = hosts.agree(size, going, 0 if due else 1)
        if not going or not not_due:
            self._save()
        if not going:
            if self.checkpoints is not None:
                self.checkpoints.wait()
            where = f"group {self.group.number} saved at step {self.step} of {self.group.steps[-1]}"
            raise SweepStopped(f"{self.around.stop.signal or 'another process was stopped'}: {where}")
        return size


def _settle_rows(table: Path, group: Group, step: int | None) -> bool:
    """Drops a group's rows past its checkpoint, and makes sure that those before it are there.

    Returns:
        Whether the runs are measured at the checkpoint, if its step is one to measure at.
    """
    ours = {run.index for run in group.runs}
    results.keep_rows(table, lambda _: True)
    rows = results.read_rows(table) if table.is_file() else []
    there = {(row["run"], row["step"]) for row in rows}
    # A state that was saved on a request to stop, or before its rows were lost, may still have to be measured.
    measured = step is not None and all((run, step) in there for run in ours)

    def keep(row: dict[str, Any]) -> bool:
        done = step is not None and (row["step"] < step or (row["step"] == step and measured))
        return row["run"] not in ours or done

    results.keep_rows(table, keep)
    missing = sum((run, due) not in there for run in ours for due in group.steps if step is not None and due < step)
    if missing:
        raise ValueError(
            f"--workdir: {table} lacks {missing} rows that checkpoints/ says were written; restore the file, or remove "
            f"checkpoints/ to begin again"
        )
    return measured


def _row(group: Group, position: int, step: int, measured: dict[str, np.ndarray]) -> dict[str, Any]:
    """A run's row of the results table at one checkpoint."""
    run = group.runs[position]
    values = {name: value[position] for name, value in measured.items()}
    finite = bool(np.isfinite(values["train/loss"]))
    diverged = bool(values.pop("diverged")) or not finite
    if not finite:
        # The largest of NaN logits is a class like any other: errors would look like measurements.
        values = dict.fromkeys(values, np.nan)
    place = {"run": run.index, "step": step, "epoch": step / group.steps_per_epoch, "diverged": diverged}
    row = place | run.columns() | values
    # What nobody can look up is not written: the list says what every column means.
    check_columns(row, settings=run.columns())
    return row
