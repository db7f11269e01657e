"""Verdicts in tables: their marks, numbers and intervals as text, and the tables of a report."""

import math
from collections.abc import Sequence

from ncjax.claims import CLAIMS, LEVEL, SAME, Claim, Finding, Verdict
from ncjax.report.pages.tables import Cell, Column, Table, rounded

MARKS = {
    Verdict.SUPPORTED: "✓",
    Verdict.CONTRADICTED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_APPLICABLE: "–",
}
_VERDICT_COLUMNS = (
    Column("verdict"),
    Column("statistic"),
    Column("value", number=True),
    Column(f"{LEVEL:.0%} interval", number=True),
    Column("n", number=True),
)


def headline_table(findings: Sequence[Finding]) -> Table:
    """The line that speaks for each claim, at the end of training and elsewhere.

    Args:
        findings: as `ncjax.claims.evaluate` returns them.

    Returns:
        The table.
    """
    rows = []
    for claim, own in by_claim(findings):
        for finding in (each for each in own if each.headline):
            rows.append((Cell(claim.key, link=f"#{claim.key}", after=f" {claim.title}"), *_verdict_cells(finding)))
            rows += [
                (Cell(f"{claim.key} {other.when}", quiet=True), *_verdict_cells(other))
                for other in elsewhere(finding, own)
            ]
    return Table((Column("claim"), *_VERDICT_COLUMNS), rows)


def evidence_table(findings: Sequence[Finding]) -> Table:
    """Every line of evidence on a claim but those that are the same as at the end by definition.

    Args:
        findings: on the claim.

    Returns:
        The table.
    """
    rows = [
        (Cell(each.line, note="" if each.headline else each.note), Cell(each.when), *_verdict_cells(each))
        for each in findings
        if each.note != SAME
    ]
    return Table((Column("line"), Column("when"), *_VERDICT_COLUMNS), rows)


def by_claim(findings: Sequence[Finding]) -> list[tuple[Claim, list[Finding]]]:
    """Findings claim by claim, a claim without one among them.

    Args:
        findings: as `ncjax.claims.evaluate` returns them.

    Returns:
        Each claim with its findings.
    """
    return [(claim, [finding for finding in findings if finding.claim == claim.key]) for claim in CLAIMS]


def _verdict_cells(finding: Finding) -> tuple[Cell, ...]:
    claimed = "positive" if finding.claimed > 0 else "negative"
    settings = f", {finding.units} settings" if finding.unit == "settings" else ""
    return (
        verdict_cell(finding),
        Cell(f"{finding.statistic}, claimed {claimed}"),
        Cell(rounded(finding.value)),
        Cell(interval_text(finding)),
        Cell(f"{finding.runs} runs{settings}"),
    )


def verdict_cell(finding: Finding) -> Cell:
    """The verdict of a finding.

    Args:
        finding: on a claim.

    Returns:
        The cell.

    Examples:
        >>> verdict_cell(Finding("B1", "gap", Verdict.SUPPORTED, "mean", 1)).text
        'supported'
    """
    return Cell(str(finding.verdict), finding.verdict)


def interval_text(finding: Finding, digits: int = 2) -> str:
    """The interval of a finding.

    Args:
        finding: on a claim.
        digits: behind the point.

    Returns:
        Text; a dash where there is none.

    Examples:
        >>> interval_text(Finding("B1", "gap", Verdict.SUPPORTED, "mean", 1, 0.5, 0.1, 0.9))
        '[0.10, 0.90]'
    """
    if not math.isfinite(finding.low):
        return "–"
    return f"[{rounded(finding.low, digits)}, {rounded(finding.high, digits)}]"


def elsewhere(finding: Finding, findings: Sequence[Finding]) -> list[Finding]:
    """What a line at the end of training says elsewhere, where a reader should know it.

    Args:
        finding: a line at the end of training.
        findings: all.

    Returns:
        Findings on the same line whose verdict differs, or all of them for a headline; none that are the same by
        definition.

    Examples:
        >>> from ncjax.claims import evaluate
        >>> import pandas as pd
        >>> findings = evaluate(pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]}))
        >>> elsewhere(findings[0], findings)
        []
    """
    return [
        other
        for other in findings
        if (other.claim, other.line) == (finding.claim, finding.line)
        and other.when != finding.when
        and other.note != SAME
        and (finding.headline or other.verdict != finding.verdict)
    ]
