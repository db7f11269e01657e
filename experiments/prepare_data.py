"""Prepares a data set once, so that sweeps find it.

``python -m experiments.prepare_data --help`` lists the flags; the code is ``ncjax.cli.prepare_data``.
"""

from ncjax.cli.prepare_data import start

if __name__ == "__main__":
    start()
