"""A data set so small that a run of it takes no time."""

import numpy as np

from ncjax import data


def small_split(seed, per_class, num_classes=3, size=4):
    """Images of noise around one random pattern a class."""
    patterns = np.random.default_rng(0).integers(60, 196, (num_classes, size, size, 1))
    labels = np.repeat(np.arange(num_classes, dtype=np.int32), per_class)
    noise = np.random.default_rng(seed).integers(-50, 50, (len(labels), size, size, 1))
    return data.Split((patterns[labels] + noise).astype(np.uint8), labels, tuple("abcdefgh"[:num_classes]))


def small_dataset():
    """Three classes to train on, two to transfer to, 4×4 pixels."""
    train = small_split(1, per_class=5)
    mean, std = data.pixel_statistics(train.images)
    target = small_split(3, per_class=6, num_classes=2)
    return data.Dataset("small", train, small_split(2, per_class=4), None, target, mean, std)
