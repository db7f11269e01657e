r"""Claim A1 on easy images: VGG-11 on MNIST, rows of learning rate, batch size and L2.

    ncjax prepare-data --dataset=mnist --source=DIR   # holds the four original files
    ncjax sweep --config=gc_paper/vgg11_mnist:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/vgg11_mnist --workdir=DIR2

What `vgg13_cifar10` says, where every run is deep in the terminal phase (Munn, Dherin & Gonzalvo 2024, arXiv
2405.15706).

Open in the paper, and our choice: the sweeps' values beside the L2 strengths and the batch of 256, epochs, momentum,
schedule, normalisation and augmentation. Chosen: plain SGD at a constant rate without normalisation or augmentation,
50 epochs, 5 seeds.

`:small`: three dense layers on scikit-learn's 8×8 digits, ten settings on three rows, 5 seeds. About a minute on two
CPU cores.

The full config needs an accelerator; not run yet: no MNIST was at hand.
"""

import ml_collections

from configs import recipes, variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("A1",)


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "mnist"
    config.model.name = "vgg11"
    config.train.epochs = 50.0
    config.measure.checkpoints = 12
    config.sweep.seed = (0, 1, 2, 3, 4)
    recipes.gc_paper_rows(config, "learning_rate", "batch_size", "l2")
    if variant == "small":
        config.data.name = "digits"
        variants.small_mlp(config)
        config.train.epochs = 60.0
        config.train.batch_size = 32
        config.train.learning_rate = 0.1
        config.sweep.points = recipes.rows(
            learning_rate=(0.025, 0.05, 0.1, 0.2), batch_size=(16, 32, 64), l2=(0.0, 2.5e-4, 5e-4, 1e-3, 2e-3)
        )
    return config
