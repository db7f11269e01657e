"""Variance on train and test against the number of train samples."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ncjax.claims import count_lost, final_rows
from ncjax.report.figures.bands import draw_band, legend_beside
from ncjax.report.figures.scatter import drawn_runs
from ncjax.report.figures.style import ReportFigure, house_style, log_ticks, panels

PANELS = {
    "variance / squared distance of means": {
        "train/variance_ratio": "train",
        "test/variance_ratio": "test",
        "test/weak_variance": "test, weak",
        "test/strong_variance": "test, strong",
    },
    "error": {"test/error": "classifier (test)", "test/ncc_error": "nearest class mean (test)"},
}


def draw(table: pd.DataFrame) -> Figure:
    """Draws variances (left) and test errors (right) at the end of training against the number of train samples.

    Args:
        table: the results table.

    Returns:
        The figure: geometric means over the runs in the terminal phase with bands from the smallest to the largest.

    Examples:
        >>> table = pd.DataFrame({"run": range(2), "step": 9, "train/error": 0.0, "train_samples": [10, 20],
        ...                       "test/variance_ratio": [1.0, 0.5]})
        >>> len(draw(table).axes)
        2
    """
    final = _settled(table)
    with house_style():
        figure, grid = panels(1, 2)
        figure.set_figwidth(9.4)
        for axes, (label, columns) in zip(grid[0], PANELS.items(), strict=True):
            for number, (column, name) in enumerate(columns.items()):
                if column in final:
                    draw_band(axes, final, "train_samples", column, number, label=name)
            axes.set_xscale("log")
            axes.set_yscale("log")
            # The sizes themselves: those between were not run.
            sizes = sorted(final["train_samples"].unique())
            axes.set_xticks(sizes, [f"{size:,.0f}" for size in sizes])
            axes.xaxis.set_minor_locator(NullLocator())
            log_ticks(axes, "y")
            axes.set_xlabel("train samples")
            axes.set_ylabel(label)
            legend_beside(axes)
    return figure


def _settled(table: pd.DataFrame) -> pd.DataFrame:
    final = drawn_runs(table)
    return final[final["terminal"]] if final["terminal"].any() else final


def _caption(table: pd.DataFrame) -> str:
    count, lost = len(_settled(table)), count_lost(final_rows(table)["lost"]).lost
    return (
        "Variances (left) and errors on test (right) at the end of training against the number of train samples. "
        f"Lines: geometric means over {count} runs in the terminal phase ({lost} and left out); "
        "bands: from the smallest to the largest."
    )


def _alt(table: pd.DataFrame) -> str:
    del table
    return "Curves of train and test variance, and of test errors, against the number of train samples."


FIGURE = ReportFigure(
    "sample_size",
    "Variance against sample size",
    ("B3",),
    ("train_samples", "test/variance_ratio"),
    draw,
    _caption,
    _alt,
)
