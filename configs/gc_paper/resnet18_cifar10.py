r"""Claim A1 in a second network: ResNet-18 on CIFAR-10, rows of learning rate, batch size and L2.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=gc_paper/resnet18_cifar10:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/resnet18_cifar10 --workdir=DIR2

What `vgg13_cifar10` says, with residual connections and batch normalisation, which makes the loss blind to the scale
of most weights (Munn, Dherin & Gonzalvo 2024, arXiv 2405.15706).

Open in the paper, and our choice: the sweeps' values beside the L2 strengths and the batch of 256, epochs, momentum,
schedule, normalisation and augmentation. Chosen: plain SGD at a constant rate with batch normalisation, without
augmentation, 200 epochs, 5 seeds.

`:small`: ResNet-18 of widths 4-8-8-16 on 400 images of Fashion-MNIST (glyphs where it is not prepared), learning rate
and L2, 2 seeds. About three minutes on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
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
    config.data.name = "cifar10"
    config.model.name = "resnet18"
    config.train.epochs = 200.0
    config.measure.checkpoints = 12
    config.sweep.seed = (0, 1, 2, 3, 4)
    recipes.gc_paper_rows(config, "learning_rate", "batch_size", "l2")
    if variant == "small":
        variants.small_images(config, per_class=40)
        config.model.widths = (4, 8, 8, 16)
        variants.small_measure(config)
        config.measure.complexity_samples = 100
        config.train.epochs = 50.0
        config.train.batch_size = 20
        config.train.learning_rate = 0.1
        config.sweep.seed = (0, 1)
        config.sweep.points = recipes.rows(learning_rate=(0.05, 0.1, 0.2, 0.3), l2=(0.0, 1e-3, 3e-3))
    return config
