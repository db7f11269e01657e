"""A trained network out of a sweep's checkpoints."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np
import orbax.checkpoint as ocp

from ncjax import data, models
from ncjax.sweep.config import SweepPlan, default_config, read_config
from ncjax.sweep.grid import Run, groups


@dataclass(frozen=True, eq=False)
class RestoredRun:
    """A run of a sweep as its last checkpoint holds it.

    Attributes:
      run: its place in the grid.
      step: of the checkpoint.
      num_classes: that it was trained on.
      variables: ``params`` and ``batch_stats``, as the network's ``apply`` takes them.
    """

    run: Run
    step: int
    num_classes: int
    variables: dict[str, Any]


def read_workdir(workdir: Path) -> SweepPlan:
    """The plan of the sweep that a workdir holds.

    Args:
      workdir: of a sweep.

    Returns:
      Its config, read and checked.

    Raises:
      OSError: if there is no sweep.
      ValueError: if its config cannot be read.
    """
    path = workdir / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no sweep here; expected the workdir of experiments.sweep")
    config = default_config()
    try:
        with config.unlocked():
            config.update(ml_collections.ConfigDict(_with_tuples(json.loads(path.read_text(encoding="utf-8")))))
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not a config of this version ({error})") from None
    return read_config(config)


def restore_run(workdir: Path, plan: SweepPlan, run: int, dataset: data.Dataset) -> RestoredRun:
    """Reads the network of a run from the last checkpoint of its group.

    Args:
      workdir: of the sweep.
      plan: of ``read_workdir``.
      run: its number.
      dataset: that the sweep trained on, for the shapes.

    Returns:
      The trained network's variables, on the host.

    Raises:
      ValueError: if there is no such run, no checkpoint, or the checkpoint is of another network.
    """
    for number, members in enumerate(groups(plan.runs)):
        for position, member in enumerate(members):
            if member.index == run:
                directory = workdir / "checkpoints" / f"group_{number:03d}"
                return _restore(directory, position, member, dataset)
    raise ValueError(f"--run: got {run}, expected one of the runs 0..{len(plan.runs) - 1} of {workdir}")


def _restore(directory: Path, position: int, run: Run, dataset: data.Dataset) -> RestoredRun:
    step, leaves = _newest_leaves(directory)
    num_classes = dataset.train.num_classes
    model = models.build(run.model, num_classes)
    image_shape = dataset.train.images.shape[1:]
    like = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), image_shape))
    # A state's leaves are in the order of its fields, of which these two are the first.
    shapes, structure = jax.tree.flatten((like["params"], like["batch_stats"]))
    found = [np.asarray(leaf[position]) for leaf in leaves[: len(shapes)]]
    for shape, leaf in zip(shapes, found, strict=True):
        if shape.shape != leaf.shape:
            raise ValueError(f"{directory}: holds an array {leaf.shape} where the network has {shape.shape}")
    params, batch_stats = jax.tree.unflatten(structure, found)
    return RestoredRun(run, step, num_classes, {"params": params, "batch_stats": batch_stats})


def _newest_leaves(directory: Path) -> tuple[int, list[Any]]:
    # A checkpoint that is still being written has another name than its step's.
    steps = [int(path.name) for path in directory.iterdir() if path.name.isdigit()] if directory.is_dir() else []
    if not steps:
        raise ValueError(f"{directory}: no checkpoint; expected that of a sweep that has begun")
    path = directory.absolute() / str(max(steps)) / "default"
    with ocp.StandardCheckpointer() as checkpointer:
        stored = jax.tree.leaves(checkpointer.metadata(path).item_metadata.tree)
        # To the host: the devices that it was saved on need not be here.
        blank = [np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape) for leaf in stored]
        return max(steps), checkpointer.restore(path, blank)


def _with_tuples(tree: Any) -> Any:
    """What JSON has made of a config, lists back to tuples."""
    if isinstance(tree, dict):
        return {name: _with_tuples(value) for name, value in tree.items()}
    return tuple(_with_tuples(value) for value in tree) if isinstance(tree, list) else tree
