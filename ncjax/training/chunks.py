"""A function of a batch of images applied to whole splits, a chunk at a time."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt8

from ncjax.metrics.platform import platform
from ncjax.training.sharding import batch_devices, divide

Outputs = dict[str, Array]


def images_at_once() -> int:
    """How many images to pass through a network at once when nobody says: 32 on a CPU, 256 elsewhere.

    On a CPU the intermediate values of more images leave the cache: 2,560 images of 28×28 through four layers of 16 to
    64 channels take 144 ms by 32, 217 ms by 256 and 524 ms by 1,024 on two cores.

    Examples:
        >>> images_at_once() >= 32
        True
    """
    return 32 if platform() == "cpu" else 256


def map_chunks(
    function: Callable[[Any], dict[str, Array]], images: UInt8[Array, "n h w c"], chunk: int
) -> dict[str, Array]:
    """Applies a function of a batch of images to any number of them, a chunk at a time.

    Args:
        function: from [chunk, h, w, c] to arrays whose first axis is the sample; what it gives for an image must not
            depend on the others.
        images: [n, h, w, c].
        chunk: images at once.

    Returns:
        The function's results for all n images.

    Examples:
        >>> images = jnp.ones((5, 2, 2, 1), jnp.uint8)
        >>> map_chunks(lambda x: {"sum": x.sum(axis=(1, 2, 3))}, images, chunk=2)["sum"].tolist()
        [4, 4, 4, 4, 4]
    """
    return map_splits(function, {"": images}, chunk)[""]


def map_splits(
    function: Callable[..., Outputs], splits: Mapping[str, UInt8[Array, "_ h w c"]], chunk: int, *shared: Any
) -> dict[str, Outputs]:
    """Applies a function of a batch of images to several splits, in one loop: it is compiled once.

    Args:
        function: as for `map_chunks`.
        splits: images [n, h, w, c] by name, each with its own n, not copied.
        chunk: images at once; a split with fewer is filled up with blank images, whose results are dropped.
        *shared: what else the function needs, as arguments after the images: the devices of a batch axis, which divide
            the chunks, do not see what it closes over.

    Returns:
        The function's results for all images of each split, by name.

    Examples:
        >>> splits = {"train": jnp.ones((5, 2, 2, 1), jnp.uint8), "test": jnp.zeros((1, 2, 2, 1), jnp.uint8)}
        >>> sums = map_splits(lambda x: {"sum": x.sum(axis=(1, 2, 3))}, splits, chunk=2)
        >>> {name: outputs["sum"].tolist() for name, outputs in sums.items()}
        {'train': [4, 4, 4, 4, 4], 'test': [0]}
    """
    sizes = {name: images.shape[0] for name, images in splits.items()}
    # No device of those that share the chunks is left without one if there are as many images.
    chunk = min(chunk, -(-max(sizes.values()) // batch_devices()))
    filled = [
        jnp.pad(images, ((0, max(0, chunk - images.shape[0])), (0, 0), (0, 0), (0, 0))) for images in splits.values()
    ]
    # The last chunk starts early enough to be full: what is seen twice gets the same result twice.
    starts = [[min(first, len(images) - chunk) for first in range(0, len(images), chunk)] for images in filled]
    numbers = [[number] * len(each) for number, each in enumerate(starts)]
    places = (jnp.asarray(np.concatenate(numbers)), jnp.asarray(np.concatenate(starts)))

    def of_chunks(places: tuple[Array, Array], filled: list[Array], *shared: Any) -> Outputs:
        read = [partial(_read, images, chunk) for images in filled]
        return lax.map(lambda place: function(lax.switch(place[0], read, place[1]), *shared), places)

    outputs = divide(of_chunks, places, filled, *shared)
    results, begin = {}, 0
    for name, each in zip(splits, starts, strict=True):
        end, last = begin + len(each), chunk * (len(each) - 1)
        results[name] = {
            key: jnp.concatenate(
                [value[begin : end - 1].reshape(last, *value.shape[2:]), value[end - 1, last - each[-1] :]]
            )[: sizes[name]]
            for key, value in outputs.items()
        }
        begin = end
    return results


def _read(images: Array, chunk: int, start: Array) -> Array:
    return lax.dynamic_slice_in_dim(images, start, chunk)
