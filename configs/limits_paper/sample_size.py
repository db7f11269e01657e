r"""Claim B3: more train data brings less variance on test, ResNet-18 on CIFAR-10.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=limits_paper/sample_size:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=limits_paper/sample_size --workdir=DIR2

Subsets of the train split, balanced and nested: with more samples the test variance of the features is said to fall,
slowly (Hui, Belkin & Nakkiran 2022, arXiv 2202.08384, reported).

Open in the paper, and our choice: sizes, epochs. Chosen: 500 to 50,000 images, 100 epochs each, so that smaller
subsets take fewer steps: the comparison at equal train loss says what that does.

`:small`: three dense layers (256-128-64) at a falling rate on 250 to 4,000 images of Fashion-MNIST (glyphs up to 1,280
where it is not prepared), 5 seeds. About two minutes on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("B3", "B1", "B2")


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "cifar10"
    config.model.name = "resnet18"
    config.train.epochs = 100.0
    config.train.batch_size = 128
    config.train.learning_rate = 0.05
    config.train.momentum = 0.9
    config.sweep.train_samples = (500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000)
    config.sweep.seed = (0, 1, 2)
    if variant == "small":
        variants.small_images(config, per_class=0)
        variants.small_mlp(config)
        config.model.widths = (256, 128, 64)
        config.train.epochs = 60.0
        config.train.batch_size = 20
        config.train.learning_rate = 0.01
        config.train.schedule = "steps"
        real = config.data.name == "fashion_mnist"
        config.sweep.train_samples = (250, 500, 1_000, 2_000, 4_000) if real else (320, 640, 1_280)
        config.sweep.seed = (0, 1, 2, 3, 4)
    return config
