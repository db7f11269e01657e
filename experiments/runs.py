"""Lists the runs of a sweep and picks some of them.

``python -m experiments.runs --help`` lists the flags; the code is ``ncjax.cli.runs``.
"""

from ncjax.cli.runs import start

if __name__ == "__main__":
    start()
