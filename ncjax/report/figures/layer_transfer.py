"""At which layer classes are served best: those trained on and new ones, by depth at the end of training."""

import re

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ncjax.claims import final_rows, layer_taps
from ncjax.report.figures.bands import COLOURS, draw_band, legend_beside
from ncjax.report.figures.style import ReportFigure, house_style, panels
from ncjax.report.figures.through_time import excluded_sentence, value_groups

NEW, TRAINED = "new classes", "classes trained on"
_LABELS = {NEW: "new classes (few-shot)", TRAINED: "classes trained on (test)"}
# So many names of layers stand side by side.
_SIDE_BY_SIDE = 4


def draw(table: pd.DataFrame) -> Figure:
    """Draws by depth the accuracy of the nearest class mean on new classes and on those trained on.

    Args:
        table: the results table.

    Returns:
        The figure: a panel for each network; lines are means over runs at their last checkpoint, bands go from the
        smallest to the largest, and a square is the best layer of its line.

    Examples:
        >>> table = pd.DataFrame({"run": [0], "step": 1, "epoch": 1.0, "target_layer/block1/accuracy_5shot": 0.8,
        ...                       "target_layer/embedding/accuracy_5shot": 0.6,
        ...                       "test_layer/block1/ncc_error": 0.5, "test_layer/embedding/ncc_error": 0.1})
        >>> [label.get_text() for label in draw(table).axes[0].get_xticklabels()]
        ['block1', 'embedding']
    """
    networks = _networks(table)
    with house_style():
        figure, grid = panels(1, len(networks), sharey=True)
        # The legend stands beside the panels.
        figure.set_figwidth(figure.get_figwidth() + 2.0)
        for axes, (name, rows) in zip(grid[0], networks, strict=True):
            _draw_network(axes, by_depth(rows))
            axes.set_title(name if len(networks) > 1 else "")
        grid[0, 0].set_ylabel("accuracy of the nearest class mean")
        legend_beside(grid[0, -1])
    return figure


def by_depth(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy of the nearest class mean at the end of each run that was not lost, layer by layer.

    Args:
        table: the results table.

    Returns:
        A row for each run and layer, from input to output: its number, the layer's ``depth`` and ``tap``, and the
        accuracies `NEW`, at the largest number of shots, and `TRAINED`, on test.

    Examples:
        >>> table = pd.DataFrame({"run": [0], "step": 1, "target_layer/embedding/accuracy_5shot": 0.75,
        ...                       "test_layer/embedding/ncc_error": 0.5})
        >>> by_depth(table).to_dict("records")
        [{'run': 0, 'depth': 0, 'tap': 'embedding', 'new classes': 0.75, 'classes trained on': 0.5}]
    """
    final, shots = _final(table), _shots(table)
    columns = {tap: (f"target_layer/{tap}/{shots}", f"test_layer/{tap}/ncc_error") for tap in _taps(table)}
    # A network has the layers that any of its runs has.
    there = {tap: pair for tap, pair in columns.items() if final[list(pair)].notna().any(axis=None)}
    return pd.DataFrame(
        {"run": run, "depth": depth, "tap": tap, NEW: float(row[new]), TRAINED: 1 - float(row[error])}
        for run, row in final.set_index("run").iterrows()
        for depth, (tap, (new, error)) in enumerate(there.items())
    )


def _draw_network(axes: Axes, rows: pd.DataFrame) -> None:
    for number, (column, label) in enumerate(_LABELS.items()):
        draw_band(axes, rows, "depth", column, number, label=label, geometric=False)
        if means := _known_means(rows, column):
            best = max(means, key=means.__getitem__)
            depth = rows.loc[rows["tap"] == best, "depth"].iloc[0]
            axes.plot(depth, means[best], marker="s", markersize=7, color=COLOURS[number], zorder=4)
    taps = rows.drop_duplicates("tap")["tap"].tolist()
    axes.set_xticks(range(len(taps)), taps)
    if len(taps) > _SIDE_BY_SIDE:
        axes.tick_params(axis="x", labelrotation=90)
    axes.set_xlabel("layer, from input to output")


def _known_means(rows: pd.DataFrame, column: str) -> dict[str, float]:
    """Mean over runs by layer, of layers where it is a number."""
    means = rows.groupby("tap", sort=False)[column].mean().dropna()
    return {str(tap): float(value) for tap, value in means.items()}


def _networks(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Last rows by network: layers of different ones do not share a depth."""
    final = _final(table)
    several = "model" in final and final["model"].nunique() > 1
    return [(str(name), rows) for name, rows in value_groups(final, "model" if several else None)]


def _final(table: pd.DataFrame) -> pd.DataFrame:
    final = final_rows(table)
    return final[final["lost"] == ""]


def _shots(table: pd.DataFrame) -> str:
    """The end of the name of the columns at the largest number of shots."""
    found = (re.fullmatch(r"target_layer/.+/accuracy_(\d+)shot", str(name)) for name in table.columns)
    return f"accuracy_{max(int(match[1]) for match in found if match)}shot"


def _taps(table: pd.DataFrame) -> list[str]:
    return layer_taps(table, "target_layer", _shots(table))


def _best(table: pd.DataFrame, column: str) -> str:
    """The layer, or the layer of each network, with the largest mean."""
    networks = _networks(table)
    found = []
    for name, rows in networks:
        if means := _known_means(by_depth(rows), column):
            best = max(means, key=means.__getitem__)
            found.append(f"{best} ({means[best]:.2f})" + (f" of {name}" if len(networks) > 1 else ""))
    return ", ".join(found)


def _caption(table: pd.DataFrame) -> str:
    shots = _shots(table).removeprefix("accuracy_").removesuffix("shot")
    return (
        f"Accuracy of the nearest class mean after each layer: {shots}-shot on classes never trained on, and on test "
        "with the class means of train. Their levels do not compare: they tell different numbers of classes apart. "
        "Layers before the embedding are averaged over positions, which alone may lower their accuracy. "
        "A new class is served best where its line is highest (square), "
        f"here after {_best(table, NEW)}; the classes trained on are served best after {_best(table, TRAINED)}. Means "
        f"at the last checkpoint over {excluded_sentence(table)}; bands from the smallest to the largest."
    )


def _alt(table: pd.DataFrame) -> str:
    return (
        "Two curves of accuracy by layer, for new classes and for those trained on; their highest points are after "
        f"{_best(table, NEW)} and {_best(table, TRAINED)}."
    )


FIGURE = ReportFigure(
    "layer_transfer",
    "Which layer serves new classes best",
    ("B5",),
    ("target_layer/<tap>/accuracy_<shots>shot", "test_layer/<tap>/ncc_error"),
    draw,
    _caption,
    _alt,
)
