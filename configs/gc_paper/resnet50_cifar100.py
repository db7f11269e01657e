r"""Claim A1 with many classes: ResNet-50 on CIFAR-100, rows of learning rate and L2.

    ncjax prepare-data --dataset=cifar100 --source=DIR   # holds cifar-100-python.tar.gz or -binary
    ncjax sweep --config=gc_paper/resnet50_cifar100:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/resnet50_cifar100 --workdir=DIR2

What `vgg13_cifar10` says, with a hundred classes and an embedding of 2,048 features (Munn, Dherin & Gonzalvo 2024,
arXiv 2405.15706).

Open in the paper, and our choice: the sweeps' values beside the L2 strengths and the batch of 256, epochs, momentum,
schedule, normalisation and augmentation. Chosen: plain SGD at a constant rate with batch normalisation, without
augmentation, 200 epochs, 5 seeds.

`:small`: ConvNet-4 (16-32-64-64) with batch normalisation on 1,280 glyphs of 64 classes, six settings on two rows, 2
seeds. About a minute and a half on two CPU cores.

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
    config.data.name = "cifar100"
    config.model.name = "resnet50"
    config.train.epochs = 200.0
    config.measure.checkpoints = 12
    config.sweep.seed = (0, 1, 2, 3, 4)
    recipes.gc_paper_rows(config, "learning_rate", "l2")
    if variant == "small":
        config.data.name = "glyphs"
        config.data.train_per_class = 20
        variants.small_convnet(config)
        config.model.norm = "batch"
        config.train.epochs = 16.0
        config.train.batch_size = 32
        config.train.learning_rate = 0.1
        config.sweep.seed = (0, 1)
        config.sweep.points = recipes.rows(learning_rate=(0.05, 0.1, 0.2, 0.4), l2=(0.0, 1e-3, 3e-3))
    return config
