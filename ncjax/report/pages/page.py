"""The report as one self-contained HTML page: no network, images as data URIs."""

import base64
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pandas as pd

from ncjax.claims import RESAMPLES, RULE, TERMINAL_ERROR, Finding, Verdict, count_lost, final_rows
from ncjax.report.figures.style import PIXELS_PER_INCH
from ncjax.report.pages.change_table import change_table
from ncjax.report.pages.run_table import number_text, run_table, varying_columns
from ncjax.report.pages.sources import SweepState
from ncjax.report.pages.tables import rounded
from ncjax.report.pages.verdict_tables import MARKS, by_claim, evidence_table, headline_table, interval_text


class DrawnFigure(NamedTuple):
    """A figure as it stands on the page.

    Attributes:
        title: a few words.
        claims: keys of the claims that it illustrates.
        image: path of the PNG.
        caption: what is drawn.
        alt: the same for those who cannot see it, in a sentence.

    Examples:
        >>> DrawnFigure("Layers", ("B5",), Path("layers.png"), "…", "…").title
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
    drawn: Sequence[DrawnFigure],
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
        drawn: the figures; their PNG files are read.
        title: of the page.
        command: that makes the report.
        config: of the sweep, nested.
        environment: versions, devices and so on, nested.
        notes: lines that the reader must know, e.g. figures that could not be drawn.
        states: how far each sweep is and what it cost.

    Returns:
        HTML.

    Examples:
        >>> table = pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]})
        >>> html = render_page(table, [], [], title="A & B", command="report", config={}, environment={})
        >>> "<title>A &amp; B</title>" in html
        True
    """
    claims = [(claim, own, evidence_table(own)) for claim, own in by_claim(findings) if own]
    judged = [each for each in claims if not _is_silent(each[1])]
    figures = [with_image(figure) for figure in drawn]
    final = final_rows(table)
    return template("page.html").render(
        title=title,
        command=command,
        headlines=headline_table([finding for _, own, _ in judged for finding in own]),
        claims=judged,
        silent=[(claim, own[0]) for claim, own, _ in claims if _is_silent(own)],
        figures=figures,
        runs=varying_columns(*run_table(table)),
        change=change_table(table),
        counts=_counts(final),
        config=_flat(config),
        environment=_flat(environment),
        notes=notes,
        states=states,
        rule=RULE,
        resamples=f"{RESAMPLES:,}",
    )


def template(name: str) -> jinja2.Template:
    """A page's template.

    Args:
        name: of its file beside this one.

    Returns:
        The template; what it is not given is an error.

    Examples:
        >>> template("page.html").name
        'page.html'
    """
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number_text, "rounded": rounded, "interval": interval_text}
    environment.globals["marks"] = {str(verdict): mark for verdict, mark in MARKS.items()}
    return environment.get_template(name)


def with_image(figure: DrawnFigure) -> dict[str, Any]:
    """A figure as a template takes it: its words, its image as a data URI, its size in pixels on the page.

    Args:
        figure: with the path of its PNG.

    Returns:
        What to show.
    """
    return figure._asdict() | {"uri": _data_uri(figure.image), "size": _shown_size(figure.image)}


def _is_silent(findings: Sequence[Finding]) -> bool:
    """Whether the table says nothing on a claim, for want of columns or of runs."""
    return all(finding.verdict is Verdict.NOT_APPLICABLE for finding in findings)


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


def _flat(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            pairs += _flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, default=str)))
    return pairs
