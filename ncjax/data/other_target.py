"""Transfer to another data set: its test images in the place of the classes held out."""

import dataclasses
import hashlib

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ncjax.data.dataset import Dataset

# Of red, green and blue in grey, ITU-R BT.601, as Pillow has them.
_LUMA = np.array([0.299, 0.587, 0.114])


def with_target(dataset: Dataset, other: Dataset) -> Dataset:
    """A data set whose target classes are those of another one.

    Args:
        dataset: to train on.
        other: whose test images, brought to the size and channels of `dataset`, become the target.

    Returns:
        The data set; pixel statistics stay those of its train split.

    Raises:
        ValueError: the images differ in channels other than grey and colour.

    Examples:
        >>> from ncjax.data.registry import load
        >>> from ncjax.data.spec import DataSpec
        >>> glyphs, digits = load(DataSpec("glyphs", train_per_class=2)), load(DataSpec("digits"))
        >>> with_target(glyphs, digits).target.images.shape
        (500, 28, 28, 1)
    """
    target = dataclasses.replace(other.test, images=conform(other.test.images, dataset.train.images.shape[1:]))
    found = dataclasses.replace(dataset, target=target)
    # Both are known: nothing has to be read for this one.
    vars(found)["sha256"] = hashlib.sha256(f"{dataset.sha256} {other.sha256}".encode()).hexdigest()
    return found


def conform(images: UInt8[np.ndarray, "n h w c"], shape: tuple[int, ...]) -> UInt8[np.ndarray, "n h2 w2 c2"]:
    """Images brought to another size and another number of channels.

    Args:
        images: `[n, h, w, c]` uint8.
        shape: height, width and channels wanted: 1 for grey, 3 for colour.

    Returns:
        `[n, *shape]` uint8, by Pillow's bilinear filter; the images themselves where nothing differs.

    Raises:
        ValueError: the channels cannot be made of each other.

    Examples:
        >>> conform(np.zeros((2, 8, 8, 1), np.uint8), (32, 32, 3)).shape
        (2, 32, 32, 3)
    """
    height, width, channels = shape
    if images.shape[3] != channels:
        if {images.shape[3], channels} != {1, 3}:
            raise ValueError(f"got images of {images.shape[3]} channels, expected {channels}, or 1 against 3")
        images = np.repeat(images, 3, axis=3) if channels == 3 else np.rint(images @ _LUMA).astype(np.uint8)[..., None]
    if images.shape[1:3] == (height, width):
        return images
    result = np.empty((len(images), *shape), np.uint8)
    for image, place in zip(images, result, strict=True):
        for channel in range(channels):
            resized = Image.fromarray(image[..., channel]).resize((width, height), Image.Resampling.BILINEAR)
            place[..., channel] = np.asarray(resized)
    return result
