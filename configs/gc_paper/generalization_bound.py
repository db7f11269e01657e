r"""Claim A4: a bound through geometric complexity follows the test error, VGG-13 on CIFAR-10.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=gc_paper/generalization_bound:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/generalization_bound --workdir=DIR2

The error of the nearest class mean is at most 16(C − 1)(1 + 2/n)·cdnv, and CDNV at most the Poincaré constant times
geometric collapse; the bound is said not to be vacuous and to track the test error through training (Munn, Dherin &
Gonzalvo 2024, arXiv 2405.15706, reported).

Open in the paper, and our choice: the bound's constants, how the Poincaré constant is known, epochs. Chosen: our
derivation's constants; the constant's lower bound by the images' covariance, which makes the bound look better than
it is; 200 epochs at a constant rate.

`:small`: ConvNet-4 (16-32-64-64) on 1,000 images of Fashion-MNIST (glyphs where it is not prepared), 5 seeds, 11
checkpoints. About a minute on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("A4",)


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
    config.train.learning_rate = 0.05
    config.measure.checkpoints = 16
    config.measure.bounds = True
    config.measure.directional = True
    config.sweep.seed = (0, 1, 2, 3, 4)
    if variant == "small":
        variants.small_images(config)
        variants.small_convnet(config)
        config.train.epochs = 40.0
        config.train.batch_size = 20
        config.train.learning_rate = 0.1
        config.measure.checkpoints = 11
    return config
