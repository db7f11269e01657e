"""The trained networks that a sweep leaves behind: the newest state of each run."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import ml_collections
import numpy as np

from ncjax import models
from ncjax.data import Dataset, normalize
from ncjax.files import read_object
from ncjax.paths import StrPath
from ncjax.sweep.launch.group import static_training
from ncjax.sweep.launch.preparation import prepare
from ncjax.sweep.plan.config import default_config, read_config
from ncjax.sweep.plan.sweep_plan import Run
from ncjax.sweep.workdir.checkpoints import GroupCheckpoints, group_checkpoints
from ncjax.sweep.workdir.ledger import read_ledger
from ncjax.sweep.workdir.network import Network, read_network
from ncjax.training import RunState, TrainSpec, init_run, map_chunks


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
    workdir = Path(workdir)
    ledger = read_ledger(workdir)
    if ledger is None:
        raise FileNotFoundError(f"--workdir: {workdir} holds no sweep; expected one written by experiments.sweep")
    runs = runs or range(len(ledger.runs))
    if unknown := [run for run in runs if not 0 <= run < len(ledger.runs)]:
        raise ValueError(f"--run: got {unknown[0]}, expected one of the runs 0..{len(ledger.runs) - 1} of {workdir}")
    config = _read_config(workdir)
    plan = read_config(config)
    planned = ledger.numbered(plan.runs)
    with_data = functools.cache(lambda: prepare(config, workdir))
    number_of = {run: number for number, members in ledger.groups.items() for run in members.runs}
    groups: dict[int, tuple[Network, int, RunState]] = {}
    for run in runs:
        number = number_of[run]
        members = tuple(planned[member] for member in ledger.groups[number].runs)
        if number not in groups:
            directory = group_checkpoints(workdir, number)
            # A workdir of an earlier version has to look at its data.
            network = read_network(directory) or with_data().group(ledger, number).network
            # One group at a time: its states may be large.
            groups = {
                number: (
                    network,
                    *_read_states(directory, members, static_training(plan, members[0], network), network),
                )
            }
        network, step, states = groups[number]
        position = ledger.groups[number].runs.index(run)
        yield TrainedRun(
            number=run,
            model=models.build(network.model, network.num_classes),
            state=jax.tree.map(lambda leaf, position=position: leaf[position], states),
            step=step,
            settings=ledger.runs[run],
            network=network,
            load=lambda members=members: with_data().view(members).dataset,
        )


def _read_states(directory: Path, runs: tuple[Run, ...], train: TrainSpec, network: Network) -> tuple[int, RunState]:
    """The step of a group's newest states, and these."""
    # Opening makes a directory that is not there.
    if not directory.is_dir():
        raise FileNotFoundError(f"--workdir: {directory} is not there; expected the checkpoints of its runs")
    seed = jax.ShapeDtypeStruct((), np.int32)
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
    path = Path(workdir) / "config.json"
    return tuple(read_object(path).get("plugins", ())) if path.is_file() else ()


def _read_config(workdir: Path) -> ml_collections.ConfigDict:
    """The config that a workdir describes."""
    config, path = default_config(), workdir / "config.json"
    content = read_object(path)
    for section, old in ((content, "sweeps"), (content.get("sweep"), "zipped")):
        if isinstance(section, dict) and section.pop(old, None):
            raise ValueError(
                f"--workdir: {path}: {old!r} is of an earlier version; go on with this sweep under a config that says "
                f"the same in config.sweep.points, and it is read again"
            )
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
