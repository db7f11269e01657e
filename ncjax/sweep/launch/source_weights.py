"""Runs that start from another sweep's checkpoint, whose weights a workdir keeps: resumed, it begins with the same."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from ncjax import models
from ncjax.files import replace_arrays
from ncjax.sweep.launch.preparation import Sweep
from ncjax.sweep.launch.trained_runs import read_run
from ncjax.sweep.program import hosts
from ncjax.training import InitSpec, TrainedWeights, transplant

FILE_NAME = "init.npz"
"""The weights that a sweep's runs start from, by names such as ``params/block1/conv/kernel``."""


def with_source(sweep: Sweep, workdir: Path) -> Sweep:
    """Reads the weights that a sweep's runs start from, and finds, before anything is written, whether they fit.

    Args:
        sweep: prepared.
        workdir: where it is to run.

    Returns:
        The sweep with these weights: those that it began with, or else the newest of the run that its config names.

    Raises:
        OSError: if there is no such run, or nothing of it is saved yet.
        ValueError: if there is no such run in the sweep, or its network is another.
    """
    init = sweep.plan.init
    if not init.active:
        return sweep
    try:
        source = _shared(lambda: _kept(workdir) or _newest(init))
    except (ValueError, FileNotFoundError) as error:
        raise type(error)(f"config.init: {error}") from None
    image_shape = sweep.dataset.train.images.shape[1:]
    for spec in {run.train.model for run in sweep.plan.runs}:
        model = models.build(spec, sweep.dataset.train.num_classes)
        fresh = jax.eval_shape(lambda model=model: models.initialise(model, jax.random.key(0), image_shape))
        try:
            jax.eval_shape(lambda fresh=fresh: [transplant(fresh[part], source[part]) for part in source])
        except ValueError as error:
            raise ValueError(f"config.init.{error}") from None
    return dataclasses.replace(sweep, source=source)


def keep_source(sweep: Sweep, workdir: Path) -> None:
    """Writes the weights that a sweep's runs start from, unless they are there.

    Args:
        sweep: with these weights.
        workdir: of the sweep, locked.
    """
    if sweep.source is not None and _kept(workdir) is None:
        replace_arrays(workdir / FILE_NAME, traverse_util.flatten_dict(sweep.source, sep="/"))


def _shared(read: Callable[[], TrainedWeights]) -> TrainedWeights:
    """What the first process reads, on all."""

    def flat() -> tuple[list[str], list[np.ndarray]]:
        arrays = traverse_util.flatten_dict(read(), sep="/")
        return list(arrays), list(arrays.values())

    names, arrays = hosts.shared_arrays(flat)
    return _nested(dict(zip(names, arrays, strict=True)))


def _kept(workdir: Path) -> TrainedWeights | None:
    """The weights that a sweep began with; without a config the workdir counts as free."""
    path = workdir / FILE_NAME
    if not (path.is_file() and (workdir / "config.json").is_file()):
        return None
    with np.load(path) as arrays:
        return _nested(dict(arrays))


def _newest(init: InitSpec) -> TrainedWeights:
    state = read_run(Path(init.workdir), init.run).state
    return _nested(traverse_util.flatten_dict({"params": state.params, "batch_stats": state.batch_stats}, sep="/"))


def _nested(arrays: dict[str, np.ndarray]) -> TrainedWeights:
    weights: dict[str, Any] = traverse_util.unflatten_dict(arrays, sep="/")
    return {"params": weights["params"], "batch_stats": weights.get("batch_stats", {})}
