"""Several quantities of all runs through training, one curve each with a band."""

import functools

import pandas as pd
from matplotlib.figure import Figure

from ncjax.report.figures.bands import draw_band, legend_beside
from ncjax.report.figures.style import ReportFigure, epoch_axis, house_style, log_ticks, panels
from ncjax.report.figures.through_time import SHARED_EPOCH, complete_rows, drawn_rows, excluded_sentence

BOUNDS = {
    "train/complexity_bound": "bound by geometric collapse (train)",
    "train/nearest_mean_bound": "bound by CDNV (train)",
    "test/nearest_mean_bound": "bound by CDNV (test)",
    "train/directional_complexity_bound": "bound by directional complexity (train)",
    "train/classifier_certificate": "certificate of the classifier (train)",
    "test/ncc_error": "nearest class mean's test error",
    "test/error": "classifier's test error",
}
VARIANCES = {
    "train/variance_ratio": "train",
    "test/weak_variance": "test, weak: to the nearest train mean",
    "test/strong_variance": "test, strong: to the own train mean",
}


def draw_over_epochs(table: pd.DataFrame, columns: dict[str, str], label: str, level: float | None = None) -> Figure:
    """Draws quantities on one logarithmic axis against epoch.

    Args:
        table: the results table.
        columns: quantities and their names in the legend; those that are missing are left out.
        label: of the vertical axis.
        level: where to draw a dotted line.

    Returns:
        The figure: geometric means over runs with bands from the smallest to the largest.

    Examples:
        >>> table = pd.DataFrame({"run": 0, "step": [0, 1], "epoch": [0.0, 1.0], "test/error": [0.9, 0.5]})
        >>> len(draw_over_epochs(table, {"test/error": "test error"}, "error").axes[0].lines)
        1
    """
    rows = drawn_rows(table)
    means = complete_rows(rows)
    with house_style():
        figure, grid = panels(1, 1)
        figure.set_figwidth(6.6)
        axes = grid[0, 0]
        for number, (column, name) in enumerate(columns.items()):
            if column in rows:
                draw_band(axes, means, SHARED_EPOCH, column, number, label=name)
        if level is not None:
            axes.axhline(level, color="#777777", linewidth=0.9, linestyle=":")
        axes.set_yscale("log")
        epoch_axis(axes, rows["epoch"].to_numpy(float))
        log_ticks(axes)
        axes.set_ylabel(label)
        legend_beside(axes)
    return figure


def _words(table: pd.DataFrame, start: str) -> str:
    return (
        f"{start} Lines: geometric means over {excluded_sentence(table)}; bands: from the smallest to the largest. "
        "Values that are not positive are left out."
    )


def _says(table: pd.DataFrame, text: str) -> str:
    del table
    return text


BOUND_FIGURE = ReportFigure(
    "error_bound", "Bounds and errors through training", ("A4",), ("train/complexity_bound", "test/ncc_error", "epoch"),
    functools.partial(draw_over_epochs, columns=BOUNDS, label="error or bound", level=1.0),
    functools.partial(
        _words,
        start="Bounds on the error of the nearest class mean, by geometric collapse times a lower bound of the "
        "Poincaré constant and by CDNV, beside errors on test; above the dotted line a bound says nothing.",
    ),
    functools.partial(_says, text="Curves of three bounds and two test errors against epoch on a logarithmic axis."),
)  # fmt: skip
VARIANCE_FIGURE = ReportFigure(
    "weak_and_strong", "Weak and strong collapse on test", ("B2",),
    ("train/variance_ratio", "test/weak_variance", "test/strong_variance", "epoch"),
    functools.partial(draw_over_epochs, columns=VARIANCES, label="variance / squared distance of means"),
    functools.partial(
        _words,
        start="Variance of train features around their class means, and of test features around the nearest train mean "
        "(weak) and that of their own class (strong), all over the squared distance of the train means.",
    ),
    functools.partial(_says, text="Curves of train variance and of weak and strong test variance against epoch."),
)  # fmt: skip
