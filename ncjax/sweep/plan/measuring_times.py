"""When to measure."""

from collections.abc import Iterable

import numpy as np


def checkpoint_epochs(epochs: float | int, checkpoints: int, first_epoch: float | int) -> tuple[float, ...]:
    """Epochs at which runs are measured: before training, then log-spaced up to the end.

    They do not depend on the batch size, so that runs of different groups can be compared at equal epochs.

    Args:
        epochs: passes over the train split.
        checkpoints: how many, the one before training included.
        first_epoch: epoch of the second checkpoint.

    Returns:
        Ascending epochs, the first 0 and the last the end of training.

    Examples:
        >>> [round(epoch, 3) for epoch in checkpoint_epochs(epochs=8, checkpoints=5, first_epoch=1)]
        [0.0, 1.0, 2.0, 4.0, 8.0]
    """
    return (0.0, *(float(epoch) for epoch in np.geomspace(epochs, first_epoch, checkpoints - 1)[::-1]))


def steps_at(epochs: Iterable[float], steps_per_epoch: int) -> tuple[int, ...]:
    """The steps nearest to epochs, at least 1 for an epoch above 0; fewer come back where steps would coincide.

    Args:
        epochs: ascending, the first 0.
        steps_per_epoch: of the group.

    Returns:
        Ascending steps, the first 0.

    Examples:
        >>> steps_at((0.0, 0.01, 0.5, 8.0), steps_per_epoch=10)
        (0, 1, 5, 80)
    """
    _, *later = epochs
    steps = np.unique(np.maximum(1, np.rint(np.array(later) * steps_per_epoch).astype(int)))
    return (0, *(int(step) for step in steps))


def checkpoint_steps(
    epochs: float | int, steps_per_epoch: int, checkpoints: int, first_epoch: float | int
) -> tuple[int, ...]:
    """Steps at which a run is measured: before training, then log-spaced in epochs up to the end.

    Args:
        epochs: passes over the train split.
        steps_per_epoch: of the group.
        checkpoints: how many, the one before training included; fewer come back where steps would coincide.
        first_epoch: epoch of the second checkpoint.

    Returns:
        Ascending steps, the first 0 and the last the end of training.

    Examples:
        >>> checkpoint_steps(epochs=8, steps_per_epoch=10, checkpoints=5, first_epoch=1)
        (0, 10, 20, 40, 80)
    """
    return steps_at(checkpoint_epochs(epochs, checkpoints, first_epoch), steps_per_epoch)
