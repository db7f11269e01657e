"""Time to the first step of a sweep, without and with what an earlier start has compiled."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from experiments.benchmarks.case import Case, Options, Target
from experiments.benchmarks.timing import Timing

_QUICKSTART = ("--config=configs/quickstart.py",)
_VGG = (
    *_QUICKSTART,
    "--config.model.name=vgg13",
    "--config.model.widths=()",
    "--config.data.image_size=32",
    "--config.sweep.learning_rate=(0.01,)",
    "--config.sweep.l2=(0.0,)",
    "--config.sweep.seed=(0,)",
)
_TINY = (
    *_QUICKSTART,
    "--config.data.name=digits",
    "--config.model.name=mlp",
    "--config.model.widths=(8,)",
    "--config.measure.complexity_samples=16",
)


def compilation(options: Options) -> Iterator[Case]:
    """Starts Python anew for every number: imports, data, compilation and one step of every run."""
    cases = {"an MLP on digits": _TINY} if options.quick else {"the quickstart": _QUICKSTART, "VGG-13": _VGG}
    for name, arguments in cases.items():
        title = f"time to first step, {name}"
        if not options.wants(title):
            continue
        with tempfile.TemporaryDirectory() as cache:
            cold = first_step(*arguments, f"--compilation_cache={cache}")
            warm = [first_step(*arguments, f"--compilation_cache={cache}") for _ in range(1 if options.quick else 3)]
        second = sorted(start["to_first_step"] for start in warm)[len(warm) // 2]
        compiling = sorted(start["compiling"] for start in warm)[len(warm) // 2]
        yield Case(
            "compile",
            title,
            {
                "ncjax, first start": Timing.of([cold["to_first_step"]]),
                "ncjax, second start": Timing.of([start["to_first_step"] for start in warm]),
            },
            targets=(
                Target("seconds to the first step", cold["to_first_step"], 30.0, at_least=False),
                Target("second start faster", cold["to_first_step"] / second, 5.0),
            ),
            notes=(
                f"{cold['programs']:.0f} programs, compiled in {cold['compiling']:.1f} s, read in {compiling:.1f} s",
                f"all before the step's program: {cold['preparing']:.1f} s, then {warm[0]['preparing']:.1f} s",
            ),
            values={"cold": cold, "warm": warm},
        )


def first_step(*arguments: str) -> dict[str, float]:
    """Runs `first_step` in a process of its own."""
    command = [sys.executable, "-m", "experiments.benchmarks.first_step", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result
