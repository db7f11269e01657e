"""One point a run at the end of training: one quantity against another, hyper-parameters as colour and marker."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ncjax.claims import MIN_UNITS, TERMINAL_ERROR, axis_name, count_lost, final_rows, spearman, sweep_axes
from ncjax.report.figures.style import DATA_ID, MARKERS, house_style, log_ticks, panels, value_colours, value_label


class Panel(NamedTuple):
    """A scatter panel.

    Attributes:
        x: column on the horizontal axis.
        y: column on the vertical axis.
        x_label: its words.
        y_label: its words.
        log_y: whether the vertical axis is logarithmic; the horizontal one always is.

    Examples:
        >>> Panel("train/geometric_complexity", "train/cdnv", "GC", "CDNV").log_y
        True
    """

    x: str
    y: str
    x_label: str
    y_label: str
    log_y: bool = True


def draw_scatter(table: pd.DataFrame, contents: Sequence[Panel]) -> Figure:
    """Draws one panel after the other, with Spearman's rho over the filled points in each title.

    Args:
        table: the results table.
        contents: the panels, left to right; one whose column is missing stays empty and says so.

    Returns:
        The figure, with Spearman's ρ from five runs on. Runs that reached the terminal phase are filled, others
        hollow, lost ones left out. Colour is the first axis that varies, marker the second. A bar is the column's 95%
        interval where the table has it.

    Examples:
        >>> table = pd.DataFrame({"run": range(5), "step": 9, "train/error": 0.0,
        ...                       "a/x": [1.0, 2.0, 3.0, 4.0, 5.0], "a/y": [5.0, 4.0, 3.0, 2.0, 1.0]})
        >>> draw_scatter(table, [Panel("a/x", "a/y", "x", "y")]).axes[0].get_title(loc="left")
        'ρ = −1.00 (n = 5)'
    """
    final = drawn_runs(table)
    colour_axis, marker_axis = (*sweep_axes(final), None, None)[:2]
    with house_style():
        figure, grid = panels(1, len(contents))
        for axes, panel in zip(grid[0], contents, strict=True):
            _scatter(axes, final, panel, colour_axis, marker_axis)
        handles = _legend_handles(final, colour_axis, marker_axis)
        headings = [axis_name(axis) for axis in (colour_axis, marker_axis) if axis]
        if handles:
            legend = grid[0][-1].legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.02), borderaxespad=0)
            for text in legend.get_texts():
                if text.get_text() in headings:
                    text.set_weight("bold")
    return figure


def drawn_runs(table: pd.DataFrame) -> pd.DataFrame:
    """The final row of each run that was not lost, with a boolean ``terminal``.

    Args:
        table: the results table.

    Returns:
        One row a run.

    Examples:
        >>> drawn_runs(pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]}))["terminal"].tolist()
        [False]
    """
    final = final_rows(table)
    final = final[final["lost"] == ""].reset_index(drop=True)
    return final.assign(terminal=final["train/error"] <= TERMINAL_ERROR if "train/error" in final else True)


def run_counts(table: pd.DataFrame) -> str:
    """How many runs a scatter figure shows, in words for its caption.

    Args:
        table: the results table.

    Returns:
        A sentence.

    Examples:
        >>> run_counts(pd.DataFrame({"run": [0, 1], "step": 1, "train/error": [0.5, 0.0]}))
        '2 runs: 1 in the terminal phase (filled; train error at most 0.05), 1 not (hollow, not in ρ), 0 diverged and
        left out.'
    """
    final, every = drawn_runs(table), final_rows(table)
    reached = int(final["terminal"].sum())
    return (
        f"{len(every)} runs: {reached} in the terminal phase (filled; train error at most {TERMINAL_ERROR:g}), "
        f"{len(final) - reached} not (hollow, not in ρ), {count_lost(every['lost']).lost} and left out."
    )


def _scatter(axes: Axes, final: pd.DataFrame, panel: Panel, colour_axis: str | None, marker_axis: str | None) -> None:
    axes.set_xlabel(panel.x_label)
    axes.set_ylabel(panel.y_label)
    missing = [name for name in (panel.x, panel.y) if name not in final or final[name].isna().all()]
    if missing:
        axes.text(0.5, 0.5, f"not measured:\n{', '.join(missing)}", ha="center", va="center", transform=axes.transAxes)
        return
    known = final.dropna(subset=[panel.x, panel.y])
    known = known[(known[panel.x] > 0) & ((known[panel.y] > 0) | (not panel.log_y))]
    settled = known[known["terminal"]]
    if len(settled) >= MIN_UNITS:
        rho = float(spearman(settled[panel.x].to_numpy(float), settled[panel.y].to_numpy(float))[0])
        axes.set_title(f"ρ = {rho:.2f} (n = {len(settled)})".replace("-", "−"))
    colours, shapes = _colours(final, colour_axis), _shapes(final, marker_axis)
    size = 6.5 if len(known) <= 40 else 4.5
    for number, (_, run) in enumerate(known.iterrows()):
        colour = colours[run[colour_axis]] if colour_axis else "#31688e"
        spread = f"{panel.y}_ci95"
        if spread in run and np.isfinite(run[spread]):
            axes.errorbar(run[panel.x], run[panel.y], yerr=run[spread], color=colour, linewidth=0.8, alpha=0.7)
        axes.plot(
            run[panel.x], run[panel.y], linestyle="none", markersize=size, color=colour, markeredgewidth=1.2,
            marker=shapes[run[marker_axis]] if marker_axis else "o", markeredgecolor=colour,
            markerfacecolor=colour if run["terminal"] else "white", gid=f"{DATA_ID}/{panel.y}/{number}",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.margins(0.08)
    log_ticks(axes, "x")
    if panel.log_y:
        axes.set_yscale("log")
        log_ticks(axes, "y")


def _colours(final: pd.DataFrame, axis: str | None) -> dict[Any, str]:
    return value_colours(sorted(final[axis].unique())) if axis else {}


def _shapes(final: pd.DataFrame, axis: str | None) -> dict[Any, str]:
    values = sorted(final[axis].unique()) if axis else []
    return {value: MARKERS[number % len(MARKERS)] for number, value in enumerate(values)}


def _legend_handles(final: pd.DataFrame, colour_axis: str | None, marker_axis: str | None) -> list[Line2D]:
    def entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="none", label=label, **look)

    handles = []
    if colour_axis:
        handles.append(entry(axis_name(colour_axis)))
        handles += [entry(value_label(v), marker="o", color=c) for v, c in _colours(final, colour_axis).items()]
    if marker_axis:
        handles.append(entry(axis_name(marker_axis)))
        handles += [entry(value_label(v), marker=s, color="#555555") for v, s in _shapes(final, marker_axis).items()]
    if not final["terminal"].all():
        handles.append(entry("not in terminal phase", marker="o", color="#555555", markerfacecolor="white"))
    return handles
