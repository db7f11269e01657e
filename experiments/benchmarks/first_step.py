"""Takes the first step of a sweep in a process of its own and prints how long that took, as JSON.

python -m experiments.benchmarks.first_step --config=configs/quickstart.py [--compilation_cache=DIR|off]
"""

import json
import time

from ml_collections import config_flags

from ncjax.cli import entry as launch

CONFIG = config_flags.DEFINE_config_file("config", None, "File of the experiment.")
_BEGAN = time.perf_counter()


def main() -> None:
    """Prepares the first group of the sweep's runs and takes one step; the last line is the JSON."""
    from experiments.benchmarks.pipeline import first_group
    from ncjax.sweep.workdir.environment import count_compilations

    with count_compilations() as compilations:
        group = first_group(CONFIG.value)
        prepared = time.perf_counter()
        group.advance(start=0, steps=1, measuring=False)
    seconds = {
        "to_first_step": time.perf_counter() - _BEGAN,
        "preparing": prepared - _BEGAN,
        "compiling": compilations.seconds,
        "programs": compilations.count,
    }
    print(json.dumps(seconds))


if __name__ == "__main__":
    launch.run(main)
