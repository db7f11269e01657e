"""Measured cases as text for a terminal and as JSON."""

import dataclasses
import math
from typing import Any

from experiments.benchmarks.case import OURS, Case
from experiments.benchmarks.ceiling import Ceiling

_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def show_case(case: Case, ceiling: Ceiling) -> str:
    """Lays one case out."""
    lines = [f"{case.suite} · {case.title}"]
    width = max((len(name) for name in case.timings), default=0)
    for name, timing in case.timings.items():
        rate = 1 / timing.median
        cells = [
            f"  {name:{width}}",
            f"{seconds(timing.median):>9}",
            f"[{seconds(timing.low)}, {seconds(timing.high)}]",
        ]
        if case.items[0]:
            cells.append(f"{quantity(case.items[0] * rate)}{case.items[1]}/s")
        if case.flops:
            cells.append(f"{quantity(case.flops * rate)}FLOP/s ({case.flops * rate / ceiling.flops:.0%} of matmul)")
        if case.bytes:
            cells.append(f"{quantity(case.bytes * rate)}B/s ({case.bytes * rate / ceiling.bytes:.0%} of copy)")
        lines.append("  ".join(cells))
    if not math.isnan(case.ratio):
        lines.append(f"  {case.ratio:.2f}× as fast as {case.best_peer}")
    lines += [f"  {target}" for target in case.targets]
    lines += [f"  {note}" for note in case.notes]
    return "\n".join(lines)


def summary(cases: list[Case]) -> str:
    """One line a case that has a peer or a target."""
    rows = [("suite", "case", "ncjax", "best peer", "ratio", "targets met")]
    for case in cases:
        if OURS not in case.timings and not case.targets:
            continue
        ours = seconds(case.timings[OURS].median) if OURS in case.timings else "-"
        ratio = "-" if math.isnan(case.ratio) else f"{case.ratio:.2f}"
        peer = "-" if case.best_peer is None else seconds(case.timings[case.best_peer].median)
        met = f"{sum(target.met for target in case.targets)} of {len(case.targets)}" if case.targets else "-"
        rows.append((case.suite, case.title, ours, peer, ratio, met))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def to_json(case: Case) -> dict[str, Any]:
    """A case as JSON holds it; numbers that are not finite become null."""
    fields = dataclasses.asdict(case)
    fields["targets"] = [{**dataclasses.asdict(target), "met": target.met} for target in case.targets]
    return _finite({**fields, "ratio": case.ratio, "best_peer": case.best_peer})


def quantity(value: float) -> str:
    """A rate with a prefix.

    Examples:
        >>> quantity(123.4e9), quantity(7.0)
        ('123 G', '7 ')
    """
    for unit, prefix in _UNITS:
        if value >= unit:
            return f"{value / unit:.3g} {prefix}"
    return f"{value:.3g} "


def seconds(value: float) -> str:
    """A wall time in the unit that suits it.

    Examples:
        >>> seconds(0.00321), seconds(12.3)
        ('3.21 ms', '12.3 s')
    """
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
