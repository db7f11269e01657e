"""The claims as aligned text for a terminal."""

import dataclasses
import math
import textwrap
from collections.abc import Sequence

from ncjax.claims import LEVEL, RULE, TERMINAL_ERROR, Finding, LeftOut, When
from ncjax.report.pages.tables import Cell, Column, Table
from ncjax.report.pages.verdict_tables import elsewhere, verdict_cell

_COLUMNS = (
    Column("", width=2),
    Column("evidence", width=57),
    Column("verdict", width=14),
    Column("statistic", width=13),
    Column("value", number=True, width=6),
    Column(f"{LEVEL:.0%} interval", width=16),
    Column("n", number=True, width=5),
)


def claims_text(findings: Sequence[Finding]) -> str:
    """Lays the findings out as a table of at most 120 columns: each claim's headline, its other lines indented below.

    Lines are those at the end of training. What a line says elsewhere stands below it where it is a headline,
    or where its verdict differs.

    Args:
        findings: as `ncjax.claims.evaluate` returns them.

    Returns:
        Lines joined by newlines: the table, then how to read it.

    Examples:
        >>> from ncjax.claims import Verdict
        >>> finding = Finding("B1", "gap", Verdict.SUPPORTED, "log ratio", 1, 4.0, 3.9, 4.1, 12, 6, "settings",
        ...                   headline=True)
        >>> print(claims_text([finding]).splitlines()[2])
        B1 gap supported log ratio 4.00 [ 3.90, 4.10] 12/6
    """
    rows: list[tuple[Cell, ...]] = []
    notes: dict[int, list[str]] = {}
    said: set[tuple[str, str]] = set()
    for finding in findings:
        if finding.when != When.END:
            continue
        rows.append(_row(finding, finding.line if finding.headline else "  " + finding.line))
        wanted = finding.headline or not math.isfinite(finding.low)
        if finding.note and wanted and (finding.claim, finding.note) not in said:
            said.add((finding.claim, finding.note))
            notes[len(rows)] = textwrap.wrap(finding.note, 110, initial_indent="     ", subsequent_indent="     ")
        rows += [_row(other, f"    · {other.when}") for other in elsewhere(finding, findings)]
    head, *lines = Table(_COLUMNS, rows).lines()
    told = [text for number, line in enumerate(lines, start=1) for text in (line, *notes.get(number, ()))]
    ruler = "─" * (sum(column.width for column in _COLUMNS) + len(_COLUMNS) - 1)
    return "\n".join([head, ruler, *told, *textwrap.wrap(_legend(findings), 118)])


def _row(finding: Finding, line: str) -> tuple[Cell, ...]:
    interval = f"[{_number(finding.low)}, {_number(finding.high)}]" if math.isfinite(finding.low) else ""
    count = f"{finding.runs}/{finding.units}" if finding.runs else ""
    value = _number(finding.value) if math.isfinite(finding.value) else ""
    key = finding.claim if finding.headline else ""
    rest = (Cell(text) for text in (finding.statistic, value, interval, count))
    return (Cell(key), Cell(line), verdict_cell(finding), *rest)


def _legend(findings: Sequence[Finding]) -> str:
    ended = [finding for finding in findings if finding.when == When.END]
    most = {
        field.name: max((getattr(finding, field.name) for finding in ended), default=0)
        for field in dataclasses.fields(LeftOut)
    }
    left_out = LeftOut(**most)
    return (
        "Lines are at the end of training; below one is what it says at equal epochs and train loss, where that "
        "differs. n: runs/units that the bootstrap resamples (settings with all their seeds, or runs). Left out: "
        f"{left_out.lost}, {left_out.unsettled} with a final train error above {TERMINAL_ERROR:g}. Verdict: {RULE}."
    )


def _number(value: float) -> str:
    return f"{value:5.2f}" if abs(value) < 100 else f"{value:5.0f}"
