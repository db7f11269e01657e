"""The papers' training recipes and the rows of their figures, which several experiments share."""

from typing import Any

import ml_collections

ROWS = {
    "learning_rate": (0.005, 0.01, 0.02, 0.05, 0.1),
    "batch_size": (64, 128, 256, 512),
    "l2": (0.0, 1e-4, 2.5e-4, 5e-4, 7.5e-4),
}
"""Values along each row of the GC paper's figures: the strengths of L2 are the paper's, the others our choice."""


def gc_paper_rows(config: ml_collections.ConfigDict, *axes: str) -> None:
    """Plain SGD at rate 0.02 in batches of 256 as the base point, and a sweep along each row through it.

    Args:
        config: to change.
        *axes: names in `ROWS`.
    """
    config.train.batch_size = 256
    config.train.learning_rate = 0.02
    config.sweep.points = rows(**{axis: ROWS[axis] for axis in axes})


def rows(**values: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    """The rows of a figure: along each one axis varies, the others are at their base point, which all rows share.

    Args:
        **values: of each axis along its row.

    Returns:
        For ``config.sweep.points``: each point bears the name of its row.

    Examples:
        >>> rows(l2=(0.0, 0.1))
        ({'sweep': 'l2', 'l2': 0.0}, {'sweep': 'l2', 'l2': 0.1})
    """
    return tuple({"sweep": axis, axis: value} for axis in sorted(values) for value in values[axis])


def terminal_phase(config: ml_collections.ConfigDict) -> None:
    """The recipe of Papyan, Han & Donoho 2020 (arXiv 2008.08186), made to drive collapse far.

    Momentum 0.9, L2 5e-4, batch normalisation, batches of 128, 350 epochs, rate 0.05, divided by ten at each third; 14
    checkpoints.

    Args:
        config: to change.
    """
    config.model.norm = "batch"
    config.train.epochs = 350.0
    config.train.batch_size = 128
    config.train.learning_rate = 0.05
    config.train.momentum = 0.9
    config.train.l2 = 5e-4
    config.train.schedule = "steps"
    config.measure.checkpoints = 14
