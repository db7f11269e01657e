"""The trained networks that a sweep leaves behind: the newest state of each run."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import ml_collections
import numpy as np

from ncjax import models
from ncjax.data import Dataset, normalize
from ncjax.sweep.checkpoints import GroupCheckpoints
from ncjax.sweep.config import default_config
from ncjax.sweep.group import Group
from ncjax.sweep.ledger import read_ledger
from ncjax.sweep.prepared import prepare
from ncjax.sweep.program import init_group, stack_runs
from ncjax.sweep.storage import read_object
from ncjax.training import RunState, map_chunks


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run as a sweep left it.

    Attributes:
      number: of the run in the results table.
      model: its network; ``model.apply(state.variables, images)`` gives logits and taps.
      state: its newest saved state, as NumPy arrays.
      step: at which it was saved.
      settings: its hyper-parameters, as in the results table.
      dataset: that it was trained on.
    """

    number: int
    model: nn.Module
    state: RunState
    step: int
    settings: dict[str, Any]
    dataset: Dataset

    def embed(self, images: np.ndarray, chunk: int = 256) -> np.ndarray:
        """The embedding of images of its data set.

        Args:
          images: uint8 [n, h, w, c].
          chunk: images at once.

        Returns:
          float32 [n, d].
        """
        return np.asarray(_embed(self.model, chunk, self.state.variables, self.dataset.mean, self.dataset.std, images))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _embed(model: nn.Module, chunk: int, variables: Any, mean: Any, std: Any, images: Any) -> Any:
    """Compiled once for all runs of one network."""

    def forward(part: Any) -> dict[str, Any]:
        return {"embedding": model.apply(variables, normalize(part, mean, std))[1]["embedding"]}

    return map_chunks(forward, images, chunk)["embedding"]


def read_run(workdir: Path, run: int) -> TrainedRun:
    """Reads the newest state of a run, the final one if its sweep is finished.

    Args:
      workdir: of a sweep.
      run: its number in the results table.

    Returns:
      Network, state and data.

    Raises:
      FileNotFoundError: if there is no sweep, or nothing of the run is saved yet.
      ValueError: if the sweep has no such run.
    """
    return next(read_runs(workdir, [run]))


def read_runs(workdir: Path, runs: Sequence[int] = ()) -> Iterator[TrainedRun]:
    """Reads the newest states of runs one after the other; the data, which all share, is read once.

    Args:
      workdir: of a sweep.
      runs: their numbers in the results table; none for all.

    Yields:
      Network, state and data of each.

    Raises:
      FileNotFoundError: if there is no sweep, or nothing of a run is saved yet.
      ValueError: if the sweep has no such run.
    """
    ledger = read_ledger(workdir)
    if ledger is None:
        raise FileNotFoundError(f"--workdir: {workdir} holds no sweep; expected one written by experiments.sweep")
    runs = runs or range(len(ledger.runs))
    if unknown := [run for run in runs if not 0 <= run < len(ledger.runs)]:
        raise ValueError(f"--run: got {unknown[0]}, expected one of the runs 0..{len(ledger.runs) - 1} of {workdir}")
    sweep = prepare(_read_config(workdir), workdir)
    number_of = {run: number for number, members in ledger.groups.items() for run in members.runs}
    groups: dict[int, tuple[Group, int, RunState]] = {}
    for run in runs:
        number = number_of[run]
        if number not in groups:
            # One group at a time: its states may be large.
            groups = {number: _read_group(sweep.group(ledger, number), workdir)}
        group, step, states = groups[number]
        position = ledger.groups[number].runs.index(run)
        yield TrainedRun(
            number=run,
            model=models.build(group.spec.train.model, group.spec.train.num_classes),
            state=jax.tree.map(lambda leaf, position=position: leaf[position], states),
            step=step,
            settings=ledger.runs[run],
            dataset=sweep.view(group.runs).dataset,
        )


def _read_group(group: Group, workdir: Path) -> tuple[Group, int, RunState]:
    """A group, the step of its newest states, and these."""
    directory = group.checkpoints(workdir)
    # Opening makes a directory that is not there.
    if not directory.is_dir():
        raise FileNotFoundError(f"--workdir: {directory} is not there; expected the checkpoints of its runs")
    stacked = stack_runs(group.mesh, [each.hyper for each in group.runs], [each.seed for each in group.runs])
    like = jax.eval_shape(functools.partial(init_group, group.spec, group.mesh), *stacked)
    with GroupCheckpoints(directory) as checkpoints:
        step, states, _ = checkpoints.restore(like, len(group.runs))
    return group, step, states


def _read_config(workdir: Path) -> ml_collections.ConfigDict:
    """The config that a workdir describes."""
    config, path = default_config(), workdir / "config.json"
    content = read_object(path)
    with config.ignore_type():
        try:
            config.update(_tuples(content))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"--workdir: {path}: {reason}; restore the file") from None
    return config


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value
