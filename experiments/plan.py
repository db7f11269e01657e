"""Compiles a sweep for accelerators that are not here: does it fit, what do devices say, how long may it take.

``python -m experiments.plan --help`` lists the flags; the code is ``ncjax.cli.plan``.
"""

from ncjax.cli.plan import start

if __name__ == "__main__":
    start()
