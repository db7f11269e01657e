"""When to measure."""

import numpy as np


def checkpoint_steps(
    epochs: float | int, steps_per_epoch: int, checkpoints: int, first_epoch: float | int
) -> tuple[int, ...]:
    """Steps at which a run is measured: before training, then log-spaced in epochs up to the end.

    The epochs do not depend on the batch size, so that runs of different groups can be compared at equal epochs.

    Args:
      epochs: passes over the train split.
      steps_per_epoch: of the group.
      checkpoints: how many, the one before training included; fewer come back where steps would coincide.
      first_epoch: epoch of the second checkpoint.

    Returns:
      Ascending steps, the first 0 and the last the end of training.

    Example:
      >>> checkpoint_steps(epochs=8, steps_per_epoch=10, checkpoints=5, first_epoch=1)
      (0, 10, 20, 40, 80)
    """
    at_epochs = np.geomspace(epochs, first_epoch, checkpoints - 1)
    steps = np.unique(np.maximum(1, np.rint(at_epochs * steps_per_epoch).astype(int)))
    return (0, *(int(step) for step in steps))
