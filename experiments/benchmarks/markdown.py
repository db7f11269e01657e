"""The JSON of benchmark runs as tables for a page of the documentation.

python -m experiments.benchmarks.markdown A.json [B.json …] > TABLES.md
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from experiments.benchmarks.case import OURS
from experiments.benchmarks.table import quantity, seconds


def tables(results: Iterable[dict[str, Any]]) -> str:
    """Lays out what runs of the benchmark wrote.

    Examples:
        >>> timing = {"median": 2.0, "low": 1.9, "high": 2.1, "repeats": 3}
        >>> case = {"suite": "gc", "title": "exact", "timings": {"ncjax": timing}, "targets": [], "notes": ["agrees"]}
        >>> case |= {"ratio": None, "best_peer": None, "flops": 1e9, "bytes": 0.0, "items": [4, "images"]}
        >>> where = {"date": "2026-01-01", "processor": "CPU", "threads": 2, "precision": "float32"}
        >>> where |= {"devices": ["cpu:0"], "versions": {"jax": "0.10"}, "command": "python -m experiments.benchmark"}
        >>> ceiling = {"flops": 1e9, "bytes": 1e9, "by_library": {"jax": {"flops": 1e9, "bytes": 1e9}}}
        >>> page = tables([{"surroundings": where, "ceiling": ceiling, "cases": [case]}])
        >>> page.splitlines()[-2]
        '| exact | 2 s (1.9 s to 2.1 s, 3) | – | – | 2 images/s; 500 MFLOP/s, 50% | agrees |'
    """
    return "\n".join(line for result in results for line in _run(result)) + "\n"


def _run(result: dict[str, Any]) -> list[str]:
    where, ceiling = result["surroundings"], result["ceiling"]
    versions = ", ".join(f"{name} {version}" for name, version in where["versions"].items() if name in _VERSIONS)
    limits = "; ".join(
        f"{library} matmul {quantity(rates['flops'])}FLOP/s, copy {quantity(rates['bytes'])}B/s"
        for library, rates in ceiling["by_library"].items()
    )
    machine = f"{where['processor']}, {where['threads']} threads, {', '.join(where['devices'])}, {where['precision']}"
    lines = [f"`{where['command']}`", "", f"{where['date']}, {machine}; {versions}. Ceilings: {limits}.", ""]
    lines += ["| work | ncjax | best peer | ratio | rate, share of the ceiling | notes |", "|---|---|---|---|---|---|"]
    lines += [_case(case, ceiling) for case in result["cases"]]
    aims = [(case, target) for case in result["cases"] for target in case["targets"]]
    if aims:
        lines += ["", "| target | value | aim | |", "|---|---|---|---|"]
        for case, target in aims:
            sign, met = ("≥" if target["at_least"] else "≤"), ("met" if target["met"] else "**missed**")
            value = "–" if target["value"] is None else f"{target['value']:.3g}"
            lines.append(f"| {case['title']}: {target['name']} | {value} | {sign} {target['aim']:g} | {met} |")
    return [*lines, ""]


_VERSIONS = ("jax", "jaxlib", "flax", "numpy", "torch")


def _case(case: dict[str, Any], ceiling: dict[str, Any]) -> str:
    ours = case["timings"].get(OURS)
    peer = case["best_peer"]
    rate = []
    if ours and case["items"][0]:
        rate.append(f"{quantity(case['items'][0] / ours['median'])}{case['items'][1]}/s")
    for unit, name in (("flops", "FLOP/s"), ("bytes", "B/s")):
        if ours and case[unit]:
            speed = case[unit] / ours["median"]
            rate.append(f"{quantity(speed)}{name}, {speed / ceiling[unit]:.0%}")
    # Where ours is not one contestant but several, as in a curve, all of them are what was measured.
    measured = _timing(ours) if ours else "<br>".join(f"{name}: {_timing(t)}" for name, t in case["timings"].items())
    cells = [
        case["title"],
        measured or "–",
        f"{peer}: {_timing(case['timings'][peer])}" if ours and peer else "–",
        f"{case['ratio']:.2f}" if ours and case["ratio"] is not None else "–",
        "; ".join(rate) or "–",
        "; ".join(case["notes"]),
    ]
    return "| " + " | ".join(cells) + " |"


def _timing(timing: dict[str, Any]) -> str:
    """Median (quartiles, number of calls)."""
    spread = f"{seconds(timing['low'])} to {seconds(timing['high'])}, {timing['repeats']}"
    return f"{seconds(timing['median'])} ({spread})"


if __name__ == "__main__":
    sys.stdout.write(tables(json.loads(Path(name).read_text(encoding="utf-8")) for name in sys.argv[1:]))
