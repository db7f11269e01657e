"""Ranks every measure by how well it predicts transfer.

``python -m experiments.rivals --help`` lists the flags; the code is ``ncjax.cli.rivals``.
"""

from ncjax.cli.rivals import start

if __name__ == "__main__":
    start()
