"""Trains, measures and transfers a grid of runs.

python -m experiments.sweep --config=configs/quickstart.py --workdir=DIR [--config.sweep.learning_rate='(0.01, 0.1)']

The same command resumes a sweep that was interrupted.
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from experiments import launch

CONFIG = config_flags.DEFINE_config_file("config", None, "File of the experiment, e.g. configs/quickstart.py.")
WORKDIR = flags.DEFINE_string("workdir", None, "Directory for results; made if it is not there.")
flags.mark_flags_as_required(["config", "workdir"])


def main() -> None:
    """Runs the sweep that the flags describe and says where its results lie."""
    from ncjax.sweep import run_sweep

    workdir = Path(str(WORKDIR.value))
    summary = run_sweep(CONFIG.value, workdir)
    print(
        f"{summary['runs']} runs in {summary['seconds']:.0f} s, {summary['compilations']} programs compiled in "
        f"{summary['compile_seconds']:.0f} s, {summary['peak_memory_bytes'] / 2**30:.1f} GiB of memory at most"
    )
    print(f"results: {workdir / 'results.jsonl'} ({summary['rows']} rows)")
    print(f"next: python -m experiments.report --workdir={workdir}")


if __name__ == "__main__":
    launch.run(main)
