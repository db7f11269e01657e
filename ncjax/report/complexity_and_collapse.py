"""Geometric complexity against collapse on the train set at the end of training."""

import pandas as pd
from matplotlib.figure import Figure

from ncjax.report.scatter import Panel, draw_scatter, run_counts
from ncjax.report.style import Plate

_COMPLEXITY = ("train/geometric_complexity", "geometric complexity")
PANELS = (
    Panel(_COMPLEXITY[0], "train/cdnv", _COMPLEXITY[1], "CDNV (train)"),
    Panel(_COMPLEXITY[0], "train/geometric_collapse_tight", _COMPLEXITY[1], "geometric collapse (tight)"),
)


def draw(table: pd.DataFrame) -> Figure:
    """Draws GC against CDNV and against geometric collapse, one point a run.

    Args:
        table: the results table.

    Returns:
        The figure.

    Example:
        >>> len(draw(pd.DataFrame({"run": [0], "step": [1], "train/error": [0.0]})).axes)
        2
    """
    return draw_scatter(table, PANELS)


def _caption(table: pd.DataFrame) -> str:
    return (
        "Geometric complexity of the embedding against CDNV (left) and geometric collapse (right) on the train set at "
        f"the end of training, one point a run; ρ is Spearman's. {run_counts(table)}"
    )


def _alt(table: pd.DataFrame) -> str:
    del table
    return "Scatter of geometric complexity against train CDNV and geometric collapse, one point a run."


PLATE = Plate(
    "complexity_and_collapse", "Complexity against collapse at the end of training", ("A1",),
    ("train/geometric_complexity", "train/cdnv"), draw, _caption, _alt,
)  # fmt: skip
