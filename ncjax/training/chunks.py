"""A function of a batch of images applied to whole splits, a chunk at a time."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, UInt8

from ncjax.training.sharding import split_batch

Outputs = dict[str, Array]


def images_at_once() -> int:
    """How many images to pass through a network at once when nobody says: 32 on a CPU, 256 elsewhere.

    On a CPU the intermediate values of more images leave the cache: 2,560 images of 28×28 through four layers of 16 to
    64 channels take 144 ms by 32, 217 ms by 256 and 524 ms by 1,024 on two cores.

    Examples:
        >>> images_at_once() >= 32
        True
    """
    return 32 if jax.default_backend() == "cpu" else 256


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
    function: Callable[[Any], Outputs], splits: Mapping[str, UInt8[Array, "_ h w c"]], chunk: int
) -> dict[str, Outputs]:
    """Applies a function of a batch of images to several splits, in one loop: it is compiled once.

    Args:
        function: as for `map_chunks`.
        splits: images [n, h, w, c] by name, each with its own n, not copied.
        chunk: images at once; a split with fewer is filled up with blank images, whose results are dropped.

    Returns:
        The function's results for all images of each split, by name.

    Examples:
        >>> splits = {"train": jnp.ones((5, 2, 2, 1), jnp.uint8), "test": jnp.zeros((1, 2, 2, 1), jnp.uint8)}
        >>> sums = map_splits(lambda x: {"sum": x.sum(axis=(1, 2, 3))}, splits, chunk=2)
        >>> {name: outputs["sum"].tolist() for name, outputs in sums.items()}
        {'train': [4, 4, 4, 4, 4], 'test': [0]}
    """
    sizes = {name: images.shape[0] for name, images in splits.items()}
    chunk = min(chunk, max(sizes.values()))
    filled = [
        jnp.pad(images, ((0, max(0, chunk - images.shape[0])), (0, 0), (0, 0), (0, 0))) for images in splits.values()
    ]
    places, offsets, end = [], {}, 0
    for number, (name, images) in enumerate(zip(splits, filled, strict=True)):
        offsets[name] = end
        for first in range(0, images.shape[0], chunk):
            # The last chunk starts early enough to be full: what is seen twice gets the same result twice.
            start = min(first, images.shape[0] - chunk)
            places.append((number, start, end + start))
        end += images.shape[0]

    def read(images: Array) -> Callable[[Array], Array]:
        return lambda start: lax.dynamic_slice_in_dim(images, start, chunk)

    def step(written: Outputs, place: Array) -> tuple[Outputs, None]:
        images = lax.switch(place[0], [read(images) for images in filled], place[1])
        outputs = function(split_batch(images))
        return {
            name: lax.dynamic_update_slice_in_dim(written[name], value, place[2], axis=0)
            for name, value in outputs.items()
        }, None

    shapes = jax.eval_shape(function, filled[0][:chunk])
    blank = {name: jnp.zeros((end, *shape.shape[1:]), shape.dtype) for name, shape in shapes.items()}
    written, _ = lax.scan(step, blank, jnp.asarray(np.array(places, np.int32)))
    return {
        name: {key: value[offsets[name] : offsets[name] + sizes[name]] for key, value in written.items()}
        for name in splits
    }
