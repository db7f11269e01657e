"""Writes a whole report: claims as JSON, figures as PNG and PDF, one HTML page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from ncjax.claims import CLAIMS, LEVEL, RESAMPLES, RULE, Finding, evaluate, final_rows, missing_columns
from ncjax.report import complexity_and_collapse, complexity_and_transfer, layers, train_and_test, trajectories
from ncjax.report.page import Illustration, render_page
from ncjax.report.style import Plate, save

PLATES: tuple[Plate, ...] = (
    trajectories.PLATE,
    complexity_and_collapse.PLATE,
    complexity_and_transfer.PLATE,
    train_and_test.PLATE,
    layers.PLATE,
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
    directory: Path,
    *,
    title: str = "ncjax report",
    command: str = "",
    config: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
    plates: Sequence[Plate] = PLATES,
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
    directory.mkdir(parents=True, exist_ok=True)
    claims = directory / "claims.json"
    claims.write_text(json.dumps(_claims(findings), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    illustrations, notes = _illustrate(table, directory, plates)
    page = directory / "report.html"
    html = render_page(
        table, findings, illustrations, title=title, command=command, config=config or {},
        environment=environment or {}, notes=notes,
    )  # fmt: skip
    page.write_text(html, encoding="utf-8")
    return Report(findings, [figure.image for figure in illustrations], page, claims, notes)


def _illustrate(table: pd.DataFrame, directory: Path, plates: Sequence[Plate]) -> tuple[list[Illustration], list[str]]:
    illustrations, notes = [], []
    for plate in plates:
        missing = missing_columns(table, plate.columns)
        if missing:
            notes.append(f"figure {plate.name} not drawn: the results table lacks {', '.join(missing)}")
            continue
        if final_rows(table)["diverged"].all():
            notes.append(f"figure {plate.name} not drawn: every run diverged")
            continue
        png, _ = save(plate.draw(table), directory, plate.name)
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
