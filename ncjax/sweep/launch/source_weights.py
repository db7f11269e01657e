"""Runs that start from another sweep's checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from ncjax import models
from ncjax.data import Dataset
from ncjax.sweep.launch.trained_runs import read_run
from ncjax.sweep.plan.sweep_plan import SweepPlan
from ncjax.sweep.program import hosts
from ncjax.sweep.workdir.workdir import Workdir
from ncjax.training import InitSpec, TrainedWeights, transplant


def read_source(plan: SweepPlan, dataset: Dataset, workdir: Workdir) -> TrainedWeights | None:
    """Reads the weights that a sweep's runs start from, and finds, before anything is written, whether they fit.

    Args:
        plan: of the sweep.
        dataset: to train on.
        workdir: where it is to run.

    Returns:
        Those that it began with, so that it is resumed with the same, or else the newest of the run that its config
        names; None if its runs start from fresh ones.

    Raises:
        OSError: if there is no such run, or nothing of it is saved yet.
        ValueError: if there is no such run in the sweep, or its network is another.
    """
    if not plan.init.active:
        return None
    try:
        source = _shared(lambda: workdir.source() or _newest(plan.init))
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"config.init: {error}") from None
    for spec in {run.train.model for run in plan.runs}:
        model = models.build(spec, dataset.train.num_classes)
        shape = dataset.train.images.shape[1:]
        fresh = jax.eval_shape(lambda model=model, shape=shape: models.initialise(model, jax.random.key(0), shape))
        try:
            jax.eval_shape(lambda fresh=fresh: [transplant(fresh[part], source[part]) for part in source])
        except ValueError as error:
            raise ValueError(f"config.init.{error}") from None
    return source


def _shared(read: Callable[[], TrainedWeights]) -> TrainedWeights:
    """What the first process reads, on all."""

    def flat() -> tuple[list[str], list[np.ndarray]]:
        arrays = traverse_util.flatten_dict(read(), sep="/")
        return list(arrays), list(arrays.values())

    names, arrays = hosts.shared_arrays(flat)
    return _weights(traverse_util.unflatten_dict(dict(zip(names, arrays, strict=True)), sep="/"))


def _newest(init: InitSpec) -> TrainedWeights:
    state = read_run(Path(init.workdir), init.run).state
    return {"params": state.params, "batch_stats": state.batch_stats}


def _weights(nested: dict[str, Any]) -> TrainedWeights:
    # A network without batch normalisation has no statistics, and nothing tells of an empty dict.
    return {"params": nested["params"], "batch_stats": nested.get("batch_stats", {})}
