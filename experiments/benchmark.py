"""Times ncjax and PyTorch side by side on the same work.

python -m experiments.benchmark [--suite=gc,collapse,few_shot,train] [--json=OUT] [--quick]

python -m experiments.benchmark --accelerator [--json=OUT] [--max_seconds=90]

The second form answers, in less than eight minutes on one card, whether everything compiles there, whether it agrees
with the CPU, how fast it is, and which way to run many runs at once is the fastest.

Without PyTorch ncjax is timed alone. `make bench` installs it and runs every suite.
"""

import os
from pathlib import Path

from absl import flags

from ncjax.cli import entry as launch

_SUITES = "gc,gc_estimate,collapse,few_shot,train,sweep,compile,scaling,memory"

SUITE = flags.DEFINE_list("suite", _SUITES, "Suites to run.")
JSON = flags.DEFINE_string("json", None, "File to write everything to.", **launch.SHARED)
QUICK = flags.DEFINE_bool("quick", default=False, help="Tiny sizes: shows that all works, measures nothing.")
REPEATS = flags.DEFINE_integer("repeats", 5, "Timed rounds of a case.", lower_bound=1)
MAX_SECONDS = flags.DEFINE_float(
    "max_seconds",
    120.0,
    "Time for the rounds of one case, of which two are always run; with --accelerator for a stage.",
)
ACCELERATOR = flags.DEFINE_bool(
    "accelerator", default=False, help="Check and time this device; on a CPU the sizes are tiny."
)
TOTAL_SECONDS = flags.DEFINE_float("total_seconds", 460.0, "With --accelerator: no stage goes on for longer.")
PRECISION = flags.DEFINE_enum("precision", "float32", ["float32", "tf32", "bfloat16"], "Of matrix products, on GPUs.")
ONLY = flags.DEFINE_string("only", "", "Run only cases whose title contains this.")
FIGURES = flags.DEFINE_string("figures", None, "Directory for the figures of the suite scaling.")


def main() -> None:
    """Runs the suites that the flags name and prints, and if asked writes, what they measured."""
    import jax

    from experiments.benchmarks.accelerator import run_accelerator
    from experiments.benchmarks.case import Options
    from experiments.benchmarks.run import run_suites

    options = Options(
        quick=bool(QUICK.value) or bool(ACCELERATOR.value and jax.default_backend() == "cpu"),
        repeats=int(REPEATS.value or 1),
        max_seconds=float(MAX_SECONDS.value or 0.0),
        precision=str(PRECISION.value),
        figures=Path(FIGURES.value) if FIGURES.value else None,
        only=str(ONLY.value),
    )
    json_path = Path(JSON.value) if JSON.value else None
    if ACCELERATOR.value:
        run_accelerator(options, json_path, float(TOTAL_SECONDS.value or 0.0))
        return
    run_suites(list(SUITE.value or ()), options, json_path)


def start() -> None:
    """Runs the command."""
    # On a GPU two libraries share the memory: JAX must not take most of it in advance.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    launch.run(main)


if __name__ == "__main__":
    start()
