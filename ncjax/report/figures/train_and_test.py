"""Variance ratio on train and test through training."""

import pandas as pd
from matplotlib.figure import Figure

from ncjax.report.figures.splits import draw_column, split_legend, value_legend
from ncjax.report.figures.style import ReportFigure, epoch_axis, house_style, log_ticks, panels, value_colours
from ncjax.report.figures.through_time import drawn_rows, excluded_sentence, first_axis, value_groups

QUOTIENT = "test_over_train/variance_ratio"
SPLITS = {"train/variance_ratio": "train", "test/variance_ratio": "test"}


def draw(table: pd.DataFrame) -> Figure:
    """Draws train and test variance ratio (left) and their quotient (right) against epoch.

    Args:
        table: the results table.

    Returns:
        The figure: thin lines are runs, thick lines geometric means over the runs of one value of the first axis.

    Examples:
        >>> table = pd.DataFrame({"run": 0, "step": [0, 1], "epoch": [0.0, 1.0], "learning_rate": 0.1,
        ...                       "train/variance_ratio": [2.0, 1.0], "test/variance_ratio": [2.0, 2.0]})
        >>> len(draw(table).axes)
        2
    """
    rows = drawn_rows(table)
    rows = rows.assign(**{QUOTIENT: rows["test/variance_ratio"] / rows["train/variance_ratio"]})
    axis = first_axis(rows)
    groups = value_groups(rows, axis)
    colours = value_colours([value for value, _ in groups])
    with house_style():
        figure, grid = panels(1, 2)
        left, right = grid[0]
        for column, split in SPLITS.items():
            draw_column(left, groups, colours, column, split)
        draw_column(right, groups, colours, QUOTIENT)
        right.axhline(1, color="#777777", linewidth=0.9, linestyle=":")
        left.set_title("variance ratio")
        right.set_title("test divided by train")
        for panel in (left, right):
            panel.set_yscale("log")
            epoch_axis(panel, rows["epoch"].to_numpy(float))
            log_ticks(panel)
        split_legend(left)
        value_legend(right, colours, axis)
    return figure


def _caption(table: pd.DataFrame) -> str:
    return (
        "Within-class variance over the squared distance of the class means (variance ratio) of the embedding through "
        "training. Left: on train (solid) and test (dashed). Right: test divided by train; above the dotted line test "
        f"is less collapsed. Thin lines: {excluded_sentence(table)}; thick lines: geometric means by colour."
    )


def _alt(table: pd.DataFrame) -> str:
    del table
    return "Curves of the variance ratio on train and test against epoch, and of their quotient."


FIGURE = ReportFigure(
    "train_and_test", "Collapse on train and on test", ("B1",), (*SPLITS, "epoch"), draw, _caption, _alt
)
