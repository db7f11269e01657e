"""Quantities on train and on test through training, coloured by the first axis of the sweep."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

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
    shared_mean,
    value_groups,
)

DASHES = {"train": "-", "test": "--"}
SHARES = ("error", "nc4")
LOSS_AND_ERROR = {"loss": "loss (nats)", "error": "error"}
COLLAPSE = {
    "nc1": "NC1: within-class over between-class scatter",
    "nc2_etf": "NC2: class means to a simplex frame",
    "nc3": "NC3: classifier to class means",
    "nc4": "NC4: disagreement with the nearest mean",
}

DIRECTIONS = {
    "cdnv": "CDNV: spread in all directions",
    "directional_cdnv": "directional CDNV: spread towards other means",
    "effective_rank": "effective rank (directions)",
    "class_separation": "class separation by angle",
}


def draw_splits(table: pd.DataFrame, quantities: dict[str, str], per_row: int = 2) -> Figure:
    """Draws quantities against epoch, solid on train and dashed on test.

    Args:
        table: the results table.
        quantities: names of columns without their split, and titles of the panels.
        per_row: panels in a row.

    Returns:
        The figure: thin lines are runs, thick lines means over the runs of one value of the first axis.

    Examples:
        >>> table = pd.DataFrame({"run": 0, "step": [0, 1], "epoch": [0.0, 1.0], "learning_rate": 0.1,
        ...                       "train/nc1": [2.0, 1.0], "test/nc1": [2.0, 1.5]})
        >>> len(draw_splits(table, {"nc1": "NC1"}).axes[0].lines)
        4
    """
    rows = drawn_rows(table)
    axis = first_axis(rows)
    groups = value_groups(rows, axis)
    colours = value_colours([value for value, _ in groups])
    with house_style():
        figure, grid = panels(-(-len(quantities) // per_row), min(per_row, len(quantities)))
        for panel, (quantity, title) in zip(grid.flat, quantities.items(), strict=False):
            for split in DASHES:
                if f"{split}/{quantity}" in rows:
                    draw_column(panel, groups, colours, f"{split}/{quantity}", split, share=quantity in SHARES)
            if quantity in SHARES:
                share_axis(panel)
            else:
                panel.set_yscale("log")
                log_ticks(panel)
            epoch_axis(panel, rows["epoch"].to_numpy(float))
            panel.set_title(title)
        for panel in grid.flat[: max(0, len(quantities) - grid.shape[1])]:
            panel.set_xlabel("")
        for panel in grid.flat[len(quantities) :]:
            panel.set_axis_off()
        split_legend(grid[0, 0])
        value_legend(grid[0, -1], colours, axis)
    return figure


def draw_column(
    panel: Axes,
    groups: list[tuple[Any, pd.DataFrame]],
    colours: dict[Any, str],
    column: str,
    split: str = "train",
    share: bool = False,
) -> None:
    """Draws one column against epoch: a thin line a run, a thick one for the mean over the runs of each value.

    Args:
        panel: to draw on.
        groups: values of the first axis and their rows, as `value_groups` returns them.
        colours: of the values.
        column: the quantity.
        split: "train" for solid lines, "test" for dashed ones.
        share: whether it may be zero; then the mean is the arithmetic one, not the geometric one.

    Examples:
        >>> table = pd.DataFrame({"run": 0, "step": [0, 1], "epoch": [0.0, 1.0], "train/nc1": [2.0, 1.0]})
        >>> figure, grid = panels(1, 1)
        >>> draw_column(grid[0, 0], [("all runs", drawn_rows(table))], {"all runs": "#000000"}, "train/nc1")
        >>> grid[0, 0].lines[1].get_ydata().round(6).tolist()
        [2.0, 1.0]
    """
    every = pd.concat([rows for _, rows in groups])
    faint, marker = faintness(every["run"].nunique()), lone_marker(every)
    mean_of: Callable[[pd.DataFrame, str], pd.Series] = shared_mean if share else geometric_mean
    for value, rows in groups:
        look: dict[str, Any] = {"color": colours[value], "linestyle": DASHES[split]}
        for _, run in rows.groupby("run"):
            panel.plot(run["epoch"], run[column], linewidth=0.6, alpha=faint, **look)
        mean = mean_of(rows, column)
        panel.plot(mean.index, mean, marker=marker, zorder=3, gid=f"{DATA_ID}/{column}/{value}", **look)


def share_axis(axes: Axes) -> None:
    """Gives a vertical axis of shares a logarithmic scale above 1% that has room for zero.

    Args:
        axes: its y axis is changed.

    Examples:
        >>> figure, grid = panels(1, 1)
        >>> share_axis(grid[0, 0])
        >>> grid[0, 0].get_yscale()
        'symlog'
    """
    axes.set_yscale("symlog", linthresh=0.01, linscale=0.5)
    axes.yaxis.set_major_locator(FixedLocator([0.0, 0.01, 0.03, 0.1, 0.3, 1.0]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.0%}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(-0.0008, min(1.1, axes.get_ylim()[1]))


def split_legend(panel: Axes) -> None:
    """Says which dashes are train and which test.

    Args:
        panel: to write on.

    Examples:
        >>> figure, grid = panels(1, 1)
        >>> split_legend(grid[0, 0])
    """
    panel.legend(handles=[Line2D([], [], ls=dashes, color="#555555", label=split) for split, dashes in DASHES.items()])


def value_legend(panel: Axes, colours: dict[Any, str], axis: str | None) -> None:
    """Says beside a panel which colour is which value of the first axis, if there is one.

    Args:
        panel: to write beside.
        colours: of the values.
        axis: the hyper-parameter, or None.

    Examples:
        >>> figure, grid = panels(1, 1)
        >>> value_legend(grid[0, 0], {0.1: "#000000"}, "learning_rate")
    """
    if axis is None:
        return
    # A panel holds one legend; the one inside of it is kept as an artist.
    inside = panel.get_legend()
    handles = [Line2D([], [], color=colour, label=value_label(value)) for value, colour in colours.items()]
    panel.legend(handles=handles, title=axis_name(axis), loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)
    if inside is not None:
        panel.add_artist(inside)


def _caption(what: str, means: str, more: str = "") -> Callable[[pd.DataFrame], str]:
    def caption(table: pd.DataFrame) -> str:
        return (
            f"{what} through training, on train (solid) and on test (dashed). Thin lines: {excluded_sentence(table)}; "
            f"thick lines: {means} by colour.{more}"
        )

    return caption


def _alt(what: str) -> Callable[[pd.DataFrame], str]:
    return lambda _: f"Curves of {what} on train and test against epoch, coloured by hyper-parameter."


ERROR_FIGURE = ReportFigure(
    "loss_and_error", "Loss and error", (), ("train/loss", "train/error", "epoch"),
    lambda table: draw_splits(table, LOSS_AND_ERROR),
    _caption("Loss without regularisers, and share of samples that the classifier names wrongly,",
             "geometric means of the loss, means of the error,"),
    _alt("loss and error"),
)  # fmt: skip
COLLAPSE_FIGURE = ReportFigure(
    "neural_collapse", "Neural collapse, NC1 to NC4", (), (*(f"train/{name}" for name in COLLAPSE), "epoch"),
    lambda table: draw_splits(table, COLLAPSE),
    _caption("The four properties of neural collapse of the embedding", "geometric means (of NC4 means)",
             " NC1 divides by the variance between classes in every direction and follows the smallest of them: where "
             "hardly any unit tells some classes apart it is large, however well the others have collapsed."),
    _alt("nc1, nc2, nc3 and nc4"),
)  # fmt: skip
DIRECTION_FIGURE = ReportFigure(
    "directions", "Collapse along the lines between means, and ranks", (),
    (*(f"train/{name}" for name in DIRECTIONS), "epoch"),
    lambda table: draw_splits(table, DIRECTIONS),
    _caption("CDNV, the same along the lines between class means alone, effective rank of the features and separation "
             "of the classes by cosine distance,", "geometric means"),
    _alt("CDNV, directional CDNV, effective rank and class separation"),
)  # fmt: skip
