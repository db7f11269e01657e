r"""When does collapse help, and when does it hurt? One sweep over hyper-parameters and time, coarse and fine labels.

    ncjax sweep --config=joint:small --workdir=DIR
    ncjax report --workdir=DIR
    ncjax sweep --config=joint --workdir=DIR2

A1 and A5 vary hyper-parameters and ask for new classes; B4 varies training time and asks for the classes below coarse
labels. Here the same networks are trained on coarse and on fine labels of the same images, over learning rates and
strengths of L2; at every checkpoint the features are probed for the classes below the labels (sub-class transfer) and
for classes never trained on (new-class transfer). One table holds both axes. No paper has it; all choices are ours.

`:small`: VGG-11 of widths 8-16-32-32-32 on 700 images of seven classes of Fashion-MNIST, of three groups, with three
target classes (glyphs by case, with 20 target classes, where it is not prepared). About four minutes on two CPU cores.

The full config is ResNet-18 on CIFAR-100: 64 of the source classes of CIFAR-FS and their superclasses, its 20 target
classes; it needs an accelerator; not run yet: no CIFAR was at hand.
"""

import ml_collections

from configs import variants
from ncjax.sweep import default_config

VARIANTS = ("", "small")
CLAIMS = ("A5", "B4", "A1", "B1")


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The config that the docstring describes.

    Args:
        variant: one of `VARIANTS`.
    """
    variants.check(variant, VARIANTS)
    config = default_config()
    config.data.name = "cifar_fs"
    config.model.name = "resnet18"
    config.train.epochs = 200.0
    config.train.batch_size = 128
    config.measure.checkpoints = 14
    config.measure.fine_probes = True
    config.transfer.episodes = 1_000
    config.sweep.coarse = ("", "superclasses")
    config.sweep.learning_rate = (0.02, 0.05, 0.1)
    config.sweep.l2 = (0.0, 2.5e-4, 5e-4)
    config.sweep.seed = (0, 1, 2)
    if variant == "small":
        variants.small_images(config, targets=("Pullover", "Dress", "Sneaker"))
        real = config.data.name == "fashion_mnist"
        variants.small_vgg(config)
        config.train.epochs = 40.0
        config.train.schedule = "steps"
        config.transfer.ways = 3 if real else 5
        config.measure.checkpoints = 8
        config.sweep.coarse = ("", "groups" if real else "case")
        config.sweep.learning_rate = (0.01, 0.02, 0.03)
        config.sweep.l2 = (0.0, 1e-3)
        config.sweep.seed = (0, 1)
    return config
