"""Flatness of the loss against geometric complexity at the end of training."""

import pandas as pd
from matplotlib.figure import Figure

from ncjax.report.scatter import Panel, draw_scatter, run_counts
from ncjax.report.style import Plate

_COMPLEXITY = ("train/geometric_complexity", "geometric complexity")
PANELS = (
    Panel("train/loss_gradient_norm", _COMPLEXITY[0], "norm of the loss gradient", _COMPLEXITY[1]),
    Panel("train/hessian_trace", _COMPLEXITY[0], "trace of the loss's Hessian", _COMPLEXITY[1]),
    Panel("train/sam_sharpness", _COMPLEXITY[0], "sharpness", _COMPLEXITY[1]),
)


def draw(table: pd.DataFrame) -> Figure:
    """Draws GC against three measures of flatness, one point a run.

    Args:
        table: the results table.

    Returns:
        The figure.

    Example:
        >>> len(draw(pd.DataFrame({"run": [0], "step": [1], "train/error": [0.0]})).axes)
        3
    """
    return draw_scatter(table, PANELS)


def _caption(table: pd.DataFrame) -> str:
    return (
        "Norm of the loss gradient, trace of the loss's Hessian and sharpness (rise of the loss one small step up its "
        "gradient), on train images and without regularisers, against the geometric complexity of the embedding at the "
        f"end of training, one point a run; ρ is Spearman's. {run_counts(table)}"
    )


def _alt(table: pd.DataFrame) -> str:
    del table
    return "Scatter of three measures of flatness against geometric complexity, one point a run."


PLATE = Plate(
    "flatness", "Flatness against complexity at the end of training", ("A6",),
    ("train/loss_gradient_norm", "train/geometric_complexity"), draw, _caption, _alt,
)  # fmt: skip
