"""Source geometric complexity against collapse and few-shot accuracy on target classes."""

import pandas as pd
from matplotlib.figure import Figure

from ncjax.report.scatter import Panel, draw_scatter, run_counts
from ncjax.report.style import Plate

_COMPLEXITY = ("train/geometric_complexity", "geometric complexity (source)")
PANELS = (
    Panel(_COMPLEXITY[0], "target/cdnv", _COMPLEXITY[1], "CDNV (target classes)"),
    Panel(_COMPLEXITY[0], "target/accuracy_5shot", _COMPLEXITY[1], "5-shot accuracy (target classes)", log_y=False),
)


def draw(table: pd.DataFrame) -> Figure:
    """Draws source GC against target CDNV and against 5-shot accuracy, one point a run.

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
        "Geometric complexity on the source classes against CDNV (left) and 5-shot accuracy (right) on target classes "
        "that were never trained on, at the end of training, one point a run; ρ is Spearman's, bars are the 95% "
        f"interval over episodes. {run_counts(table)}"
    )


def _alt(table: pd.DataFrame) -> str:
    del table
    return "Scatter of source geometric complexity against target CDNV and 5-shot accuracy, one point a run."


PLATE = Plate(
    "complexity_and_transfer", "Source complexity against transfer", ("A5",),
    ("train/geometric_complexity", "target/cdnv"), draw, _caption, _alt,
)  # fmt: skip
