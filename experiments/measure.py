"""Measures the collapse of features that any framework saved, or prints what a sweep measured of a run.

``python -m experiments.measure --help`` lists the flags; the code is ``ncjax.cli.measure``.
"""

from ncjax.cli.measure import start

if __name__ == "__main__":
    start()
