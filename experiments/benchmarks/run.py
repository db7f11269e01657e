"""Runs suites, prints each case as it is done and writes them all."""

import dataclasses
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
from experiments.benchmarks.ceiling import measure_ceiling
from experiments.benchmarks.table import CASES, case_line, finite, heading, target_lines, to_json
from ncjax.sweep.workdir.environment import environment

SUITES: dict[str, Callable[[Options], Iterator[Case]]] = {
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
    """Runs suites, keys of `SUITES`, one after another; the file is written after every case."""
    unknown = [name for name in names if name not in SUITES]
    if unknown:
        raise ValueError(f"--suite: got {', '.join(unknown)}, expected names out of {', '.join(SUITES)}")
    peers.configure(options.precision)
    where = surroundings(options)
    if peers.torch is None:
        print(peers.MISSING)
    ceiling = measure_ceiling(options.precision, options.quick)
    options = dataclasses.replace(options, ceiling_flops=ceiling.flops)
    print(f"{heading(where, ceiling)}\n\n{CASES}", flush=True)
    cases: list[Case] = []
    for name in names:
        for case in SUITES[name](options):
            cases.append(case)
            print(case_line(case, ceiling), flush=True)
            if json_path is not None:
                found = [to_json(each) for each in cases]
                write(json_path, {"surroundings": where, "ceiling": dataclasses.asdict(ceiling), "cases": found})
    print(f"\n{target_lines(cases)}")
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
        "processor": _processor_name(),
        "threads": peers.threads(),
        "precision": options.precision,
        "devices": known["devices"],
        "versions": versions,
        "command": shlex.join(["ncjax", "benchmark", *sys.argv[1:]]),
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON; a run that is killed leaves a whole file."""
    part = path.with_name(path.name + ".part")
    text = json.dumps(finite(content), indent=2, ensure_ascii=False, allow_nan=False)
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(path)


def _processor_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
