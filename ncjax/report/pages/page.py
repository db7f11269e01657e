"""The report as one self-contained HTML page: no network, images as data URIs."""

import base64
import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import pandas as pd

from ncjax.claims import (
    CLAIMS,
    LEVEL,
    LOST,
    RESAMPLES,
    RULE,
    SAME,
    TERMINAL_ERROR,
    Finding,
    axis_name,
    count_lost,
    final_rows,
    hyperparameters,
)
from ncjax.report.figures.style import PIXELS_PER_INCH
from ncjax.report.pages.sources import SweepState
from ncjax.report.pages.terminal import elsewhere

FINAL_COLUMNS = {
    "train/loss": "train loss",
    "train/error": "train error",
    "test/error": "test error",
    "train/geometric_complexity": "GC",
    "train/geometric_collapse_tight": "geometric collapse",
    "train/cdnv": "train CDNV",
    "test/cdnv": "test CDNV",
    "train/variance_ratio": "train variance ratio",
    "test/variance_ratio": "test variance ratio",
    "target/cdnv": "target CDNV",
    "target/accuracy_1shot": "1-shot accuracy",
    "target/accuracy_5shot": "5-shot accuracy",
}
# Other hyper-parameters stand in the table of runs where they vary.
ALWAYS_SHOWN = ("learning_rate", "batch_size", "l2", "model", "seed")


class Illustration(NamedTuple):
    """A figure as it stands on the page.

    Attributes:
        title: a few words.
        claims: keys of the claims that it illustrates.
        image: path of the PNG.
        caption: what is drawn.
        alt: the same for those who cannot see it, in a sentence.

    Example:
        >>> Illustration("Layers", ("B5",), Path("layers.png"), "…", "…").title
        'Layers'
    """

    title: str
    claims: tuple[str, ...]
    image: Path
    caption: str
    alt: str


def render_page(
    table: pd.DataFrame,
    findings: Sequence[Finding],
    illustrations: Sequence[Illustration],
    *,
    title: str,
    command: str,
    config: dict[str, Any],
    environment: dict[str, Any],
    notes: Sequence[str] = (),
    states: Sequence[SweepState] = (),
) -> str:
    """Renders the report page.

    Args:
        table: the results table.
        findings: the claims' findings.
        illustrations: the figures; their PNG files are read.
        title: of the page.
        command: that makes the report.
        config: of the sweep, nested.
        environment: versions, devices and so on, nested.
        notes: lines that the reader must know, e.g. figures that could not be drawn.
        states: how far each sweep is and what it cost.

    Returns:
        HTML.

    Example:
        >>> table = pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]})
        >>> html = render_page(table, [], [], title="A & B", command="report", config={}, environment={})
        >>> "<title>A &amp; B</title>" in html
        True
    """
    columns, rows = run_table(table)
    figures = [shown(figure) for figure in illustrations]
    final = final_rows(table)
    return template("page.html").render(
        title=title,
        command=command,
        claims=[(claim, [finding for finding in findings if finding.claim == claim.key]) for claim in CLAIMS],
        figures=figures,
        columns=columns,
        rows=rows,
        counts=_counts(final),
        config=_flat(config),
        environment=_flat(environment),
        notes=notes,
        states=states,
        rule=RULE,
        same=SAME,
        elsewhere=elsewhere,
        level=f"{LEVEL:.0%}",
        resamples=f"{RESAMPLES:,}",
    )


def template(name: str) -> jinja2.Template:
    """A page's template.

    Args:
        name: of its file beside this one.

    Returns:
        The template; what it is not given is an error.

    Example:
        >>> template("page.html").name
        'page.html'
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    surroundings = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    surroundings.filters["number"] = number_text
    return surroundings.get_template(name)


def shown(figure: Illustration) -> dict[str, Any]:
    """A figure as a template takes it: its words, its image as a data URI, its size in pixels on the page.

    Args:
        figure: with the path of its PNG.

    Returns:
        What to show.
    """
    return figure._asdict() | {"uri": _data_uri(figure.image), "size": _shown_size(figure.image)}


def run_table(table: pd.DataFrame) -> tuple[list[str], list[list[Any]]]:
    """The grid of runs with their final values.

    Args:
        table: the results table.

    Returns:
        Column names, and one row a run: run, hyper-parameters, how it ended, last epoch, final values (None where there
        is none).

    Example:
        >>> run_table(pd.DataFrame({"run": [4], "step": [9], "epoch": [1.0], "l2": [0.1], "train/error": [0.5]}))
        (['run', 'L2', 'ended', 'epoch', 'train error'], [[4, 0.1, 'not terminal', 1.0, 0.5]])
    """
    final = final_rows(table)
    # final_rows numbers runs over all workdirs; a reader looks for the numbers of the results file.
    place = ["workdir", "run"] if "workdir" in table else ["run"]
    own = table[place].drop_duplicates().sort_values(place, ignore_index=True)
    swept = [name for name in hyperparameters(final) if name in ALWAYS_SHOWN or final[name].nunique(dropna=False) > 1]
    measured = [name for name in FINAL_COLUMNS if name in final]
    error = final["train/error"] if "train/error" in final else pd.Series(np.nan, final.index)
    ended = np.where(error <= TERMINAL_ERROR, "terminal", "not terminal")
    ended = np.where(final["lost"] == "", ended, final["lost"].map(LOST))
    shown = own.assign(**{name: final[name] for name in swept}, ended=ended)
    epoch = ["epoch"] if "epoch" in final else []
    shown = shown.assign(**{name: final[name] for name in [*epoch, *measured]})
    names = [*place, *map(axis_name, swept), "ended", *epoch, *(FINAL_COLUMNS[name] for name in measured)]
    return names, [[_plain(value) for value in row] for row in shown.itertuples(index=False, name=None)]


def number_text(value: Any) -> str:
    """A value as short text: four significant digits, a dash for nothing.

    Args:
        value: a number, a name or None.

    Returns:
        Text.

    Example:
        >>> number_text(0.0000123456), number_text(12), number_text(None), number_text("terminal")
        ('1.235e-5', '12', '–', 'terminal')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.4g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text


def _counts(final: pd.DataFrame) -> dict[str, Any]:
    settled = final["train/error"] <= TERMINAL_ERROR if "train/error" in final else pd.Series(False, final.index)
    lost = final["lost"] != ""
    return {
        "runs": len(final),
        "terminal": int((settled & ~lost).sum()),
        "unsettled": int((~settled & ~lost).sum()),
        "lost": count_lost(final["lost"]).lost,
    }


def _data_uri(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _shown_size(path: Path) -> tuple[int, int]:
    """Width and height on the page, at 110 pixels to the inch, so that letters are of one size in all figures."""
    pixels = struct.unpack(">II", path.read_bytes()[16:24])
    return round(pixels[0] * 110 / PIXELS_PER_INCH), round(pixels[1] * 110 / PIXELS_PER_INCH)


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)))
    return pairs
