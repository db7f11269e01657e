"""One group of a sweep: from its newest checkpoint to its end, measuring on the way."""

import bisect
import contextlib
import functools
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ncjax.results import check_columns
from ncjax.results import rows as results
from ncjax.sweep.launch.group import Group
from ncjax.sweep.launch.progress import Progress
from ncjax.sweep.launch.signals import StopRequest, SweepStopped
from ncjax.sweep.program import hosts
from ncjax.sweep.program.compiled_group import CompiledGroup
from ncjax.sweep.program.group_program import init_group, step_flops
from ncjax.sweep.program.memory import TooLarge
from ncjax.sweep.program.mesh import replicate, spread_runs, stack_runs
from ncjax.sweep.program.resident import ResidentGroup
from ncjax.sweep.program.streamed import StreamedGroup
from ncjax.sweep.workdir.checkpoints import GroupCheckpoints
from ncjax.sweep.workdir.workdir import Workdir
from ncjax.training import RunInputs, start_from

# Seconds of training after which the state is saved even where nothing is measured.
_SAVE_SECONDS = 300.0


def run_group(
    group: Group,
    inputs: RunInputs,
    workdir: Workdir,
    progress: Progress,
    stop: StopRequest,
    profile_steps: int = 0,
) -> None:
    """Advances a group from its newest checkpoint to its end, measuring on the way.

    Args:
        group: to run.
        inputs: the data.
        workdir: of the sweep.
        progress: to tell.
        stop: asked between slices of training.
        profile_steps: steps of training of which to write a profile; 0 for none.

    Raises:
        SweepStopped: once the state is saved, if a stop was requested.
        TooLarge: if so many runs do not fit into memory; what is saved stays.
    """
    runs, most = {run.index for run in group.runs}, group.plan.runs_per_program
    with contextlib.ExitStack() as stack:
        checkpoints = None
        if hosts.is_writer():
            checkpoints = stack.enter_context(workdir.checkpoints(group.number))
            workdir.write_network(group.number, group.network)

        def is_finished() -> bool:
            newest = checkpoints.latest_step() if checkpoints else None
            return newest == group.steps[-1] and workdir.settle_rows(runs, group.steps, newest)

        if hosts.shared(is_finished):
            progress.skip(group.work(group.steps[-1]))
            return
        if not hosts.agree(0 if stop.signal is not None else 1)[0]:
            raise SweepStopped(f"{stop.signal or 'another process was stopped'}: before group {group.number}")
        if 0 < most < len(runs):
            raise TooLarge(most, f"config.mesh.runs_per_program={most}")
        _RunningGroup(group, inputs, workdir, checkpoints, progress, stop, profile_steps).run()


class _RunningGroup:
    """A group on its way: its state, where it stands, and who is told.

    Only the process that writes has checkpoints.
    """

    def __init__(
        self,
        group: Group,
        inputs: RunInputs,
        workdir: Workdir,
        checkpoints: GroupCheckpoints | None,
        progress: Progress,
        stop: StopRequest,
        profile_steps: int,
    ) -> None:
        self.group, self.workdir, self.checkpoints, self.progress, self.stop = (
            group,
            workdir,
            checkpoints,
            progress,
            stop,
        )
        self.indices = {run.index for run in group.runs}
        self.events = workdir.event_files(group.plan.varying())
        self.profile_steps = profile_steps
        self.programs: CompiledGroup
        with progress.compiling(f"group {group.number}"):
            hypers, seeds = [run.hyper for run in group.runs], [run.seed for run in group.runs]
            self.hyper, self.seeds = stack_runs(group.mesh, hypers, seeds, group.size)
            newest, self.state = self._begin()
            self.measured = hosts.shared(lambda: workdir.settle_rows(self.indices, group.steps, newest))
            self.step = newest or 0
            everywhere = replicate(group.mesh, inputs)
            arguments = (group.spec, group.mesh, self.hyper, self.seeds, self.state, everywhere, len(group.runs))
            flops = len(group.runs) * step_flops(group.spec)
            if group.streamed:
                stream = group.plan.stream
                self.programs = StreamedGroup(*arguments, group.dataset.train, stream, group.steps[-1])
            else:
                self.programs = ResidentGroup(*arguments)
        progress.begin(group.work(self.step, self.measured), flops)

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
            self.progress.say(f"group {group.number}: {damage}")
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
            self.progress.advance(self.group.samples(size), self._place(), size, seconds)
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
            results.append_rows(self.workdir.table, rows)
            for row in rows:
                self.events.write(row)
        self.progress.measured(len(self.group.runs), self._place(), took)
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
        directory = self.workdir.path / "profile"
        with jax.profiler.trace(str(directory)):
            yield
        self.progress.say(f"profile of {size} steps: {directory}")

    def _save(self) -> None:
        state = self.state
        if jax.process_count() > 1:
            state = hosts.gather(state)
        if self.checkpoints is not None:
            self.checkpoints.save(self.step, jax.tree.map(lambda leaf: leaf[: len(self.group.runs)], state))

    def _heed(self, size: int, due: bool = False) -> int:
        """Saves if that is due, saves and ends if someone has asked to stop; returns the size that all agree on."""
        going = 0 if self.stop.signal is not None else 1
        size, going, not_due = hosts.agree(size, going, 0 if due else 1)
        if not going or not not_due:
            self._save()
        if not going:
            if self.checkpoints is not None:
                self.checkpoints.wait()
            where = f"group {self.group.number} saved at step {self.step} of {self.group.steps[-1]}"
            raise SweepStopped(f"{self.stop.signal or 'another process was stopped'}: {where}")
        return size


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
