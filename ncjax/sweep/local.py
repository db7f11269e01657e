"""Runs a whole sweep in this process."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np

from ncjax import data
from ncjax.sweep import results
from ncjax.sweep.checkpoints import GroupCheckpoints
from ncjax.sweep.config import SweepPlan, read_config
from ncjax.sweep.environment import count_compilations, peak_memory_bytes
from ncjax.sweep.grid import Run, groups
from ncjax.sweep.program import ProgramSpec, advance_group, init_group, make_mesh, resolve_sharing, stack_runs
from ncjax.sweep.progress import EventFiles, progress_bar
from ncjax.sweep.schedule import checkpoint_steps
from ncjax.sweep.workdir import check_workdir, claim_workdir, write_json
from ncjax.training import RunInputs, TrainSpec, run_inputs
from ncjax.transfer import check_fits

# Seconds of training between two signs of life on the progress bar.
_SLICE_SECONDS = 1.0


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
    dataset = data.load(plan.data)
    inputs = run_inputs(dataset, plan.complexity_samples)
    plan = _with_target(plan, dataset, inputs)
    sweep = [_Group.make(plan, runs, dataset, number) for number, runs in enumerate(groups(plan.runs))]
    claim_workdir(config, workdir, dataset)
    events = EventFiles(workdir / "tensorboard")
    total = sum(len(group.runs) * group.steps[-1] * group.spec.train.batch_size for group in sweep)
    with count_compilations() as compilations, progress_bar(total, len(plan.runs)) as bar:
        for group in sweep:
            bar.set_postfix_str(f"group {group.number + 1}/{len(sweep)}")
            _run_group(group, inputs, workdir, bar, events)
    events.close()
    summary = {
        "runs": len(plan.runs),
        "groups": len(sweep),
        "rows": len(results.read_rows(workdir / results.FILE_NAME)),
        "seconds": round(time.perf_counter() - began, 1),
        "compilations": compilations.count,
        "compile_seconds": round(compilations.seconds, 1),
        "peak_memory_bytes": peak_memory_bytes(),
    }
    write_json(workdir / "summary.json", summary)
    return summary


@dataclasses.dataclass(frozen=True)
class _Group:
    """Runs that share a program, and when they are measured."""

    number: int
    runs: tuple[Run, ...]
    spec: ProgramSpec
    max_devices: int
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
        train = TrainSpec(
            model=runs[0].model,
            num_classes=dataset.train.num_classes,
            batch_size=batch_size,
            penalise_complexity=any(run.hyper.gc_penalty > 0 for run in runs),
            **plan.train,
        )
        height, width, channels = dataset.train.images.shape[1:]
        spec = ProgramSpec(train, plan.measure, (height, width, channels), resolve_sharing(plan.runs_axis))
        steps = checkpoint_steps(plan.epochs, steps_per_epoch, plan.checkpoints, plan.first_epoch)
        return cls(number, runs, spec, plan.mesh_runs, steps, steps_per_epoch)


def _with_target(plan: SweepPlan, dataset: data.Dataset, inputs: RunInputs) -> SweepPlan:
    """The plan with what only the data can tell: classes to transfer to, or none and so no transfer."""
    if dataset.target is None or inputs.target_index is None:
        return dataclasses.replace(plan, measure=dataclasses.replace(plan.measure, transfer=None))
    if plan.measure.transfer is not None:
        try:
            check_fits(inputs.target_index, plan.measure.transfer)
        except ValueError as error:
            raise ValueError(f"config.transfer.{error}") from None
    target_classes = dataset.target.num_classes
    return dataclasses.replace(plan, measure=dataclasses.replace(plan.measure, target_classes=target_classes))


def _run_group(group: _Group, inputs: RunInputs, workdir: Path, bar: Any, events: EventFiles) -> None:
    """Advances a group from its newest checkpoint to its end, measuring on the way."""
    table = workdir / results.FILE_NAME
    runs, batch_size = group.runs, group.spec.train.batch_size
    mesh = make_mesh(len(runs), group.max_devices)
    hyper, seeds = stack_runs(mesh, [run.hyper for run in runs], [run.seed for run in runs])
    with GroupCheckpoints(workdir / "checkpoints" / f"group_{group.number:03d}") as checkpoints:
        # Rows are on the disk before the checkpoint that covers them is, so rows past it are made again.
        step = checkpoints.latest_step()
        ours = {run.index for run in runs}
        results.keep_rows(table, lambda row: row["run"] not in ours or (step is not None and row["step"] <= step))
        if step == group.steps[-1]:
            bar.update(step * batch_size * len(runs))
            return
        state = init_group(group.spec, mesh, hyper, seeds)
        if step is None:
            step, due = 0, group.steps
        else:
            state, due = checkpoints.restore(step, like=state), tuple(later for later in group.steps if later > step)
            bar.update(step * batch_size * len(runs))
            bar.refresh()
        advance = _Advance(group, mesh, hyper, seeds, inputs)
        for until in due:
            began = time.perf_counter()
            while step < until:
                size = min(until - step, advance.slice_steps)
                state = advance.train(state, step, size)
                step += size
                bar.update(size * batch_size * len(runs))
            trained = time.perf_counter()
            state, measured = advance.measure(state, step)
            seconds = {"time/train_seconds": trained - began, "time/measure_seconds": time.perf_counter() - trained}
            rows = [_row(group, run, position, step, measured) | seconds for position, run in enumerate(runs)]
            results.append_rows(table, rows)
            for row in rows:
                events.write(row)
            checkpoints.save(step, state)


class _Advance:
    """Calls a group's compiled program, in slices short enough for the progress bar to move."""

    def __init__(self, group: _Group, mesh: Any, hyper: Any, seeds: Any, inputs: RunInputs) -> None:
        self._call = lambda state, start, size, measuring: advance_group(
            group.spec,
            mesh,
            hyper,
            seeds,
            state,
            inputs,
            np.asarray(start, np.int32),
            np.asarray(size, np.int32),
            np.bool_(measuring),
        )
        self.slice_steps = 1

    def train(self, state: Any, start: int, size: int) -> Any:
        """Takes ``size`` steps and adapts the next slice to how long they took."""
        began = time.perf_counter()
        state, _ = jax.block_until_ready(self._call(state, start, size, measuring=False))
        per_step = (time.perf_counter() - began) / size
        # At most doubling: the first call of all may have compiled.
        self.slice_steps = max(1, min(2 * size, round(_SLICE_SECONDS / per_step)))
        return state

    def measure(self, state: Any, step: int) -> tuple[Any, dict[str, np.ndarray]]:
        """Measures every run."""
        state, measured = self._call(state, step, 0, measuring=True)
        return state, jax.device_get({**measured, "diverged": state.diverged})


def _row(group: _Group, run: Run, position: int, step: int, measured: dict[str, np.ndarray]) -> dict[str, Any]:
    """A run's row of the results table at one checkpoint."""
    values = {name: value[position] for name, value in measured.items()}
    diverged = bool(values.pop("diverged"))
    place = {"run": run.index, "step": step, "epoch": step / group.steps_per_epoch, "diverged": diverged}
    return place | run.columns() | values
