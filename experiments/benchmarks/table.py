"""Measured cases as Markdown, which a terminal shows as well, and as JSON."""

import dataclasses
import math
from typing import Any

from experiments.benchmarks.case import OURS, Case
from experiments.benchmarks.ceiling import Ceiling
from experiments.benchmarks.timing import Timing

CASES = "| work | ncjax | best peer | ratio | rate, share of the ceiling | notes |\n|---|---|---|---|---|---|"
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_VERSIONS = ("jax", "jaxlib", "flax", "numpy", "torch")


def heading(where: dict[str, Any], ceiling: Ceiling) -> str:
    """The command, and the machine that the numbers depend on."""
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items() if name in _VERSIONS)
    limits = "; ".join(
        f"{library} matmul {quantity(rates['flops'])}FLOP/s, copy {quantity(rates['bytes'])}B/s"
        for library, rates in ceiling.by_library.items()
    )
    machine = f"{where['processor']}, {where['threads']} threads, {', '.join(where['devices'])}, {where['precision']}"
    return f"`{where['command']}`\n\n{where['date']}, {machine}; {versions}. Ceilings: {limits}."


def case_line(case: Case, ceiling: Ceiling) -> str:
    """One case as a line of the table that `CASES` begins."""
    ours, peer = case.timings.get(OURS), case.best_peer
    rate = []
    if ours and case.items[0]:
        rate.append(f"{quantity(case.items[0] / ours.median)}{case.items[1]}/s")
    for work, limit, unit in ((case.flops, ceiling.flops, "FLOP/s"), (case.bytes, ceiling.bytes, "B/s")):
        if ours and work:
            rate.append(f"{quantity(work / ours.median)}{unit}, {work / ours.median / limit:.0%}")
    # Where ours is not one contestant but several, as in a curve, all of them are what was measured.
    measured = spread(ours) if ours else "<br>".join(f"{name}: {spread(each)}" for name, each in case.timings.items())
    cells = [
        case.title,
        measured or "–",
        f"{peer}: {spread(case.timings[peer])}" if peer else "–",
        f"{case.ratio:.2f}" if peer else "–",
        "; ".join(rate) or "–",
        "; ".join(case.notes),
    ]
    return f"| {' | '.join(cells)} |"


def target_lines(cases: list[Case]) -> str:
    """The table of all targets; empty where there are none."""
    lines = ["| target | value | aim | |", "|---|---|---|---|"]
    for case in cases:
        for target in case.targets:
            sign, met = ("≥" if target.at_least else "≤"), ("met" if target.met else "**missed**")
            lines.append(f"| {case.title}: {target.name} | {target.value:.3g} | {sign} {target.aim:g} | {met} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def to_json(case: Case) -> dict[str, Any]:
    """A case as JSON holds it."""
    fields = dataclasses.asdict(case)
    fields["targets"] = [{**dataclasses.asdict(target), "met": target.met} for target in case.targets]
    return {**fields, "ratio": case.ratio, "best_peer": case.best_peer}


def finite(value: Any) -> Any:
    """Dicts and lists as JSON takes them: numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def spread(timing: Timing) -> str:
    """Median (quartiles, number of calls)."""
    return f"{seconds(timing.median)} ({seconds(timing.low)} to {seconds(timing.high)}, {timing.repeats})"


def quantity(value: float) -> str:
    """A rate with a prefix.

    Examples:
        >>> quantity(123.4e9), quantity(7.0)
        ('123 G', '7 ')
    """
    scale, prefix = next((each for each in _UNITS if value >= each[0]), (1.0, ""))
    return f"{value / scale:.3g} {prefix}"


def seconds(value: float) -> str:
    """A wall time in the unit that suits it.

    Examples:
        >>> seconds(0.00321), seconds(12.3)
        ('3.21 ms', '12.3 s')
    """
    if value < 1e-3:
        return f"{value * 1e6:.3g} µs"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
