"""The house style of every figure: type, colours that colour-blind readers can tell apart, axes, files."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from ncjax.paths import StrPath

COLUMN_WIDTH = 3.5
PIXELS_PER_INCH = 200
ROW_HEIGHT = 2.7
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DATA_ID = "data"
"""Prefix of the ``gid`` of artists that carry measurements, by which tests find them."""

_RULES: Any = {
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": PIXELS_PER_INCH,
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "legend.fontsize": 8,
    "legend.title_fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "pdf.fonttype": 42,
    "text.usetex": False,
}


@dataclasses.dataclass(frozen=True)
class ReportFigure:
    """A figure of the report: what it needs, how it is drawn, and the words that go with it.

    Attributes:
        name: of its files.
        title: a few words.
        claims: keys of the claims that it illustrates.
        columns: columns of the results table that it needs.
        draw: results table to figure.
        caption: results table to a few sentences that say what is drawn, and over how many runs.
        alt: results table to one sentence for those who cannot see it.
        lacks: results table that has the columns to what else it lacks, or nothing.

    Examples:
        >>> from ncjax.report import FIGURES
        >>> FIGURES[0].name
        'loss_and_error'
    """

    name: str
    title: str
    claims: tuple[str, ...]
    columns: tuple[str, ...]
    draw: Callable[[pd.DataFrame], Figure]
    caption: Callable[[pd.DataFrame], str]
    alt: Callable[[pd.DataFrame], str]
    lacks: Callable[[pd.DataFrame], str] = lambda _: ""


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Applies the house style inside a ``with`` block and to nothing else.

    Yields:
        Nothing.

    Examples:
        >>> with house_style():
        ...     bool(mpl.rcParams["axes.grid"])
        True
    """
    with mpl.rc_context(_RULES):
        yield


def panels(rows: int, columns: int, **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure with a grid of panels, laid out so that labels and legends have room.

    Args:
        rows: of panels.
        columns: of panels.
        **options: passed on to ``Figure.subplots``.

    Returns:
        The figure and its axes [rows, columns].

    Examples:
        >>> figure, axes = panels(1, 2)
        >>> axes.shape
        (1, 2)
    """
    figure = Figure(figsize=(COLUMN_WIDTH * columns + 0.4, ROW_HEIGHT * rows + 0.3), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def value_colours(values: Sequence[Any]) -> dict[Any, str]:
    """One colour a value, from dark to light in the order of the values.

    The map is viridis without its palest end: monotone in lightness, so that it survives grey print and colour
    blindness.

    Args:
        values: distinct values, sorted.

    Returns:
        Value to hex colour.

    Examples:
        >>> sorted(value_colours([0.1, 0.2]))
        [0.1, 0.2]
    """
    shades = mpl.colormaps["viridis"](np.linspace(0.0, 0.82, max(len(values), 2)))
    return {value: mpl.colors.to_hex(shade) for value, shade in zip(values, shades, strict=False)}


def value_label(value: Any) -> str:
    """A hyper-parameter's value as short text.

    Args:
        value: a number or a name.

    Returns:
        Text.

    Examples:
        >>> value_label(0.00025), value_label(32), value_label(0.0), value_label("vgg13")
        ('2.5e-4', '32', '0', 'vgg13')
    """
    if not isinstance(value, int | float | np.number):
        return str(value)
    number = float(value)
    text = f"{number:.6g}"
    if 0 < abs(number) < 1e-3:
        mantissa, exponent = f"{number:.3e}".split("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    return text


def epoch_axis(axes: Axes, epochs: Float[np.ndarray, " n"]) -> None:
    """Gives an axis of epochs a logarithmic scale that has room for epoch 0.

    Args:
        axes: its x axis is changed.
        epochs: every epoch drawn.

    Examples:
        >>> figure, axes = panels(1, 1)
        >>> epoch_axis(axes[0, 0], np.array([0.0, 0.5, 1.0, 2.0]))
        >>> axes[0, 0].get_xscale()
        'symlog'
    """
    positive = np.unique(epochs[epochs > 0])
    axes.set_xlabel("epoch")
    if not len(positive):
        return
    axes.set_xscale("symlog", linthresh=positive[0], linscale=0.6)
    ticks = [float(positive[-1])]
    for epoch in positive[::-1]:
        # A tick needs room: at most 1/1.7 of the one after it; wide ranges need more.
        if epoch * max(1.7, (positive[-1] / positive[0]) ** (1 / 5)) <= ticks[0]:
            ticks.insert(0, float(epoch))
    ticks = [0.0, *ticks] if epochs.min() <= 0 else ticks
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda epoch, _: epoch_label(epoch)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(epochs.min() if epochs.min() > 0 else -0.15 * positive[0], positive[-1] * 1.06)


def epoch_label(epoch: float) -> str:
    """An epoch as short text.

    Args:
        epoch: passes over the train split.

    Returns:
        Two digits below 100, whole epochs above.

    Examples:
        >>> epoch_label(0.897), epoch_label(30.0), epoch_label(350.0)
        ('0.9', '30', '350')
    """
    return f"{epoch:.2g}" if epoch < 99.5 else f"{epoch:.0f}"


def faintness(runs: int) -> float:
    """The opacity of one run's line among others: the more runs, the fainter, so that means stay visible.

    Args:
        runs: lines in the panel.

    Returns:
        A number in [0.08, 0.45].

    Examples:
        >>> faintness(12), faintness(150)
        (0.45, 0.08)
    """
    return min(0.45, max(0.08, 6 / max(runs, 1)))


def log_ticks(axes: Axes, which: str = "y") -> None:
    """Gives a logarithmic axis plain tick labels, and labels between decades where it spans few of them.

    Args:
        axes: holds the axis.
        which: ``"x"`` or ``"y"``.

    Examples:
        >>> figure, axes = panels(1, 1)
        >>> axes[0, 0].set_yscale("log")
        >>> log_ticks(axes[0, 0])
    """
    axis, limits = (axes.xaxis, axes.get_xlim()) if which == "x" else (axes.yaxis, axes.get_ylim())
    # An inverted axis has its limits the other way round.
    low, high = sorted(limits)
    if low <= 0:
        return
    decades = np.log10(high / low)
    if decades < 2.5:
        exponents = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        steps = (1.0, 2.0, 5.0) if decades > 0.9 else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
        ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
        if decades <= 0.5:
            ticks = [float(tick) for tick in MaxNLocator(5).tick_values(low, high)]
        axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
        axis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:.6g}" if 1e-3 <= tick < 1e5 else f"{tick:.0e}"))
        axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def save(figure: Figure, directory: StrPath, name: str) -> tuple[Path, Path]:
    """Writes a figure as PNG and PDF; equal figures give equal files.

    Args:
        figure: to be saved.
        directory: must exist.
        name: of the files, without ending.

    Returns:
        The two paths.

    Examples:
        >>> import tempfile
        >>> figure, _ = panels(1, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in save(figure, Path(folder), "empty")]
        ['empty.png', 'empty.pdf']
    """
    png, pdf = Path(directory) / f"{name}.png", Path(directory) / f"{name}.pdf"
    with house_style():
        figure.savefig(png, metadata={"Software": None})
        figure.savefig(pdf, metadata={"CreationDate": None})
    return png, pdf
