r"""Claim A5 on larger images: ResNet-18 on mini-ImageNet.

    ncjax prepare-data --dataset=mini_imagenet --source=DIR   # an ImageNet folder or csv lists
    ncjax sweep --config=gc_paper/mini_imagenet_resnet18:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=gc_paper/mini_imagenet_resnet18 --workdir=DIR2

What `cifar_fs_resnet18` says, on mini-ImageNet's 64 source and 20 target classes (Munn, Dherin & Gonzalvo 2024, arXiv
2405.15706).

Open in the paper, and our choice: which rows the figure has, few-shot head, epochs. Chosen: learning rate and L2,
nearest class mean and ridge, 100 epochs, 3 seeds.

`:small`: ConvNet-4 (16-32-64-64) on 500 images of five classes of Fashion-MNIST, transferred to the other five (glyphs
where it is not prepared), 2 seeds. With five target classes every episode has the same ones. About a minute and a half
on two CPU cores.

The full config needs an accelerator; not run yet: no ImageNet was at hand.
"""

import ml_collections

from configs import recipes, variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("A5", "A1")


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "mini_imagenet"
    config.model.name = "resnet18"
    config.train.epochs = 100.0
    config.transfer.heads = ("ncm", "ridge_relative")
    config.transfer.episodes = 1_000
    config.sweep.seed = (0, 1, 2)
    recipes.gc_paper_rows(config, "learning_rate", "l2")
    config.train.batch_size = 128  # images are larger
    if variant == "small":
        targets = ("Trouser", "Dress", "Shirt", "Sneaker", "Ankle boot")
        variants.small_images(config, targets=targets)
        variants.small_convnet(config)
        config.train.epochs = 40.0
        config.train.batch_size = 20
        config.train.learning_rate = 0.1
        config.sweep.seed = (0, 1)
        config.sweep.points = recipes.rows(learning_rate=(0.025, 0.05, 0.1, 0.14), l2=(0.0, 5e-4, 1e-3, 2e-3))
    return config
