"""Writes a whole report: claims as JSON, figures as PNG and PDF, one HTML page."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ncjax.claims import CLAIMS, LEVEL, RESAMPLES, RULE, Finding, count_lost, evaluate, final_rows, missing_columns
from ncjax.paths import StrPath
from ncjax.report.figures import (
    complexity,
    estimators,
    layer_transfer,
    layers,
    quantities_over_epochs,
    rivals,
    sample_size,
    splits,
    train_and_test,
    trajectories,
    transfer_and_collapse,
)
from ncjax.report.figures.style import ReportFigure, save
from ncjax.report.pages.page import DrawnFigure, render_page
from ncjax.report.pages.sources import SweepState

FIGURES: tuple[ReportFigure, ...] = (
    splits.ERROR_FIGURE,
    splits.COLLAPSE_FIGURE,
    splits.DIRECTION_FIGURE,
    trajectories.FIGURE,
    complexity.COLLAPSE_FIGURE,
    estimators.FIGURE,
    quantities_over_epochs.BOUND_FIGURE,
    complexity.TRANSFER_FIGURE,
    rivals.FIGURE,
    complexity.FLATNESS_FIGURE,
    train_and_test.FIGURE,
    quantities_over_epochs.VARIANCE_FIGURE,
    sample_size.FIGURE,
    transfer_and_collapse.PROBE_FIGURE,
    layers.FIGURE,
    layer_transfer.FIGURE,
    transfer_and_collapse.JOINT_FIGURE,
)


class Report(NamedTuple):
    """What a report consists of.

    Attributes:
        findings: every line of evidence.
        figures: paths of the PNG files; a PDF of the same name lies beside each.
        page: path of the HTML page.
        claims: path of the JSON file.
        notes: figures that could not be drawn, and why.

    Examples:
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
    figures: Sequence[ReportFigure] = FIGURES,
    states: Sequence[SweepState] = (),
    plates: Sequence[ReportFigure] | None = None,
) -> Report:
    """Evaluates every claim and writes ``claims.json``, the figures and ``report.html``.

    Args:
        table: the results table.
        directory: made if it is not there; files of an older report are replaced.
        title: of the page.
        command: that makes the report.
        config: of the sweep, nested.
        environment: versions, devices and so on, nested.
        figures: to draw.
        plates: the earlier name of ``figures``.
        states: how far each sweep is and what it cost.

    Returns:
        The findings and the paths.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Examples:
        >>> import tempfile
        >>> table = pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = write_report(table, Path(folder))
        >>> report.page.name, report.notes[0]
        ('report.html', 'figure loss_and_error not drawn: the results table lacks train/loss, epoch')
    """
    figures = renamed_argument(figures, plates)
    findings = evaluate(table)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    claims = directory / "claims.json"
    claims.write_text(json.dumps(_claims(findings), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    drawn, notes = draw_figures(table, directory, figures)
    page = directory / "report.html"
    html = render_page(
        table, findings, drawn, title=title, command=command, config=config or {},
        environment=environment or {}, notes=notes, states=states,
    )  # fmt: skip
    page.write_text(html, encoding="utf-8")
    return Report(findings, [figure.image for figure in drawn], page, claims, notes)


def renamed_argument(figures: Sequence[ReportFigure], plates: Sequence[ReportFigure] | None) -> Sequence[ReportFigure]:
    """The figures, should a caller give them by the earlier name ``plates``.

    Args:
        figures: by the name of today.
        plates: by the earlier name, with a warning.

    Returns:
        The figures to draw.
    """
    if plates is None:
        return figures
    warnings.warn("plates is now figures", DeprecationWarning, stacklevel=3)
    return plates


def draw_figures(
    table: pd.DataFrame, directory: StrPath, figures: Sequence[ReportFigure], suffix: str = ""
) -> tuple[list[DrawnFigure], list[str]]:
    """Draws the figures that a table has the columns for.

    Args:
        table: the results table.
        directory: for PNG and PDF.
        figures: to draw.
        suffix: of the files' names.

    Returns:
        The figures, and a line for each that could not be drawn.
    """
    drawn, notes = [], []
    for wanted in figures:
        missing = missing_columns(table, wanted.columns)
        if missing:
            notes.append(f"figure {wanted.name} not drawn: the results table lacks {', '.join(missing)}")
            continue
        final = final_rows(table)
        if (final["lost"] != "").all():
            notes.append(f"figure {wanted.name} not drawn: no run is left ({count_lost(final['lost']).lost})")
            continue
        if lacking := wanted.lacks(table):
            notes.append(f"figure {wanted.name} not drawn: {lacking}")
            continue
        png, _ = save(wanted.draw(table), directory, wanted.name + suffix)
        drawn.append(DrawnFigure(wanted.title, wanted.claims, png, wanted.caption(table), wanted.alt(table)))
    return drawn, notes


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
