"""What the experiments' variants share: which there are, and the data that they can have offline."""

import ml_collections

from ncjax.data import cache_root, tfds_root

OFFLINE = ("small", "shallow")
"""Variants that take minutes on two CPU cores, with data that a machine without internet can have."""


def check(variant: str, known: tuple[str, ...]) -> None:
    """Refuses a variant that a config does not have.

    Args:
        variant: what stands behind the colon of ``--config=file.py:variant``.
        known: the variants; the empty one is the paper's own setting.

    Raises:
        ValueError: naming those that there are.
    """
    if variant not in known:
        raise ValueError(f"--config: got the variant {variant!r}, expected one of {', '.join(filter(None, known))}")


def small_images(config: ml_collections.ConfigDict, per_class: int = 100, targets: tuple[str, ...] = ()) -> None:
    """Sets a config's data to a few real images: Fashion-MNIST where it is prepared, glyphs otherwise.

    Args:
        config: to change.
        per_class: train images a class.
        targets: classes of Fashion-MNIST to leave out of training and transfer to; glyphs have target classes anyway.
    """
    prepared = any((root / "fashion_mnist").is_dir() for root in (cache_root(), tfds_root()))
    if prepared:
        config.data.name = "fashion_mnist"
        config.data.train_per_class = per_class
        config.data.test_per_class = 100
        config.data.target_per_class = 100
        config.data.target_classes = targets
    else:
        config.data.name = "glyphs"


def small_convnet(config: ml_collections.ConfigDict) -> None:
    """Sets a config's network to four small blocks without normalisation, and measures little.

    Args:
        config: to change.
    """
    config.model.name = "convnet4"
    config.model.widths = (16, 32, 64, 64)
    config.model.norm = "none"
    small_measure(config)


def small_vgg(config: ml_collections.ConfigDict) -> None:
    """Sets a config's network to a narrow VGG-11, whose depth lets it collapse far, and measures little.

    Batch normalisation and momentum train it; rates of 0.005 to 0.03 suit it.

    Args:
        config: to change.
    """
    config.model.name = "vgg11"
    config.model.widths = (8, 16, 32, 32, 32)
    config.model.norm = "batch"
    config.train.batch_size = 20
    config.train.momentum = 0.9
    small_measure(config)


def small_mlp(config: ml_collections.ConfigDict) -> None:
    """Sets a config's network to three small dense layers, and measures little.

    Args:
        config: to change.
    """
    config.model.name = "mlp"
    config.model.widths = (128, 64, 64)
    config.model.norm = "none"
    small_measure(config)


def small_measure(config: ml_collections.ConfigDict) -> None:
    """Measures on few images, at few checkpoints.

    Args:
        config: to change.
    """
    config.measure.complexity_samples = 200
    config.measure.checkpoints = 7
    config.transfer.episodes = 200
