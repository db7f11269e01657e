"""Geometric complexity, geometric collapse and CDNV through training, one row of panels a sweep axis."""

import pandas as pd
from matplotlib.figure import Figure

from ncjax.claims import axis_name, sweep_axes
from ncjax.report.figures.splits import draw_column, value_legend
from ncjax.report.figures.style import ReportFigure, epoch_axis, house_style, log_ticks, panels, value_colours
from ncjax.report.figures.through_time import drawn_rows, excluded_sentence, value_groups

COLUMNS = {
    "train/geometric_complexity": "geometric complexity",
    "train/geometric_collapse_tight": "geometric collapse",
    "train/cdnv": "CDNV (train)",
}


def draw(table: pd.DataFrame) -> Figure:
    """Draws the trajectories: thin lines are runs, thick lines geometric means over the runs of one value.

    Args:
        table: the results table.

    Returns:
        The figure: a row for each axis that varies (one for all runs if none does), a column for each quantity.

    Examples:
        >>> table = pd.DataFrame({"run": 0, "step": [0, 1], "epoch": [0.0, 1.0], "train/cdnv": [2.0, 1.0],
        ...                       "train/geometric_complexity": [1.0, 2.0],
        ...                       "train/geometric_collapse_tight": [3.0, 1.0]})
        >>> len(draw(table).axes)
        3
    """
    rows = drawn_rows(table)
    axes_varied: tuple[str | None, ...] = sweep_axes(rows) or (None,)
    with house_style():
        figure, grid = panels(len(axes_varied), len(COLUMNS))
        for row, axis in enumerate(axes_varied):
            groups = value_groups(_of_row(rows, axis), axis)
            colours = value_colours([value for value, _ in groups])
            for panel, (column, title) in zip(grid[row], COLUMNS.items(), strict=True):
                draw_column(panel, groups, colours, column)
                panel.set_yscale("log")
                epoch_axis(panel, rows["epoch"].to_numpy(float))
                log_ticks(panel)
                panel.set_title(title)
                if row + 1 < len(axes_varied):
                    panel.set_xlabel("")
            value_legend(grid[row][-1], colours, axis)
    return figure


def _of_row(rows: pd.DataFrame, axis: str | None) -> pd.DataFrame:
    """The runs of the sweep that bears the axis's name, where there is one: the others stand in rows of their own."""
    if axis is None or "sweep" not in rows:
        return rows
    own = rows[[axis in str(names).split("+") for names in rows["sweep"]]]
    return rows if own.empty else own


def _caption(table: pd.DataFrame) -> str:
    varied = " and ".join(axis_name(axis) for axis in sweep_axes(drawn_rows(table))) or "nothing but the seed"
    return (
        "Geometric complexity of the embedding, geometric collapse (tight form) and CDNV on the train set through "
        f"training. Thin lines: {excluded_sentence(table)}. Thick lines: geometric mean over the runs of one value "
        f"in the row's sweep, or else over all of that value. Rows: the axes of the sweep ({varied})."
    )


def _alt(table: pd.DataFrame) -> str:
    del table
    return "Curves of geometric complexity, geometric collapse and CDNV against epoch, coloured by hyper-parameter."


FIGURE = ReportFigure(
    "trajectories", "Complexity and collapse through training", ("A1", "A2"), (*COLUMNS, "epoch"), draw, _caption, _alt
)
