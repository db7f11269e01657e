r"""Claim A1, main setting: VGG-13 on CIFAR-10, rows of learning rate, batch size and L2.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=gc_paper/vgg13_cifar10:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/vgg13_cifar10 --workdir=DIR2

Runs with lower geometric complexity of the embedding are said to end with lower geometric collapse and lower CDNV on
the train set; a larger learning rate, a smaller batch and more L2 are said to lower it (Munn, Dherin & Gonzalvo 2024,
arXiv 2405.15706, Figure 4).

Open in the paper, and our choice: the sweeps' values beside the L2 strengths and the batch of 256, epochs, momentum,
schedule, normalisation and augmentation. Chosen: plain SGD at a constant rate without normalisation or augmentation,
200 epochs, 5 seeds.

`:small`: ConvNet-4 (16-32-64-64) on 1,280 glyphs of 64 classes, six settings on three rows, 2 seeds. About two
minutes on two CPU cores.

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
    config.model.name = "vgg13"
    config.train.epochs = 200.0
    config.measure.checkpoints = 12
    config.sweep.seed = (0, 1, 2, 3, 4)
    recipes.gc_paper_rows(config, "learning_rate", "batch_size", "l2")
    if variant == "small":
        config.data.name = "glyphs"
        config.data.train_per_class = 20
        variants.small_convnet(config)
        config.train.epochs = 24.0
        config.train.batch_size = 32
        config.train.learning_rate = 0.1
        config.sweep.seed = (0, 1)
        config.sweep.points = recipes.rows(learning_rate=(0.05, 0.1, 0.2), batch_size=(16, 32), l2=(0.0, 5e-4, 1e-3))
    return config
