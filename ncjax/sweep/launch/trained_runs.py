"""The trained networks that a sweep leaves behind: the newest state of each run."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from ncjax import models
from ncjax.data import Dataset, normalize
from ncjax.paths import StrPath
from ncjax.sweep.launch.datasets import load_dataset, load_variant
from ncjax.sweep.launch.group import static_training
from ncjax.sweep.plan.config import read_config
from ncjax.sweep.plan.sweep_plan import Run, SweepPlan
from ncjax.sweep.workdir.checkpoints import GroupCheckpoints
from ncjax.sweep.workdir.network import Network, network_for
from ncjax.sweep.workdir.workdir import Workdir
from ncjax.training import RunState, init_run, map_chunks


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run as a sweep left it.

    Attributes:
        number: of the run in the results table.
        model: its network; ``model.apply(state.variables, images)`` gives logits and taps.
        state: its newest saved state, as NumPy arrays.
        step: at which it was saved.
        settings: its hyper-parameters, as in the results table.
        network: what the model was built from, and how its images are normalised.
        load: reads the data set that it was trained on.
    """

    number: int
    model: nn.Module
    state: RunState
    step: int
    settings: dict[str, Any]
    network: Network
    load: Callable[[], Dataset]

    @property
    def dataset(self) -> Dataset:
        """The data set that it was trained on; read when it is first asked for."""
        return self.load()

    def embed(self, images: np.ndarray, chunk: int = 256) -> np.ndarray:
        """The embedding of images like those of its data set.

        Args:
            images: uint8 [n, h, w, c].
            chunk: images at once.

        Returns:
            float32 [n, d].
        """
        return np.asarray(_embed(self.model, chunk, self.state.variables, self.network.mean, self.network.std, images))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _embed(model: nn.Module, chunk: int, variables: Any, mean: Any, std: Any, images: Any) -> Any:
    """Compiled once for all runs of one network."""

    def forward(part: Any) -> dict[str, Any]:
        return {"embedding": model.apply(variables, normalize(part, mean, std))[1]["embedding"]}

    return map_chunks(forward, images, chunk)["embedding"]


def read_run(workdir: StrPath, run: int) -> TrainedRun:
    """Reads the newest state of a run, the final one if its sweep is finished.

    Args:
        workdir: of a sweep.
        run: its number in the results table.

    Returns:
        Network and state; the data is read when it is asked for.

    Raises:
        FileNotFoundError: if there is no sweep, or nothing of the run is saved yet.
        ValueError: if the sweep has no such run.
    """
    return next(read_runs(workdir, [run]))


def read_runs(workdir: StrPath, runs: Sequence[int] = ()) -> Iterator[TrainedRun]:
    """Reads the newest states of runs one after the other; their data, when it is first asked for.

    Args:
        workdir: of a sweep.
        runs: their numbers in the results table; none for all.

    Yields:
        Network and state of each.

    Raises:
        FileNotFoundError: if there is no sweep, or nothing of a run is saved yet.
        ValueError: if the sweep has no such run.
    """
    place = Workdir(workdir)
    ledger = place.ledger()
    if ledger is None:
        raise FileNotFoundError(f"--workdir: {workdir} holds no sweep; expected one written by experiments.sweep")
    runs = runs or range(len(ledger.runs))
    if unknown := [run for run in runs if not 0 <= run < len(ledger.runs)]:
        raise ValueError(f"--run: got {unknown[0]}, expected one of the runs 0..{len(ledger.runs) - 1} of {workdir}")
    plan = read_config(place.config())
    planned = ledger.numbered(plan.runs)
    load = functools.cache(lambda options: load_variant(plan, load_dataset(plan.data), options))
    number_of = {run: number for number, members in ledger.groups.items() for run in members.runs}
    groups: dict[int, tuple[Network, int, RunState]] = {}
    for run in runs:
        number = number_of[run]
        members = tuple(planned[member] for member in ledger.groups[number].runs)
        if number not in groups:
            # A workdir of an earlier version has to look at its data.
            model, options = members[0].train.model, members[0].data
            network = place.network(number) or network_for(model, load(options))
            # One group at a time: its states may be large.
            groups = {number: (network, *_read_states(place.checkpoints_path(number), plan, members, network))}
        network, step, states = groups[number]
        position = ledger.groups[number].runs.index(run)
        yield TrainedRun(
            number=run,
            model=models.build(network.model, network.num_classes),
            state=jax.tree.map(lambda leaf, position=position: leaf[position], states),
            step=step,
            settings=ledger.runs[run],
            network=network,
            load=functools.partial(load, members[0].data),
        )


def _read_states(directory: Path, plan: SweepPlan, runs: tuple[Run, ...], network: Network) -> tuple[int, RunState]:
    """The step of a group's newest states, and these."""
    # Opening makes a directory that is not there.
    if not directory.is_dir():
        raise FileNotFoundError(f"--workdir: {directory} is not there; expected the checkpoints of its runs")
    train, seed = static_training(plan, runs[0], network), jax.ShapeDtypeStruct((), np.int32)
    one = jax.eval_shape(lambda seed: init_run(train, runs[0].hyper, seed, network.image_shape), seed)
    like = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((len(runs), *leaf.shape), leaf.dtype), one)
    with GroupCheckpoints(directory) as checkpoints:
        step, states, _ = checkpoints.restore(like, len(runs))
    return step, states


def recorded_plugins(workdir: StrPath) -> tuple[str, ...]:
    """The modules of others that a sweep was run with.

    Args:
        workdir: of a sweep.

    Returns:
        Names for ``ncjax.plugins.import_plugins``; none where no config is recorded.
    """
    return Workdir(workdir).plugins()
