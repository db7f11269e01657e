r"""Claim A3: geometric complexity can be estimated cheaply, VGG-13 on CIFAR-10.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=gc_paper/gc_estimators:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/gc_estimators --workdir=DIR2

By few examples, by a masked Jacobian (some input columns) or by few output dimensions (Munn, Dherin & Gonzalvo 2024,
arXiv 2405.15706, three figures); beside them random probes. All are those of `metrics.geometric_complexity`, and an
estimator's standard error is measured: from its errors on the single images.

Open in the paper, and our choice: sizes, number of runs, tolerance. Chosen: 1 to 64 products a sample, four learning
rates of 2 seeds, errors below 10% count as small.

`:small`: ConvNet-4 (16-32-64-64) on 600 images of Fashion-MNIST (glyphs where it is not prepared), exact on 100 of
them. About a minute and a half on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("A3",)


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "cifar10"
    config.model.name = "vgg13"
    config.train.epochs = 100.0
    config.train.batch_size = 256
    config.measure.complexity_samples = 256
    config.measure.checkpoints = 6
    config.measure.estimator_sizes = (1, 2, 4, 8, 16, 32, 64)
    config.sweep.learning_rate = (0.01, 0.02, 0.05, 0.1)
    config.sweep.seed = (0, 1)
    if variant == "small":
        variants.small_images(config, per_class=60)
        variants.small_convnet(config)
        config.train.epochs = 16.0
        config.train.batch_size = 20
        config.measure.complexity_samples = 100
        config.measure.checkpoints = 4
        config.measure.estimator_sizes = (1, 4, 16)
        config.sweep.learning_rate = (0.025, 0.035, 0.05, 0.07, 0.1)
    return config
