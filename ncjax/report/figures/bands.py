"""Curves over several runs: the mean as a line, the range of the runs as a band."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ncjax.report.figures.style import DATA_ID

# Okabe and Ito's colours, which colour-blind readers tell apart; dashes tell them apart in grey print.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))


def draw_band(
    axes: Axes, rows: pd.DataFrame, x: str, y: str, number: int, *, label: str = "", geometric: bool = True
) -> None:
    """Draws the mean of a quantity at each value of another, and a band from the smallest to the largest.

    Args:
        axes: to draw on.
        rows: one row a run and value of ``x``.
        x: column on the horizontal axis.
        y: column on the vertical axis.
        number: of the curve, for its colour and dashes.
        label: for the legend.
        geometric: whether the mean is a geometric one; then values that are not positive take no part.

    Examples:
        >>> from ncjax.report.figures.style import panels
        >>> figure, grid = panels(1, 1)
        >>> draw_band(grid[0, 0], pd.DataFrame({"epoch": [1, 1], "a/x": [1.0, 4.0]}), "epoch", "a/x", 0)
        >>> grid[0, 0].lines[0].get_ydata().tolist()
        [2.0]
    """
    known = rows[rows[y].notna() & ((rows[y] > 0) | (not geometric))]
    if known.empty:
        return
    groups = known.assign(**{y: np.log(known[y]) if geometric else known[y]}).groupby(x)[y]
    back = np.exp if geometric else np.asarray
    colour = COLOURS[number % len(COLOURS)]
    middle = back(groups.mean().to_numpy(dtype=np.float64))
    places = groups.mean().index.to_numpy(dtype=np.float64)
    axes.fill_between(places, back(groups.min()), back(groups.max()), color=colour, alpha=0.16, linewidth=0)
    axes.plot(
        places, middle, color=colour, linestyle=DASHES[number % len(DASHES)], label=label or None, zorder=3,
        marker="o", markersize=3, gid=f"{DATA_ID}/{y}",
    )  # fmt: skip


def legend_beside(axes: Axes) -> None:
    """Puts the legend to the right of a panel, if there is anything to say.

    Args:
        axes: of the panel.

    Examples:
        >>> from ncjax.report.figures.style import panels
        >>> legend_beside(panels(1, 1)[1][0, 0])
    """
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
