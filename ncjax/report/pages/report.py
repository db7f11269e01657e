"""Writes a whole report: claims as JSON, figures as PNG and PDF, one HTML page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ncjax.claims import CLAIMS, LEVEL, RESAMPLES, RULE, Finding, count_lost, evaluate, final_rows, missing_columns
from ncjax.paths import StrPath
from ncjax.report.figures import (
    complexity,
    estimators,
    layers,
    sample_size,
    train_and_test,
    trajectories,
    transfer_and_collapse,
)
from ncjax.report.figures import quantities_over_epochs as courses
from ncjax.report.figures.style import Plate, save
from ncjax.report.pages.page import Illustration, render_page
from ncjax.report.pages.sources import SweepState

PLATES: tuple[Plate, ...] = (
    trajectories.PLATE,
    complexity.COLLAPSE_PLATE,
    estimators.PLATE,
    courses.BOUND_PLATE,
    complexity.TRANSFER_PLATE,
    complexity.FLATNESS_PLATE,
    train_and_test.PLATE,
    courses.VARIANCE_PLATE,
    sample_size.PLATE,
    transfer_and_collapse.PROBE_PLATE,
    layers.PLATE,
    transfer_and_collapse.JOINT_PLATE,
)


class Report(NamedTuple):
    """What a report consists of.

    Attributes:
        findings: every line of evidence.
        figures: paths of the PNG files; a PDF of the same name lies beside each.
        page: path of the HTML page.
        claims: path of the JSON file.
        notes: figures that could not be drawn, and why.

    Example:
        >>> Report._fields[2]
        'page'
    """

    findings: list[Finding]
    figures: list[Path]
    page: Path
    claims: Path
    notes: list[str]


def write_report(
    table: pd.DataFrame,
    directory: StrPath,
    *,
    title: str = "ncjax report",
    command: str = "",
    config: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
    plates: Sequence[Plate] = PLATES,
    states: Sequence[SweepState] = (),
) -> Report:
    """Evaluates every claim and writes ``claims.json``, the figures and ``report.html``.

    Args:
        table: the results table.
        directory: made if it is not there; files of an older report are replaced.
        title: of the page.
        command: that makes the report.
        config: of the sweep, nested.
        environment: versions, devices and so on, nested.
        plates: the figures.
        states: how far each sweep is and what it cost.

    Returns:
        The findings and the paths.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Example:
        >>> import tempfile
        >>> table = pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = write_report(table, Path(folder))
        >>> report.page.name, report.notes[0]
        ('report.html', 'figure trajectories not drawn: the results table lacks train/geometric_complexity, ...')
    """
    findings = evaluate(table)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    claims = directory / "claims.json"
    claims.write_text(json.dumps(_claims(findings), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    illustrations, notes = illustrate(table, directory, plates)
    page = directory / "report.html"
    html = render_page(
        table, findings, illustrations, title=title, command=command, config=config or {},
        environment=environment or {}, notes=notes, states=states,
    )  # fmt: skip
    page.write_text(html, encoding="utf-8")
    return Report(findings, [figure.image for figure in illustrations], page, claims, notes)


def illustrate(
    table: pd.DataFrame, directory: StrPath, plates: Sequence[Plate], suffix: str = ""
) -> tuple[list[Illustration], list[str]]:
    """Draws the figures that a table has the columns for.

    Args:
        table: the results table.
        directory: for PNG and PDF.
        plates: the figures.
        suffix: of the files' names.

    Returns:
        The figures, and a line for each that could not be drawn.
    """
    illustrations, notes = [], []
    for plate in plates:
        missing = missing_columns(table, plate.columns)
        if missing:
            notes.append(f"figure {plate.name} not drawn: the results table lacks {', '.join(missing)}")
            continue
        final = final_rows(table)
        if (final["lost"] != "").all():
            notes.append(f"figure {plate.name} not drawn: no run is left ({count_lost(final['lost']).lost})")
            continue
        png, _ = save(plate.draw(table), directory, plate.name + suffix)
        illustrations.append(Illustration(plate.title, plate.claims, png, plate.caption(table), plate.alt(table)))
    return illustrations, notes


def _claims(findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "rule": RULE,
        "level": LEVEL,
        "resamples": RESAMPLES,
        "claims": [
            {
                "key": claim.key,
                "title": claim.title,
                "statement": claim.statement,
                "source": claim.source,
                "findings": [finding.as_dict() for finding in findings if finding.claim == claim.key],
            }
            for claim in CLAIMS
        ],
    }
