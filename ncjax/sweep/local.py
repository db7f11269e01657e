"""Runs a whole sweep in this process."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.sharding import Mesh

from ncjax import data, models
from ncjax.sweep import results
from ncjax.sweep.checkpoints import GroupCheckpoints
from ncjax.sweep.config import StreamSpec, SweepPlan, read_config
from ncjax.sweep.environment import count_compilations, device_memory_bytes, peak_memory_bytes
from ncjax.sweep.grid import Run, groups
from ncjax.sweep.program import (
    ProgramSpec,
    ResidentProgram,
    init_group,
    make_mesh,
    replicate,
    resolve_sharing,
    spread_runs,
    stack_runs,
)
from ncjax.sweep.progress import EventFiles, progress_bar
from ncjax.sweep.schedule import checkpoint_steps
from ncjax.sweep.streamed import StreamedProgram
from ncjax.sweep.workdir import add_to_summary, check_workdir, claim_workdir, locked
from ncjax.training import RunInputs, run_inputs
from ncjax.transfer import check_fits

# Seconds of training between two signs of life on the progress bar.
_SLICE_SECONDS = 1.0
_DATA_OPTIONS = tuple(field.name for field in dataclasses.fields(data.DataSpec))


def run_sweep(config: ml_collections.ConfigDict, workdir: Path) -> dict[str, Any]:
    """Trains, measures and transfers every run of a config; resumes where an earlier call was interrupted.

    Args:
      config: with the keys of ``default_config``.
      workdir: gets ``config.json``, ``environment.json``, ``data.json``, ``results.jsonl``, ``summary.json``,
        ``checkpoints/`` and ``tensorboard/``.

    Returns:
      What ``summary.json`` holds: runs, rows, seconds, compilations, peak memory.

    Raises:
      ValueError: if the config is wrong, or the workdir holds another one.
    """
    began = time.perf_counter()
    plan = read_config(config)
    check_workdir(config, workdir)
    with _naming("config.data", _DATA_OPTIONS):
        dataset = data.load(plan.data)
    streamed = plan.stream.applies(dataset.train.images.nbytes, device_memory_bytes())
    inputs = run_inputs(dataset, plan.complexity_samples, streamed)
    plan = _with_target(plan, dataset, inputs)
    sweep = [_Group.make(plan, runs, dataset, number) for number, runs in enumerate(groups(plan.runs))]
    # Nothing is written before all that can be wrong with the config has been found.
    with locked(workdir), count_compilations() as compilations:
        check_workdir(config, workdir)
        claim_workdir(config, workdir, dataset)
        total = sum(group.samples(group.steps[-1]) for group in sweep)
        with progress_bar(total, len(plan.runs)) as bar:
            for group in sweep:
                _run_group(group, inputs, dataset, workdir, bar, f"group {group.number + 1}/{len(sweep)}")
        costs = {
            "seconds": time.perf_counter() - began,
            "compilations": compilations.count,
            "compile_seconds": compilations.seconds,
        }
        facts = {
            "runs": len(plan.runs),
            "groups": len(sweep),
            "rows": len(results.read_rows(workdir / results.FILE_NAME)),
            "peak_memory_bytes": peak_memory_bytes(),
        }
        return add_to_summary(workdir, costs, facts)


@contextlib.contextmanager
def _naming(section: str, keys: tuple[str, ...]) -> Iterator[None]:
    """Makes the errors of a ``with`` block begin with the section of the config that they are about."""
    try:
        yield
    except ValueError as error:
        first_word = str(error).partition(" ")[0].rstrip(":")
        raise ValueError(f"{section}.{error}" if first_word in keys else f"{section}: {error}") from None


@dataclasses.dataclass(frozen=True)
class _Group:
    """Runs that share a program, and when they are measured."""

    number: int
    runs: tuple[Run, ...]
    spec: ProgramSpec
    mesh: Mesh
    stream: StreamSpec
    steps: tuple[int, ...]
    steps_per_epoch: int

    @classmethod
    def make(cls, plan: SweepPlan, runs: tuple[Run, ...], dataset: data.Dataset, number: int) -> "_Group":
        batch_size = runs[0].batch_size
        steps_per_epoch = len(dataset.train) // batch_size
        if not steps_per_epoch:
            raise ValueError(
                f"config.train.batch_size: got {batch_size}, expected at most the {len(dataset.train)} training "
                f"samples of {dataset.name}"
            )
        train = runs[0].train_spec(dataset.train.num_classes, **plan.train)
        height, width, channels = dataset.train.images.shape[1:]
        spec = ProgramSpec(train, plan.measure, (height, width, channels), resolve_sharing(plan.runs_axis))
        with _naming("config.model", ("classifier",)):
            # The shapes alone tell whether the network takes these images.
            model = models.build(train.model, train.num_classes)
            jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), spec.image_shape))
        steps = checkpoint_steps(plan.epochs, steps_per_epoch, plan.checkpoints, plan.first_epoch)
        return cls(number, runs, spec, make_mesh(len(runs), plan.mesh_runs), plan.stream, steps, steps_per_epoch)

    def samples(self, steps: int) -> int:
        """Training samples that all runs together see in so many steps."""
        return len(self.runs) * steps * self.spec.train.batch_size


def _with_target(plan: SweepPlan, dataset: data.Dataset, inputs: RunInputs) -> SweepPlan:
    """The plan with what only the data can tell: classes to transfer to, or none and so no transfer."""
    if dataset.target is None or inputs.target_index is None:
        return dataclasses.replace(plan, measure=dataclasses.replace(plan.measure, transfer=None))
    if plan.measure.transfer is not None:
        with _naming("config.transfer", ("ways",)):
            check_fits(inputs.target_index, plan.measure.transfer)
    target_classes = dataset.target.num_classes
    return dataclasses.replace(plan, measure=dataclasses.replace(plan.measure, target_classes=target_classes))


def _run_group(group: _Group, inputs: RunInputs, dataset: data.Dataset, workdir: Path, bar: Any, title: str) -> None:
    """Advances a group from its newest checkpoint to its end, measuring on the way."""
    table, runs, mesh = workdir / results.FILE_NAME, group.runs, group.mesh
    events = EventFiles(workdir / "tensorboard")
    with GroupCheckpoints(workdir / "checkpoints" / f"group_{group.number:03d}") as checkpoints:
        step = checkpoints.latest_step()
        _trim_rows(table, group, step)
        bar.set_postfix_str(f"{title}, step {step or 0}/{group.steps[-1]}")
        if step is not None:
            # What an earlier call did counts as done, but not towards this call's samples a second.
            bar.initial += group.samples(step)
            bar.update(group.samples(step))
        if step == group.steps[-1]:
            return
        hyper, seeds = stack_runs(mesh, [run.hyper for run in runs], [run.seed for run in runs])
        state = init_group(group.spec, mesh, hyper, seeds)
        if step is not None:
            state = spread_runs(mesh, checkpoints.restore(step, state, len(runs)))
        advance = _Advance(_program(group, hyper, seeds, replicate(mesh, inputs), dataset))
        due = [later for later in group.steps if step is None or later > step]
        step = step or 0
        with contextlib.closing(events):
            for until in due:
                began = time.perf_counter()
                while step < until:
                    size = min(until - step, advance.slice_steps)
                    state = advance.train(state, step, size)
                    step += size
                    bar.set_postfix_str(f"{title}, step {step}/{group.steps[-1]}", refresh=False)
                    bar.update(group.samples(size))
                trained = time.perf_counter()
                state, measured = advance.measure(state, step)
                seconds = {"time/train_seconds": trained - began, "time/measure_seconds": time.perf_counter() - trained}
                rows = [_row(group, run, position, step, measured) | seconds for position, run in enumerate(runs)]
                # Rows are on the disk before the checkpoint that covers them is, so rows past it are made again.
                results.append_rows(table, rows)
                for row in rows:
                    events.write(row)
                checkpoints.save(step, jax.tree.map(lambda leaf: leaf[: len(runs)], state))


def _trim_rows(table: Path, group: _Group, step: int | None) -> None:
    """Drops a group's rows past its newest checkpoint, and makes sure that those up to it are there."""
    ours = {run.index for run in group.runs}
    results.keep_rows(table, lambda row: row["run"] not in ours or (step is not None and row["step"] <= step))
    if step is None:
        return
    rows = results.read_rows(table) if table.is_file() else []
    there = {(row["run"], row["step"]) for row in rows}
    missing = sum((run, due) not in there for run in ours for due in group.steps if due <= step)
    if missing:
        raise ValueError(
            f"--workdir: {table} lacks {missing} rows that checkpoints/ says were written; restore the file, or remove "
            f"checkpoints/ to begin again"
        )


