r"""Claim A2: a penalty on geometric complexity deepens collapse, VGG-13 on CIFAR-10.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=gc_paper/gc_penalty:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/gc_penalty --workdir=DIR2

Strengths 1e-7, 1e-6 and 1e-4 of the geometric complexity of the embedding in the loss, learning rate 0.01, batch 256,
are said to lower geometric complexity, geometric collapse and CDNV (Munn, Dherin & Gonzalvo 2024, arXiv 2405.15706;
the values are reported by others).

Open in the paper, and our choice: how the penalty is estimated, epochs, seeds. Chosen: one random probe a sample, 200
epochs, 5 seeds, and runs without the penalty to compare with.

`:small`: three dense layers on 1,000 images of Fashion-MNIST (glyphs where it is not prepared), four strengths and
none, 5 seeds. About a minute on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("A2",)


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "cifar10"
    config.model.name = "vgg13"
    config.train.epochs = 200.0
    config.train.batch_size = 256
    config.train.learning_rate = 0.01
    config.measure.checkpoints = 12
    config.sweep.gc_penalty = (0.0, 1e-7, 1e-6, 1e-4)
    config.sweep.seed = (0, 1, 2, 3, 4)
    if variant == "small":
        variants.small_images(config)
        variants.small_mlp(config)
        config.train.epochs = 60.0
        config.train.batch_size = 20
        config.train.learning_rate = 0.05
        config.sweep.gc_penalty = (0.0, 1e-4, 1e-3, 1e-2, 3e-2)
    return config
