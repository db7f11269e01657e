r"""Which number predicts transfer? Complexity, collapse, ranks, flatness and transferability scores on the same runs.

    ncjax sweep --config=rivals:small --workdir=DIR
    ncjax rivals --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=rivals --workdir=DIR2

A5 says that lower source complexity goes with better transfer; a reader asks: lower than what, better than which other
number? Every measure is taken at the end of the same runs, over learning rate and L2 by plain SGD and by momentum (the
question of Munn & Wei 2025, arXiv 2410.05612), and ranked by its agreement with 5-shot accuracy on new classes. No
paper has this table; all choices are ours.

`:small`: ConvNet-4 (16-32-64-64) on 1,280 glyphs of 64 classes and 20 target classes: 20 settings by plain SGD and 10
with momentum, 2 seeds. About ten minutes on two CPU cores.

The full config is ResNet-18 on CIFAR-FS; it needs an accelerator; not run yet: no CIFAR was at hand.
"""

import itertools

import ml_collections

from configs import variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")

RATES = (0.05, 0.07, 0.1, 0.14, 0.2)
MOMENTUM = 0.9


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
    config.train.batch_size = 128
    config.transfer.episodes = 1_000
    config.measure.checkpoints = 4
    config.measure.directional = True
    config.measure.ranks = True
    config.measure.scores = True
    config.measure.flatness_samples = 256
    config.sweep.seed = (0, 1, 2)
    if variant == "small":
        config.data.name = "glyphs"
        config.data.train_per_class = 20
        variants.small_convnet(config)
        config.train.epochs = 24.0
        config.train.batch_size = 32
        config.measure.checkpoints = 4
        config.sweep.seed = (0, 1)
    # A step of momentum m goes 1/(1 - m) times as far as one without.
    plain = itertools.product((0.0,), RATES, (0.0, 5e-4, 1e-3, 2e-3))
    heavy = itertools.product((MOMENTUM,), ((1 - MOMENTUM) * rate for rate in RATES), (0.0, 1e-3))
    config.sweep.points = tuple(
        {"sweep": "momentum" if momentum else "sgd", "momentum": momentum, "learning_rate": round(rate, 6), "l2": l2}
        for momentum, rate, l2 in (*plain, *heavy)
    )
    return config
