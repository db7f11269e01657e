"""Accuracy of probes for fine classes and of transfer to new classes against collapse on train, through time."""

import functools

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ncjax.report.figures.bands import COLOURS, DASHES, draw_band, legend_beside
from ncjax.report.figures.style import DATA_ID, ReportFigure, epoch_axis, house_style, log_ticks, panels
from ncjax.report.figures.through_time import (
    SHARED_EPOCH,
    complete_rows,
    drawn_rows,
    excluded_sentence,
    geometric_mean,
)

TRAIN = "train/variance_ratio"
PROBES = {
    "fine/ridge_accuracy": "linear",
    "fine/ridge_accuracy_standardised": "linear, standardised",
    "fine/knn_accuracy": "5 neighbours",
    "fine/knn_accuracy_standardised": "5 neighbours, standardised",
}
TRANSFERS = {
    "fine/ridge_accuracy": "sub-classes (linear probe)",
    "target/accuracy_5shot": "new classes (5 shots)",
}


def draw_probes(table: pd.DataFrame) -> Figure:
    """Draws the accuracy of probes against epoch (left) and, in the order of time, against train variance (right).

    Args:
        table: the results table; of runs that differ in it, those on coarse labels alone.

    Returns:
        The figure: means over runs.

    Examples:
        >>> table = pd.DataFrame({"run": 0, "step": [0, 1], "epoch": [0.0, 1.0], "train/variance_ratio": [2.0, 1.0],
        ...                       "fine/ridge_accuracy": [0.5, 0.6]})
        >>> len(draw_probes(table).axes)
        2
    """
    rows = drawn_rows(table)
    rows = rows[rows["coarse"] != ""] if "coarse" in rows and (rows["coarse"] != "").any() else rows
    with house_style():
        figure, grid = panels(1, 2)
        figure.set_figwidth(9.0)
        left, right = grid[0]
        for number, (column, name) in enumerate((c, n) for c, n in PROBES.items() if c in rows):
            draw_band(left, complete_rows(rows), SHARED_EPOCH, column, number, geometric=False)
            _path(right, rows, column, number, name)
        epoch_axis(left, rows["epoch"].to_numpy(float))
        left.set_ylabel("probe accuracy (test, fine classes)")
        _collapse_axis(right)
        legend_beside(right)
    return figure


def draw_joint(table: pd.DataFrame) -> Figure:
    """Draws sub-class and new-class accuracy against train variance in the order of time, by labels and by setting.

    Args:
        table: the results table.

    Returns:
        The figure: a panel for each kind of transfer; a thick line is the mean over runs of one kind of labels, a thin
        one a run.

    Examples:
        >>> table = pd.DataFrame({"run": 0, "step": [0, 1], "epoch": [0.0, 1.0], "train/variance_ratio": [2.0, 1.0],
        ...                       "fine/ridge_accuracy": [0.5, 0.6], "target/accuracy_5shot": [0.5, 0.4]})
        >>> [axes.get_title(loc="left") for axes in draw_joint(table).axes]
        ['sub-classes (linear probe)', 'new classes (5 shots)']
    """
    rows = drawn_rows(table)
    kinds = [(str(name), own) for name, own in rows.groupby("coarse")] if "coarse" in rows else [("", rows)]
    with house_style():
        figure, grid = panels(1, len(TRANSFERS))
        figure.set_figwidth(9.0)
        for axes, (column, title) in zip(grid[0], TRANSFERS.items(), strict=True):
            for number, (coarse, own) in enumerate(kinds):
                for _, run in own[own["step"] > 0].groupby("run"):
                    axes.plot(run[TRAIN], run[column], color=COLOURS[number], linewidth=0.7, alpha=0.4)
                _path(axes, own, column, number, f"coarse labels ({coarse})" if coarse else "fine labels")
            axes.set_title(title)
            axes.set_ylabel("accuracy")
            _collapse_axis(axes)
        legend_beside(grid[0][-1])
    return figure


def _path(axes: Axes, rows: pd.DataFrame, column: str, number: int, name: str) -> None:
    """Mean accuracy against the geometric mean of train variance, from the first trained checkpoint to the last."""
    trained = complete_rows(rows[rows["step"] > 0])
    accuracy, variance = trained.groupby(SHARED_EPOCH)[column].mean(), geometric_mean(trained, TRAIN)
    accuracy = accuracy.reindex(variance.index)
    look = {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}
    axes.plot(variance, accuracy, label=name, marker="o", markersize=3, zorder=3, gid=f"{DATA_ID}/{column}", **look)
    if len(variance):
        axes.plot(variance.iloc[-1], accuracy.iloc[-1], marker="s", markersize=6, color=look["color"], zorder=4)


def _collapse_axis(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.invert_xaxis()
    log_ticks(axes, "x")
    axes.set_xlabel("train variance ratio (collapse deepens →)")


def _caption(table: pd.DataFrame, start: str) -> str:
    return (
        f"{start} Time runs along the curves from the first trained checkpoint to the last (square). Means over "
        f"{excluded_sentence(table)}."
    )


def _says(table: pd.DataFrame, text: str) -> str:
    del table
    return text


PROBE_FIGURE = ReportFigure(
    "coarse_to_fine", "Probes for fine classes as collapse deepens", ("B4",), ("fine/ridge_accuracy", TRAIN, "epoch"),
    draw_probes,
    functools.partial(
        _caption,
        start="Accuracy on test of probes of frozen features for the classes below the labels, against epoch (left; "
        "bands from the smallest to the largest) and against the train variance ratio (right).",
    ),
    functools.partial(_says, text="Curves of probe accuracy against epoch and against train variance, by probe."),
)  # fmt: skip
JOINT_FIGURE = ReportFigure(
    "joint", "When collapse helps and when it hurts", ("A5", "B4"),
    ("fine/ridge_accuracy", "target/accuracy_5shot", TRAIN, "epoch"), draw_joint,
    functools.partial(
        _caption,
        start="Accuracy for sub-classes of the train classes (left) and for classes never trained on (right) against "
        "the train variance ratio, of the same images with coarse and with fine labels; thin lines are runs.",
    ),
    functools.partial(_says, text="Paths of two transfer accuracies against train variance, by kind of labels."),
)  # fmt: skip
