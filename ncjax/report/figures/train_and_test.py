"""Variance ratio on train and test through training."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ncjax.claims import axis_name
from ncjax.report.figures.style import (
    DATA_ID,
    ReportFigure,
    epoch_axis,
    faintness,
    house_style,
    log_ticks,
    panels,
    value_colours,
    value_label,
)
from ncjax.report.figures.through_time import (
    drawn_rows,
    excluded_sentence,
    first_axis,
    geometric_mean,
    lone_marker,
    value_groups,
)

QUOTIENT = "test_over_train/variance_ratio"
SPLITS = {"train/variance_ratio": ("train", "-"), "test/variance_ratio": ("test", "--")}


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
    marker = lone_marker(rows)
    faint = faintness(rows["run"].nunique())
    with house_style():
        figure, grid = panels(1, 2)
        left, right = grid[0]
        for value, group in groups:
            for column, (split, dashes) in SPLITS.items():
                for _, run in group.groupby("run"):
                    left.plot(run["epoch"], run[column], dashes, color=colours[value], linewidth=0.6, alpha=faint)
                mean = geometric_mean(group, column)
                left.plot(
                    mean.index,
                    mean,
                    dashes,
                    marker=marker,
                    color=colours[value],
                    zorder=3,
                    gid=f"{DATA_ID}/{split}/{value}",
                )
            for _, run in group.groupby("run"):
                right.plot(run["epoch"], run[QUOTIENT], color=colours[value], linewidth=0.6, alpha=faint)
            mean = geometric_mean(group, QUOTIENT)
            label = str(value) if axis is None else value_label(value)
            right.plot(
                mean.index,
                mean,
                marker=marker,
                color=colours[value],
                zorder=3,
                label=label,
                gid=f"{DATA_ID}/quotient/{value}",
            )
        right.axhline(1, color="#777777", linewidth=0.9, linestyle=":")
        left.set_title("variance ratio")
        right.set_title("test divided by train")
        for panel in (left, right):
            panel.set_yscale("log")
            epoch_axis(panel, rows["epoch"].to_numpy(float))
            log_ticks(panel)
        left.legend(
            handles=[Line2D([], [], ls=dashes, color="#555555", label=split) for split, dashes in SPLITS.values()]
        )
        if axis is not None:
            right.legend(title=axis_name(axis), loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
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
