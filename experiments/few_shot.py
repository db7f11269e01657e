"""Few-shot accuracy of frozen features from anywhere, over many episodes.

``python -m experiments.few_shot --help`` lists the flags; the code is ``ncjax.cli.few_shot``.
"""

from ncjax.cli.few_shot import start

if __name__ == "__main__":
    start()
