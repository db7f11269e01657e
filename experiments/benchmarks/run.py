"""Runs suites, prints each case as it is done and writes them all."""

import datetime as dt
import json
import platform
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.benchmarks import (
    collapse,
    compilation,
    few_shot,
    gc,
    gc_estimate,
    memory,
    peers,
    scaling,
    sweep,
    train,
)
from experiments.benchmarks.case import Case, Options
from experiments.benchmarks.ceiling import Ceiling, measure_ceiling
from experiments.benchmarks.table import quantity, show_case, summary, to_json
from ncjax.sweep.workdir.environment import environment

Suite = Callable[[Options, Ceiling], Iterator[Case]]

SUITES: dict[str, Suite] = {
    "gc": gc.exact,
    "gc_estimate": gc_estimate.estimate,
    "collapse": collapse.collapse,
    "few_shot": few_shot.few_shot,
    "train": train.train,
    "sweep": sweep.sweep,
    "compile": compilation.compilation,
    "scaling": scaling.scaling,
    "memory": memory.memory,
}


def run_suites(names: list[str], options: Options, json_path: Path | None = None) -> list[Case]:
    """Runs suites one after another."""
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        raise ValueError(f"--suite: got {', '.join(unknown)}, expected names out of {', '.join(SUITES)}")
    peers.configure(options.precision)
    where = surroundings(options)
    print(", ".join(f"{name} {value}" for name, value in where.items() if isinstance(value, str | int)))
    if peers.torch is None:
        print(peers.MISSING)
    ceiling = measure_ceiling(options.precision, options.quick)
    for library, rates in ceiling.by_library.items():
        print(f"ceiling, {library}: matmul {quantity(rates['flops'])}FLOP/s, copy {quantity(rates['bytes'])}B/s")
    cases: list[Case] = []
    for name in names:
        for case in SUITES[name](options, ceiling):
            cases.append(case)
            print("\n" + show_case(case, ceiling), flush=True)
            if json_path is not None:
                _write(json_path, where, ceiling, cases)
    print("\n" + summary(cases))
    if json_path is not None:
        print(f"results: {json_path}")
    return cases


def surroundings(options: Options) -> dict[str, Any]:
    """What the numbers depend on: command, date, device, threads, versions, precision."""
    known = environment()
    versions = dict(known["versions"])
    if peers.torch is not None:
        versions["torch"] = peers.torch.__version__
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "processor": processor_name(),
        "threads": peers.threads(),
        "precision": options.precision,
        "devices": known["devices"],
        "versions": versions,
        "command": shlex.join(["python", "-m", "experiments.benchmark", *sys.argv[1:]]),
    }


def processor_name() -> str:
    """Name of the processor as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _write(path: Path, where: dict[str, Any], ceiling: Ceiling, cases: list[Case]) -> None:
    result = {
        "surroundings": where,
        "ceiling": {"flops": ceiling.flops, "bytes": ceiling.bytes, "by_library": ceiling.by_library},
        "cases": [to_json(case) for case in cases],
    }
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
