"""Collapse by layer and time, as heat maps for train and test."""

import math

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from ncjax.claims import count_lost, final_rows, layer_taps, select_runs
from ncjax.report.figures.style import DATA_ID, ReportFigure, epoch_label, house_style, log_ticks, panels
from ncjax.report.figures.through_time import drawn_rows, shared_map

SPLITS = {"layer": "train", "test_layer": "test"}
_CELLS_WITH_NUMBERS = 90
_LABELS = 14


def draw(table: pd.DataFrame) -> Figure:
    """Draws the variance ratio of each layer at each checkpoint, train and test on one colour scale.

    Args:
        table: the results table.

    Returns:
        The figure: geometric means over runs, layers from input (bottom) to output (top), checkpoints from left to
        right.

    Examples:
        >>> table = pd.DataFrame({"run": 0, "step": [0, 1], "epoch": [0.0, 1.0], "train/error": 0.0,
        ...                       "layer/block1/variance_ratio": [2.0, 1.0],
        ...                       "layer/embedding/variance_ratio": [2.0, 0.1]})
        >>> draw(table).axes[0].get_title(loc="left")
        'train'
    """
    rows = _drawn(table)
    splits = {prefix: title for prefix, title in SPLITS.items() if layer_taps(rows, prefix)}
    maps = {prefix: layer_map(rows, prefix) for prefix in splits}
    positive = np.concatenate([values.ravel() for _, _, values in maps.values()])
    positive = positive[np.isfinite(positive) & (positive > 0)]
    # A table whose values are all zero or missing still has its layers and epochs to show.
    positive = positive if positive.size else np.ones(1)
    norm = LogNorm(positive.min(), max(positive.max(), positive.min() * 1.01))
    with house_style():
        figure, grid = panels(1, len(splits))
        figure.set_figwidth(4.6 * len(splits) + 0.8)
        figure.set_figheight(1.4 + 0.4 * max(len(taps) for taps, _, _ in maps.values()))
        for panel, (prefix, (taps, epochs, values)) in zip(grid[0], maps.items(), strict=True):
            image = panel.imshow(
                values, aspect="auto", origin="lower", norm=norm, cmap="cividis", gid=f"{DATA_ID}/{prefix}"
            )
            panel.grid(visible=False)
            panel.set_title(splits[prefix])
            # As many labels as there is room for, the last checkpoint's among them.
            every = math.ceil(len(epochs) / _LABELS)
            shown = range((len(epochs) - 1) % every, len(epochs), every)
            panel.set_xticks(shown, [epoch_label(epochs[place]) for place in shown])
            panel.set_yticks(range(len(taps)), taps)
            panel.set_xlabel("epoch")
            if values.size <= _CELLS_WITH_NUMBERS:
                _write_numbers(panel, values, norm)
        bar = figure.colorbar(image, ax=list(grid[0]), label="variance ratio", pad=0.015)
        log_ticks(bar.ax)
    return figure


def layer_map(rows: pd.DataFrame, prefix: str) -> tuple[list[str], list[float], Float[np.ndarray, "layers epochs"]]:
    """The variance ratio of each layer at each epoch, as geometric mean over runs.

    Args:
        rows: checkpoints of the runs.
        prefix: ``"layer"`` for train, ``"test_layer"`` for test.

    Returns:
        Layers from input to output, epochs at which all runs under way were measured, values [layers, epochs].

    Examples:
        >>> rows = pd.DataFrame({"run": [0, 1], "epoch/shared": 1.0, "layer/embedding/variance_ratio": [1.0, 4.0]})
        >>> layer_map(rows, "layer")
        (['embedding'], [1.0], array([[2.]]))
    """
    taps = layer_taps(rows, prefix)
    return taps, *shared_map(rows, [f"{prefix}/{tap}/variance_ratio" for tap in taps])


def _write_numbers(panel: Axes, values: Float[np.ndarray, "layers epochs"], norm: LogNorm) -> None:
    for (layer, epoch), value in np.ndenumerate(values):
        if np.isfinite(value):
            colour = "black" if norm(value) > 0.5 else "white"
            panel.text(epoch, layer, f"{value:#.2g}".rstrip("."), ha="center", va="center", fontsize=6.5, color=colour)


def _drawn(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the runs that claims speak of; of all that did not diverge where none reached the terminal phase."""
    runs = select_runs(table) if "train/error" in table else None
    return drawn_rows(table if runs is None or runs.final.empty else runs.rows)


def _caption(table: pd.DataFrame) -> str:
    rows = _drawn(table)
    shown, final = rows["run"].nunique(), final_rows(table)
    return (
        "Variance ratio of every layer (input at the bottom) at every checkpoint, on train and on test, one colour "
        f"scale: geometric mean over {shown} of {len(final)} runs ({count_lost(final['lost']).lost}; these and, unless "
        "none is left, those that did not reach the terminal phase are left out). Darker is more collapsed."
    )


def _alt(table: pd.DataFrame) -> str:
    return f"Heat maps of the variance ratio by layer ({', '.join(layer_taps(table))}) and epoch, for train and test."


FIGURE = ReportFigure(
    "layers", "Collapse by layer and time", ("B5",), ("layer/<tap>/variance_ratio", "epoch"), draw, _caption, _alt
)
