r"""Claims B1 and B2: collapse on train, not on test; networks, losses, the usual recipe.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=limits_paper/train_test_collapse:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=limits_paper/train_test_collapse --workdir=DIR2

On train the within-class variance keeps falling, on test it stalls or rises (Hui, Belkin & Nakkiran 2022, arXiv
2202.08384); neither strong nor weak collapse is reached on test. VGG-13, ResNet-18 and WRN-28-4, cross-entropy and
squared error, with the recipe of Papyan, Han & Donoho 2020 (arXiv 2008.08186): momentum 0.9, weight decay 5e-4, batch
128, 350 epochs, rate × 0.1 at thirds, no augmentation.

Open in the paper, and our choice: how weak and strong collapse on test are measured: see `held_out_report`. A wide
ResNet stands for the paper's DenseNet; batch normalisation throughout.

`:small`: ConvNet-4 (16-32-64-64) without normalisation and, for both losses, with it (without it squared error
diverges at these rates), two learning rates, on 600 images of Fashion-MNIST (glyphs where it is not prepared), 40
epochs, 2 seeds. About three minutes on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import recipes, variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("B1", "B2")


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "cifar10"
    recipes.terminal_phase(config)
    config.sweep.model = ("vgg13", "resnet18", "wrn28_4")
    config.sweep.loss = ("cross_entropy", "mse")
    config.sweep.seed = (0, 1, 2)
    if variant == "small":
        variants.small_images(config, per_class=60)
        variants.small_convnet(config)
        config.train.epochs = 40.0
        config.train.batch_size = 20
        config.sweep.model = None
        config.sweep.loss = None
        config.sweep.learning_rate = (0.01, 0.02)
        config.sweep.seed = (0, 1)
        config.sweep.points = (
            {"norm": "batch", "loss": "cross_entropy"},
            {"norm": "batch", "loss": "mse"},
            {"norm": "none", "loss": "cross_entropy"},
        )
    return config
