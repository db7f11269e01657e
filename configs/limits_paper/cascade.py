r"""Claim B5: collapse cascades into earlier layers, VGG-13 on CIFAR-10.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=limits_paper/cascade:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=limits_paper/cascade --workdir=DIR2

The variance ratio falls at earlier stages too, later stages first and deeper (Hui, Belkin & Nakkiran 2022, arXiv
2202.08384, preliminary there). Feature maps are averaged over positions.

Open in the paper, and our choice: network, layers, epochs. Chosen: VGG-13 and ResNet-18 with batch normalisation by
the recipe of `train_test_collapse`, 3 seeds.

`:small`: VGG-11 of widths 8-16-32-32-32 with batch normalisation on 600 images of Fashion-MNIST (glyphs where it is
not prepared), five learning rates, 3 seeds. About a minute and a half on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import recipes, variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("B5", "B1", "B2")


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "cifar10"
    recipes.terminal_phase(config)
    config.measure.layers = True
    config.sweep.model = ("vgg13", "resnet18")
    config.sweep.seed = (0, 1, 2)
    if variant == "small":
        variants.small_images(config, per_class=60)
        variants.small_vgg(config)
        config.train.epochs = 24.0
        config.train.schedule = "constant"
        config.sweep.model = None
        config.sweep.learning_rate = (0.005, 0.0075, 0.01, 0.015, 0.02)
        config.sweep.seed = (0, 1, 2)
    return config
