"""Judges the claims on the results of one or more sweeps, draws the figures and writes the report page.

``python -m experiments.report --help`` lists the flags; the code is ``ncjax.cli.report``.
"""

from ncjax.cli.report import start

if __name__ == "__main__":
    start()
