r"""Claim A6: flatness of the learning path controls geometric complexity, VGG-13 on CIFAR-10.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=gc_paper/flatness:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/flatness --workdir=DIR2

Small loss gradients along the path are said to keep geometric complexity small: for a first layer W, ‖∂f/∂x‖² ≤
‖W‖²/‖x‖²·‖∂f/∂W‖² (Munn, Dherin & Gonzalvo 2024, arXiv 2405.15706, after Dherin et al. 2022, arXiv 2209.13083).
Measured beside geometric complexity: the gradient norm of the loss, the trace of its Hessian, its sharpness; and runs
of sharpness-aware minimisation, which seeks flat places on purpose.

Open in the paper, and our choice: the paper gives the argument, not an experiment. Chosen: rows of learning rate and
of the radius of SAM.

`:small`: three dense layers, of which the inequality speaks too, on 1,000 images of Fashion-MNIST (glyphs where it is
not prepared), 5 seeds. About five minutes on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import recipes, variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("A6", "A1")


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
    config.train.learning_rate = 0.02
    config.measure.flatness_samples = 256
    config.measure.checkpoints = 10
    config.sweep.seed = (0, 1, 2, 3, 4)
    config.sweep.points = recipes.rows(learning_rate=(0.005, 0.01, 0.02, 0.05, 0.1), sam_rho=(0.0, 0.02, 0.05, 0.1))
    if variant == "small":
        variants.small_images(config)
        variants.small_mlp(config)
        config.train.epochs = 60.0
        config.train.batch_size = 20
        config.train.learning_rate = 0.05
        config.measure.flatness_samples = 200
        config.measure.first_layer = True
        config.sweep.points = recipes.rows(
            learning_rate=(0.025, 0.035, 0.05, 0.07, 0.1), sam_rho=(0.0, 0.02, 0.05, 0.1)
        )
    return config
