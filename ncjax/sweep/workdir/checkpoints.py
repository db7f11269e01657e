"""The state of a group of runs on disk, by Orbax, written while training goes on."""

import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from ncjax.paths import StrPath

KEPT = 2
"""Newest checkpoints of a group that are kept: should the newest be damaged, the one before it serves."""


class GroupCheckpoints:
    """Checkpoints of one group: saved asynchronously, the newest kept, a half-written one never seen.

    A context manager: leaving it waits for what is still being written.
    """

    def __init__(self, directory: StrPath) -> None:
        """Opens (or makes) a directory of checkpoints."""
        self._directory = Path(directory).absolute()
        self._directory.mkdir(parents=True, exist_ok=True)
        # Where several processes run one sweep, this one alone has checkpoints: Orbax must not wait for the others.
        alone = ocp.options.MultiprocessingOptions(
            primary_host=jax.process_index(),
            active_processes={jax.process_index()},
            barrier_sync_key_prefix=self._directory.name,
        )
        options = ocp.CheckpointManagerOptions(
            max_to_keep=KEPT,
            create=False,
            enable_async_checkpointing=True,
            cleanup_tmp_directories=True,
            multiprocessing_options=alone if jax.process_count() > 1 else ocp.options.MultiprocessingOptions(),
        )
        # Without a handler Orbax guesses how to read from the newest checkpoint, which may be the damaged one.
        handler = ocp.StandardCheckpointHandler()
        self._manager = ocp.CheckpointManager(self._directory, options=options, item_handlers=handler)

    def __enter__(self) -> "GroupCheckpoints":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._manager.wait_until_finished()
        finally:
            self._manager.close()

    def latest_step(self) -> int | None:
        """The step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any) -> None:
        """Begins to write a state; its arrays are copied before this returns, so they may be donated afterwards.

        A state that is there already (measuring leaves it as it is) is not written again.
        """
        if step != self.latest_step():
            self._manager.save(step, args=ocp.args.StandardSave(jax.tree.leaves(state)))

    def wait(self) -> None:
        """Waits until what was saved is on the disk."""
        self._manager.wait_until_finished()

    def restore(self, like: Any, num_runs: int) -> tuple[int, Any, str | None]:
        """Reads the state of a group's runs from the newest checkpoint that can be read.

        A damaged one is removed once an older one has been read.

        Args:
            like: a pytree of arrays (or their shapes) of the same structure, with any number of runs.
            num_runs: that the checkpoints hold.

        Returns:
            The step, the state with ``num_runs`` runs as NumPy arrays, and what was damaged, in words, or None.

        Raises:
            ValueError: if none can be read.
        """
        damaged: list[int] = []
        reason: Exception | None = None
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                state = self._read(step, like, num_runs)
            except Exception as error:  # whatever the storage libraries raise for files that are not what they were
                damaged.append(step)
                reason = reason or error
                continue
            for bad in damaged:
                shutil.rmtree(self._directory / str(bad))
            if damaged:
                self._manager.reload()
            said = f"the checkpoint at step {damaged[0]} is damaged; going on from step {step}" if damaged else None
            return step, state, said
        first_line = str(reason).strip().partition("\n")[0]
        raise ValueError(
            f"--workdir: no checkpoint in {self._directory} can be read ({first_line}); restore that directory, or "
            f"remove it to begin its runs again"
        )

    def _read(self, step: int, like: Any, num_runs: int) -> Any:
        leaves, structure = jax.tree.flatten(like)
        # To the host, whatever devices it was saved on: a sweep may go on with others.
        shapes = [(num_runs, *leaf.shape[1:]) for leaf in leaves]
        blank = [np.broadcast_to(np.zeros((), leaf.dtype), shape) for shape, leaf in zip(shapes, leaves, strict=True)]
        restored = self._manager.restore(step, args=ocp.args.StandardRestore(blank))
        return jax.tree.unflatten(structure, restored)
