r"""Claim A5: lower source complexity, better few-shot transfer, ResNet-18 on CIFAR-FS.

    ncjax prepare-data --dataset=cifar100 --source=DIR   # holds cifar-100-python.tar.gz or -binary
    ncjax sweep --config=gc_paper/cifar_fs_resnet18:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/cifar_fs_resnet18 --workdir=DIR2

Runs with lower geometric complexity on the 64 source classes are said to have lower CDNV on the 20 target classes and
higher 5-shot accuracy there, along rows of learning rate, batch size and L2 (Munn, Dherin & Gonzalvo 2024, arXiv
2405.15706).

Open in the paper, and our choice: few-shot head, episodes, sweep values, epochs. Chosen: nearest class mean and
ridge, 1,000 episodes of 15 queries, 100 epochs, 3 seeds.

`:small`: ConvNet-4 (16-32-64-64) on 1,280 glyphs of 64 classes and 20 target classes, learning rate and L2, 2 seeds.
About four minutes on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import recipes, variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("A5", "A1")


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "cifar_fs"
    config.model.name = "resnet18"
    config.train.epochs = 100.0
    config.transfer.heads = ("ncm", "ridge_relative")
    config.transfer.episodes = 1_000
    config.sweep.seed = (0, 1, 2)
    recipes.gc_paper_rows(config, "learning_rate", "batch_size", "l2")
    if variant == "small":
        config.data.name = "glyphs"
        config.data.train_per_class = 20
        variants.small_convnet(config)
        config.train.epochs = 24.0
        config.train.batch_size = 32
        config.train.learning_rate = 0.1
        config.sweep.seed = (0, 1)
        config.sweep.points = recipes.rows(learning_rate=(0.05, 0.07, 0.1, 0.14, 0.2), l2=(0.0, 5e-4, 1e-3, 2e-3))
    return config
