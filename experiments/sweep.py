"""Trains, measures and transfers a grid of runs.

``python -m experiments.sweep --help`` lists the flags; the code is ``ncjax.cli.sweep``.
"""

from ncjax.cli.sweep import start

if __name__ == "__main__":
    start()
