r"""Claim B4: more collapse on coarse labels, worse features for the classes below them, ResNet-18 on CIFAR-10.

    ncjax prepare-data --dataset=cifar10 --source=DIR   # holds cifar-10-python.tar.gz or -binary
    ncjax sweep --config=limits_paper/coarse_to_fine:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=limits_paper/coarse_to_fine --workdir=DIR2

Trained on two coarse classes, probed on the ten: as training goes on train variance falls and the probe is said to
get worse (Hui, Belkin & Nakkiran 2022, arXiv 2202.08384, reported). Probed with and without standardised features,
since rescaling may flip the answer (Yang, Steinhardt & Hu 2023), by ridge and by nearest neighbours. `:joint` is
joint.

Open in the paper, and our choice: which coarse classes, the probe, epochs. Chosen: animals against objects, 350
epochs by the recipe of `train_test_collapse`, 5 seeds.

`:small`: VGG-11 of widths 8-16-32-32-32 on 1,000 images of Fashion-MNIST in three groups (glyphs in small letters,
capitals and others where it is not prepared), five learning rates, 2 seeds. About two and a half minutes on two CPU
cores.

`:shallow`: the same with ConvNet-4 (16-32-64-64) by plain SGD, which collapses much less. About two and a half
minutes on two CPU cores.

The full config needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import joint, recipes, variants
from ncjax.sweep import default_config

VARIANTS = ("", "small", "shallow", "joint")
CLAIMS = ("B4", "B1")


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    if variant == "joint":
        return joint.get_config()
    config = default_config()
    config.data.name = "cifar10"
    config.data.coarse = "animals_objects"
    config.model.name = "resnet18"
    recipes.terminal_phase(config)
    config.measure.fine_probes = True
    config.sweep.seed = (0, 1, 2, 3, 4)
    if variant:
        variants.small_images(config)
        config.data.coarse = "groups" if config.data.name == "fashion_mnist" else "case"
        config.sweep.seed = (0, 1)
    if variant == "small":
        variants.small_vgg(config)
        config.train.epochs = 40.0
        config.train.l2 = 1e-3
        config.measure.checkpoints = 9
        config.sweep.learning_rate = (0.01, 0.014, 0.02, 0.025, 0.03)
    if variant == "shallow":
        variants.small_convnet(config)
        config.train.epochs = 40.0
        config.train.batch_size = 20
        config.train.schedule = "constant"
        config.train.momentum = 0.0
        config.measure.checkpoints = 9
        config.sweep.learning_rate = (0.05, 0.06, 0.07, 0.085, 0.1)
    return config
