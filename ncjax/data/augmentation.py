"""Augmentation of batches inside a compiled program: pure functions of a key and images. Off by default."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Key

from ncjax.options import check, option


@dataclass(frozen=True)
class Augmentation:
    """What is done to train images, in this order: crop, flip, cutout.

    Raises:
        ValueError: if an option has the wrong type or is negative.

    Examples:
        >>> Augmentation(crop_padding=4, flip=True).active, Augmentation().active
        (True, False)
    """

    crop_padding: int = option(
        0,
        "pixels of zeros around a train image before a window of its size is cut out at random",
        at_least=0,
        zero="no crop",
    )
    flip: bool = option(False, "whether half the train images are mirrored left to right")
    cutout: int = option(
        0, "side in pixels of a square of zeros with a random centre in train images", at_least=0, zero="none"
    )

    def __post_init__(self):
        check(self)

    @property
    def active(self) -> bool:
        """Whether anything is done."""
        return bool(self.crop_padding or self.flip or self.cutout)


def augment(
    augmentation: Augmentation, key: Key[Array, ""], images: Float[Array, "n h w c"]
) -> Float[Array, "n h w c"]:
    """Augments a batch of normalised images, each in its own way.

    Zeros, which fill up crops and cutouts, are the mean pixel of normalised images.

    Args:
        augmentation: what is done; nothing by default.
        key: draws everything; the same key gives the same images.
        images: `[n, h, w, c]`, normalised.

    Returns:
        `[n, h, w, c]`, of the same type.

    Examples:
        >>> images = jnp.arange(4.0).reshape(1, 2, 2, 1)
        >>> bool((augment(Augmentation(), jax.random.key(0), images) == images).all())
        True
    """
    crop_key, flip_key, cutout_key = jax.random.split(key, 3)
    if augmentation.crop_padding:
        images = random_crop(crop_key, images, augmentation.crop_padding)
    if augmentation.flip:
        images = random_flip(flip_key, images)
    if augmentation.cutout:
        images = random_cutout(cutout_key, images, augmentation.cutout)
    return images


def random_crop(key: Key[Array, ""], images: Float[Array, "n h w c"], padding: int) -> Float[Array, "n h w c"]:
    """Pads images with zeros and cuts out windows of their own size at random.

    Source: K. He et al., Deep residual learning for image recognition (2016), section 4.2,
    https://arxiv.org/abs/1512.03385, with padding 4.

    Args:
        key: draws the windows.
        images: a batch.
        padding: pixels on each side.

    Returns:
        The windows.

    Examples:
        >>> random_crop(jax.random.key(0), jnp.ones((3, 8, 8, 1)), padding=2).shape
        (3, 8, 8, 1)
    """
    padded = jnp.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    corners = jax.random.randint(key, (images.shape[0], 2), 0, 2 * padding + 1)
    size = images.shape[1:]
    return jax.vmap(lambda image, corner: lax.dynamic_slice(image, (corner[0], corner[1], 0), size))(padded, corners)


def random_flip(key: Key[Array, ""], images: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """Mirrors each image left to right with probability one half.

    Args:
        key: draws which.
        images: a batch.

    Returns:
        The batch, some images mirrored.

    Examples:
        >>> random_flip(jax.random.key(0), jnp.ones((3, 8, 8, 1))).shape
        (3, 8, 8, 1)
    """
    chosen = jax.random.bernoulli(key, 0.5, (images.shape[0],))
    return jnp.where(chosen[:, None, None, None], images[:, :, ::-1], images)


def random_cutout(key: Key[Array, ""], images: Float[Array, "n h w c"], side: int) -> Float[Array, "n h w c"]:
    """Sets a square of each image to zero; its centre is any pixel, so that it may reach over the edge.

    Source: T. DeVries, G. Taylor, Improved regularization of convolutional neural networks with cutout (2017),
    https://arxiv.org/abs/1708.04552.

    Args:
        key: draws the centres.
        images: a batch.
        side: of the square, in pixels.

    Returns:
        The batch with holes.

    Examples:
        >>> random_cutout(jax.random.key(0), jnp.ones((1, 8, 8, 1)), side=20).sum()
        Array(0., dtype=float32)
    """
    n, height, width, _ = images.shape
    row_key, column_key = jax.random.split(key)

    def inside(key: Key[Array, ""], size: int) -> Array:
        start = jax.random.randint(key, (n,), 0, size) - side // 2
        position = jnp.arange(size)
        return (position[None, :] >= start[:, None]) & (position[None, :] < start[:, None] + side)

    hole = inside(row_key, height)[:, :, None] & inside(column_key, width)[:, None, :]
    return jnp.where(hole[..., None], jnp.zeros((), images.dtype), images)
