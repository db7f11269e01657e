"""Runs the papers' experiments as far as a small machine can, and writes a page for each with its claims and figures.

``python -m experiments.results --help`` lists the flags; the code is ``ncjax.cli.results``.
"""

from ncjax.cli.results import start

if __name__ == "__main__":
    start()
