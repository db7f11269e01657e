"""The state of a group of runs on disk, by Orbax, written while training goes on."""

from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import orbax.checkpoint as ocp


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

    def restore(self, step: int, like: Any) -> Any:
        """Reads a state.

        Args:
          step: of the checkpoint.
          like: a pytree of arrays (or ``ShapeDtypeStruct`` with shardings) of the same structure.

        Returns:
          The state, placed on devices as ``like`` is.
        """
        leaves, structure = jax.tree.flatten(like)
        abstract = [jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding) for leaf in leaves]
        restored = self._manager.restore(step, args=ocp.args.StandardRestore(abstract))
        return jax.tree.unflatten(structure, restored)
