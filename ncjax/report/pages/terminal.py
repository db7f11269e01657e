"""The claims as aligned text for a terminal."""

import dataclasses
import math
import textwrap
from collections.abc import Sequence

from ncjax.claims import LEVEL, MIN_UNITS, RULE, SAME, TERMINAL_ERROR, Finding, LeftOut, Moment

_WIDTHS = (2, 57, 14, 13, 6, 16, 5)


def claims_text(findings: Sequence[Finding]) -> str:
    """Lays the findings out as a table of at most 120 columns: each claim's headline, its other lines indented below.

    Lines are those at the end of training. What a line says at another moment stands below it where it is a headline,
    or where its verdict differs.

    Args:
        findings: as `ncjax.claims.evaluate` returns them.

    Returns:
        Lines joined by newlines: the table, then how to read it.

    Example:
        >>> from ncjax.claims import Verdict
        >>> finding = Finding("B1", "gap", Verdict.SUPPORTED, "log ratio", 1, 4.0, 3.9, 4.1, 12, 6, "settings",
        ...                   headline=True)
        >>> print(claims_text([finding]).splitlines()[2])
        B1 gap supported log ratio 4.00 [ 3.90, 4.10] 12/6
    """
    level = f"{LEVEL:.0%} interval"
    lines = [_row("", "evidence", "verdict", "statistic", "value", level, "n"), "─" * (sum(_WIDTHS) + len(_WIDTHS) - 1)]
    said: set[tuple[str, str]] = set()
    for finding in findings:
        if finding.moment != Moment.END:
            continue
        lines.append(_finding_row(finding, finding.line if finding.headline else "  " + finding.line))
        wanted = finding.headline or not math.isfinite(finding.low)
        if finding.note and wanted and (finding.claim, finding.note) not in said:
            said.add((finding.claim, finding.note))
            lines += textwrap.wrap(finding.note, 110, initial_indent="     ", subsequent_indent="     ")
        lines += [_finding_row(other, f"    · {other.moment}") for other in elsewhere(finding, findings)]
    return "\n".join([*lines, *textwrap.wrap(_legend(findings), 118)])


def elsewhere(finding: Finding, findings: Sequence[Finding]) -> list[Finding]:
    """What a line at the end of training says at the other moments, where a reader should know it.

    Args:
        finding: a line at the end of training.
        findings: all.

    Returns:
        Findings on the same line whose verdict differs, or all of them for a headline; none that are the same by
        definition.

    Example:
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
        and other.moment != finding.moment
        and other.note != SAME
        and (finding.headline or other.verdict != finding.verdict)
    ]


def _finding_row(finding: Finding, line: str) -> str:
    interval = f"[{_number(finding.low)}, {_number(finding.high)}]" if math.isfinite(finding.low) else ""
    count = f"{finding.runs}/{finding.units}" if finding.runs else ""
    value = _number(finding.value) if math.isfinite(finding.value) else ""
    key = finding.claim if finding.headline else ""
    return _row(key, line, str(finding.verdict), finding.statistic, value, interval, count)


def _legend(findings: Sequence[Finding]) -> str:
    ended = [finding for finding in findings if finding.moment == Moment.END]
    most = {
        field.name: max((getattr(finding, field.name) for finding in ended), default=0)
        for field in dataclasses.fields(LeftOut)
    }
    left_out = LeftOut(**most)
    return (
        "Lines are at the end of training; below one is what it says at equal epochs and train loss, where that "
        "differs. n: runs/units that the bootstrap resamples (settings with all their seeds, or runs). Left out: "
        f"{left_out.lost}, {left_out.unsettled} with a final train error above {TERMINAL_ERROR:g}. Verdict: {RULE}; "
        f"fewer than {MIN_UNITS} units decide nothing."
    )


def _number(value: float) -> str:
    return f"{value:5.2f}" if abs(value) < 100 else f"{value:5.0f}"


def _row(*cells: str) -> str:
    right = (4, 6)
    fitted = [
        cell if len(cell) <= width else cell[: width - 1] + "…" for cell, width in zip(cells, _WIDTHS, strict=True)
    ]
    return " ".join(
        f"{cell:>{width}}" if number in right else f"{cell:<{width}}"
        for number, (cell, width) in enumerate(zip(fitted, _WIDTHS, strict=True))
    ).rstrip()
