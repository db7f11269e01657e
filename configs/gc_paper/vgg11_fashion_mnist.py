r"""Claim A1 on Fashion-MNIST: VGG-11, rows of learning rate and L2.

    ncjax prepare-data --dataset=fashion_mnist --source=/usr/share/datasets/fashion-mnist
    ncjax sweep --config=gc_paper/vgg11_fashion_mnist:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/vgg11_fashion_mnist --workdir=DIR2

What `vgg13_cifar10` says; one of the paper's own figures on data that a machine without internet can have (Munn,
Dherin & Gonzalvo 2024, arXiv 2405.15706).

Open in the paper, and our choice: the sweeps' values beside the L2 strengths and the batch of 256, epochs, momentum,
schedule, normalisation and augmentation. Chosen: plain SGD at a constant rate without normalisation or augmentation,
100 epochs, 5 seeds.

`:small`: ConvNet-4 (16-32-64-64) on 1,000 images, nine settings on two rows, 2 seeds. About three minutes on two CPU
cores.

The full config needs an accelerator: nine settings of 5 seeds on 60,000 images.
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
    config.data.name = "fashion_mnist"
    config.model.name = "vgg11"
    config.train.epochs = 100.0
    config.measure.checkpoints = 12
    config.sweep.seed = (0, 1, 2, 3, 4)
    recipes.gc_paper_rows(config, "learning_rate", "l2")
    if variant == "small":
        variants.small_images(config)
        variants.small_convnet(config)
        config.train.epochs = 40.0
        config.train.batch_size = 20
        config.train.learning_rate = 0.1
        config.sweep.seed = (0, 1)
        config.sweep.points = recipes.rows(
            learning_rate=(0.025, 0.035, 0.05, 0.07, 0.1, 0.14), l2=(0.0, 5e-4, 1e-3, 2e-3)
        )
    return config
