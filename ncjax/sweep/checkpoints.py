"""The state of a group of runs on disk, by Orbax, written while training goes on."""

from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp
from jax.sharding import SingleDeviceSharding


class GroupCheckpoints:
    """Checkpoints of one group: saved asynchronously, the newest kept, a half-written one never seen.

    A context manager: leaving it waits for what is still being written.
    """

    def __init__(self, directory: Path) -> None:
        """Opens (or makes) a directory of checkpoints."""
        options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True, enable_async_checkpointing=True)
        self._manager = ocp.CheckpointManager(directory.absolute(), options=options)

    def __enter__(self) -> "GroupCheckpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._manager.wait_until_finished()
        self._manager.close()

    def latest_step(self) -> int | None:
        """The step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any) -> None:
        """Begins to write a state; its arrays are copied before this returns, so they may be donated afterwards."""
        self._manager.save(step, args=ocp.args.StandardSave(jax.tree.leaves(state)))

    def restore(self, step: int, like: Any, num_runs: int) -> Any:
        """Reads the state of a group's runs.

        Args:
          step: of the checkpoint.
          like: a pytree of arrays of the same structure, with any number of runs.
          num_runs: that the checkpoint holds.

        Returns:
          The state with ``num_runs`` runs, on the first device.
        """
        leaves, structure = jax.tree.flatten(like)
        # Not the sharding that was saved: a sweep may go on with another number of devices.
        device = SingleDeviceSharding(jax.devices()[0])
        shapes = [(num_runs, *leaf.shape[1:]) for leaf in leaves]
        abstract = [
            jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=device) for shape, leaf in zip(shapes, leaves, strict=True)
        ]
        restored = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        return jax.tree.unflatten(structure, restored)