def _program(group: _Group, hyper: Any, seeds: Any, inputs: RunInputs, dataset: data.Dataset) -> Any:
    """What trains and measures a group: with the train images on the devices, or streamed from the host."""
    if inputs.train_images is not None:
        return ResidentProgram(group.spec, group.mesh, hyper, seeds, inputs)
    buffer_bytes, threads = group.stream.buffer_mib * 2**20, group.stream.threads
    total_steps = group.steps[-1]
    return StreamedProgram(
        group.spec, group.mesh, hyper, seeds, inputs, dataset.train, buffer_bytes, total_steps, threads
    )


class _Advance:
    """Calls a group's program in slices short enough for the progress bar to move."""

    def __init__(self, program: Any) -> None:
        self._program = program
        self.slice_steps = 1

    def train(self, state: Any, start: int, size: int) -> Any:
        """Takes ``size`` steps and adapts the next slice to how long they took."""
        began = time.perf_counter()
        state = jax.block_until_ready(self._program.train(state, start, size))
        per_step = (time.perf_counter() - began) / size
        # At most doubling: the first call of all may have compiled.
        self.slice_steps = max(1, min(2 * size, round(_SLICE_SECONDS / per_step)))
        return state

    def measure(self, state: Any, step: int) -> tuple[Any, dict[str, np.ndarray]]:
        """Measures every run."""
        state, measured = self._program.measure(state, step)
        return state, jax.device_get({**measured, "diverged": state.diverged})


def _row(group: _Group, run: Run, position: int, step: int, measured: dict[str, np.ndarray]) -> dict[str, Any]:
    """A run's row of the results table at one checkpoint."""
    values = {name: value[position] for name, value in measured.items()}
    finite = bool(np.isfinite(values["train/loss"]))
    diverged = bool(values.pop("diverged")) or not finite
    if not finite:
        # The largest of NaN logits is a class like any other: errors would look like measurements.
        values = dict.fromkeys(values, np.nan)
    place = {"run": run.index, "step": step, "epoch": step / group.steps_per_epoch, "diverged": diverged}
    return place | run.columns() | values
