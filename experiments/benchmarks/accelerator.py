"""One command for a borrowed card: does all compile, does it agree with the CPU, how fast is it.

Each stage has a time of its own, what fails becomes a row, and the file is written after every row: a run that is
killed keeps what it measured.
"""

import contextlib
import dataclasses
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax

from experiments.benchmarks import collapse, few_shot, gc, peers, sweep, train
from experiments.benchmarks.agreement import agreement, compile_check
from experiments.benchmarks.case import OURS, Case, Options, Row
from experiments.benchmarks.ceiling import measure_ceiling
from experiments.benchmarks.many_runs import many_runs
from experiments.benchmarks.run import surroundings, write
from experiments.benchmarks.table import quantity, spread


@dataclass(frozen=True)
class Stage:
    """A part of the run.

    Attributes:
        name: of the stage.
        rows: from options to rows, one by one.
        precision: of matrix products: float32, tf32, or None for JAX's own choice, which on these cards is tf32.
    """

    name: str
    rows: Callable[[Options], Iterator[Row]]
    precision: str | None = "float32"


def stages() -> tuple[Stage, ...]:
    """All stages, what matters most first."""
    return (
        Stage("compile", compile_check, None),
        Stage("agreement", agreement, None),
        Stage("many_runs", many_runs, None),
        Stage("train", partial(_suite, train.train, "tf32"), "tf32"),
        Stage("few_shot", partial(_suite, few_shot.few_shot, "float32")),
        Stage("gc", partial(_suite, gc.exact, "float32")),
        Stage("collapse", partial(_suite, collapse.collapse, "float32")),
        Stage("sweep", partial(_suite, sweep.sweep, "tf32"), "tf32"),
    )


def run_accelerator(
    options: Options, json_path: Path | None, total_seconds: float = 460.0, chosen: tuple[Stage, ...] | None = None
) -> list[Row]:
    """Runs every stage that the time allows, prints rows as they come and a table at the end."""
    began = time.perf_counter()
    where = surroundings(options)
    print(f"devices: {', '.join(map(str, where['devices']))}; jax {jax.__version__}", flush=True)
    if peers.torch is None:
        print(peers.MISSING)
    # Torch's compiler takes minutes; the peer is torch as it runs at once.
    options = dataclasses.replace(options, repeats=min(options.repeats, 3), compile_peer=False)
    rows: list[Row] = []

    def keep(row: Row) -> None:
        rows.append(row)
        print(row, flush=True)
        if json_path is not None:
            write(json_path, {"surroundings": where, "rows": [dataclasses.asdict(each) for each in rows]})

    for stage in stages() if chosen is None else chosen:
        left = total_seconds - (time.perf_counter() - began)
        if left <= 0:
            keep(Row(stage.name, "left out", note=f"no time left of {total_seconds:.0f} s"))
            continue
        start = time.perf_counter()
        _configure(stage.precision)
        try:
            with _at_most(min(left, options.max_seconds)):
                for row in stage.rows(options):
                    keep(row)
        except (Exception, _OutOfTimeError) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            keep(Row(stage.name, "failed", note=f"{reason} ({Path(last.filename).name}:{last.lineno})"))
        keep(Row(stage.name, "whole stage", time.perf_counter() - start, "s"))
    print("", *rows, sep="\n")
    if json_path is not None:
        print(f"results: {json_path}")
    return rows


class _OutOfTimeError(BaseException):
    """The time of a stage is over. No Exception, which a stage might catch as a case that failed."""


@contextlib.contextmanager
def _at_most(limit: float) -> Iterator[None]:
    """Raises where so many seconds are over, once what then runs outside Python has come back."""

    def stop(*_: Any) -> None:
        raise _OutOfTimeError(f"more than {limit:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    others, _ = signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, others)


def _configure(precision: str | None) -> None:
    if precision is None:
        jax.config.update("jax_default_matmul_precision", None)
    else:
        peers.configure(precision)


def _suite(suite: Callable[[Options], Iterator[Case]], precision: str, options: Options) -> Iterator[Row]:
    ceiling = measure_ceiling(precision, quick=True).flops
    limit = options.max_seconds / 4
    options = dataclasses.replace(options, precision=precision, max_seconds=limit, ceiling_flops=ceiling)
    for case in suite(options):
        count, unit = case.items
        for name, timing in case.timings.items():
            speed = f"{quantity(case.flops / timing.median)}FLOP/s" if case.flops else ""
            ratio = f"{case.ratio:.2f}× {case.best_peer}" if name == OURS and case.best_peer else ""
            note = "; ".join(part for part in (precision, spread(timing), speed, ratio) if part)
            yield Row(case.suite, f"{case.title}: {name}", (count or 1) / timing.median, f"{unit or 'calls'}/s", note)
        for note in case.notes:
            yield Row(case.suite, f"{case.title}: note", note=note)
