"""The input gradient of a convolution for many cotangents of the same images, without the products that are zero.

All rows of an image's Jacobian pass the same ReLUs and the same max-pools. Where one cotangent is zero for that reason
all others are: about half of them behind a ReLU, three quarters and more behind a 2 × 2 max-pool. For each output of
the gradient the live inputs are gathered, and only they are multiplied. What is live is found in the cotangents
themselves, so that nothing need be known of the network.

What is not finite may reach more pixels of its image than where all products are made, but no other image and no other
cotangent; a kernel that is not finite reaches them all.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental.layout import Layout, with_layout_constraint
from jaxtyping import Array, Bool, Float, Int

from ncjax.cpu_convolution.geometry import Geometry, Pair
from ncjax.metrics.platform import platform

# Outputs of one product; with fewer channels than this neighbouring pixels go together, which makes it thicker.
_OUTPUTS = 64
# Live inputs of one product, for few and for many channels, and products at once.
_FEW_INPUTS, _MANY_INPUTS, _PRODUCTS = 64, 256, 8

# Measured with ReLUs: with fewer cotangents or features all products at once are faster.
_FEWEST_DIRECTIONS, _FEWEST_FEATURES = 256, 64


def sharing_pays(directions: int, features: int) -> bool:
    """Whether cotangents are so many and so thick that looking for their zeros pays on a CPU, if they have any.

    They have, if they are rows of the Jacobian of the same images behind ReLUs. Those of different images have few in
    common, and take longer for it.

    Args:
        directions: cotangents of each image.
        features: of each.

    Returns:
        Whether to take `input_gradients`.

    Examples:
        >>> sharing_pays(512, 64), sharing_pays(16, 64), sharing_pays(512, 8)
        (True, False, False)
    """
    enough = directions >= _FEWEST_DIRECTIONS and features >= _FEWEST_FEATURES
    return enough and platform() == "cpu"


def input_gradients(
    cotangents: Float[Array, "n oh ow features d"],
    kernel: Float[Array, "kh kw c features"],
    *,
    geometry: Geometry,
    precision: Any = None,
) -> Float[Array, "n h w c d"]:
    """The gradient with respect to its input of a convolution, for d cotangents of each image.

    Args:
        cotangents: the last axis one of them each.
        kernel: one kernel per output feature.
        geometry: of the convolution.
        precision: of the products.

    Returns:
        The gradients, the last axis that of the cotangents.

    Examples:
        >>> geometry = Geometry((1, 2), (1, 3), (1, 1), ((0, 0), (1, 1)))
        >>> kernel = jnp.array([1.0, 3.0, 5.0]).reshape(1, 3, 1, 1)
        >>> input_gradients(jnp.array([0.0, 2.0]).reshape(1, 1, 2, 1, 1), kernel, geometry=geometry).ravel().tolist()
        [2.0, 6.0]
    """
    # In memory too: left to itself the compiler turns the maps here and back again.
    cotangents = with_layout_constraint(cotangents, Layout(major_to_minor=(0, 1, 2, 3, 4)))
    features, directions = cotangents.shape[-2:]
    tile = _tile(kernel.shape[2], geometry)
    step = _FEW_INPUTS if features <= 2 * _FEW_INPUTS else _MANY_INPUTS
    weights = _tile_weights(kernel, tile, geometry)
    around = _sources(tile, geometry)
    tiles = len(around)
    block = min(tiles, _PRODUCTS)
    # Tiles of nothing fill the last block.
    around = np.pad(around, ((0, -tiles % block), (0, 0)), constant_values=math.prod(geometry.out_size))

    def of_image(maps: Array) -> Array:
        flat = maps.reshape(-1, directions)
        lists = _live_lists(_live(maps).reshape(-1, features), around, step)

        def of_block(lists: tuple[Array, Array, Array]) -> Array:
            rows, taps, counts = lists
            # One more than are live, so that every sum meets the weights' last row.
            most = jnp.max(counts) + 1

            def product(start: Array | int) -> Array:
                some, their = (lax.dynamic_slice_in_dim(part, start, step, axis=1) for part in (rows, taps))
                factors = (
                    array.at[places].get(mode="promise_in_bounds") for array, places in ((weights, their), (flat, some))
                )
                return jnp.einsum("bko,bkd->bod", *factors, precision=precision)

            def add_product(state: tuple[Array, Array]) -> tuple[Array, Array]:
                start, total = state
                return start + step, total + product(start)

            begin = jnp.full((), step, counts.dtype), product(0)
            return lax.while_loop(lambda state: state[0] < most, add_product, begin)[1]

        blocks = tuple(part.reshape(-1, block, *part.shape[1:]) for part in lists)
        outputs = lax.map(of_block, blocks)
        return _untiled(outputs.reshape(-1, *outputs.shape[2:])[:tiles], tile, geometry)

    # A loop over one image would copy its maps in and out.
    return of_image(cotangents[0])[None] if len(cotangents) == 1 else lax.map(of_image, cotangents)


def _live(cotangents: Float[Array, "*shape d"]) -> Bool[Array, "*shape"]:
    # The largest magnitude is several times faster than `any`; what is not a number is live.
    return ~(jnp.max(jnp.abs(cotangents), axis=-1) == 0)


def _tile(channels: int, geometry: Geometry) -> Pair:
    """Rows and columns of pixels whose gradients are the outputs of one product: multiples of the strides."""
    rows, columns = geometry.strides
    height, width = geometry.size
    while rows * columns * channels < _OUTPUTS and (rows < height or columns < width):
        if columns >= width or (rows < columns and rows < height):
            rows *= 2
        else:
            columns *= 2
    return rows, columns


def _along(axis: int, geometry: Geometry) -> tuple[int, int, int]:
    """Window, stride and pad before the first pixel along one axis."""
    return geometry.window[axis], geometry.strides[axis], geometry.pads[axis][0]


def _reach(tile: int, window: int, stride: int, before: int) -> tuple[int, int]:
    """Of the cotangents around a tile along one axis the first, from the tile's first pixel on, and how many."""
    first = -((window - 1 - before) // stride)
    return first, (tile - 1 + before) // stride - first + 1


def _tile_weights(kernel: Array, tile: Pair, geometry: Geometry) -> Float[Array, "inputs outputs"]:
    """By what each cotangent around a tile counts for each gradient in it, and a row of zeros behind the last.

    The zeros are not numbers if the kernel is not finite: a network that has diverged must not look as if it had not.
    """
    channels, features = kernel.shape[2:]
    (height, width), nothing = geometry.window, math.prod(geometry.window)

    def positions(axis: int) -> np.ndarray:
        window, stride, before = _along(axis, geometry)
        first, count = _reach(tile[axis], window, stride, before)
        # Output o of a convolution meets its input i at position i + before - stride o of the kernel.
        return np.arange(tile[axis])[None, :] + before - stride * (first + np.arange(count))[:, None]

    row, column = positions(0)[:, None, :, None], positions(1)[None, :, None, :]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    place = np.where(inside, row * width + column, nothing).reshape(-1, math.prod(tile))
    taps = jnp.pad(kernel.reshape(nothing, channels, features), ((0, 1), (0, 0), (0, 0)))
    weights = taps[place].transpose(0, 3, 1, 2).reshape(-1, math.prod(tile) * channels)
    # The barrier: of a kernel that is a constant the compiler would find it out itself, in seconds.
    is_finite = jnp.all(jnp.isfinite(lax.optimization_barrier(kernel)))
    nothing_more = jnp.where(is_finite, 0.0, jnp.nan).astype(weights.dtype)
    return jnp.concatenate([weights, jnp.broadcast_to(nothing_more, (1, weights.shape[1]))])


def _sources(tile: Pair, geometry: Geometry) -> Int[np.ndarray, "tiles around"]:
    """The pixels of the cotangents around every tile, row by row; one past the last where there is none."""

    def places(axis: int) -> np.ndarray:
        window, stride, before = _along(axis, geometry)
        first, count = _reach(tile[axis], window, stride, before)
        found = np.arange(0, geometry.size[axis], tile[axis])[:, None] // stride + first + np.arange(count)
        return np.where((found >= 0) & (found < geometry.out_size[axis]), found, -1)

    rows, columns = places(0)[:, None, :, None], places(1)[None, :, None, :]
    pixels = np.where((rows < 0) | (columns < 0), math.prod(geometry.out_size), rows * geometry.out_size[1] + columns)
    return pixels.reshape(rows.shape[0] * columns.shape[1], -1)


def _live_lists(
    live: Bool[Array, "pixels features"], around: Int[np.ndarray, "tiles around"], step: int
) -> tuple[Int[Array, "tiles most"], Int[Array, "tiles most"], Int[Array, " tiles"]]:
    """For every tile its live inputs: their rows in the flat cotangents, in the weights, and how many they are.

    The lists go on with the tile's first input and the weights' row of zeros.
    """
    features, (tiles, sources) = live.shape[1], around.shape
    inputs = sources * features
    most = math.ceil((inputs + 1) / step) * step
    counted = jnp.pad(live, ((0, 1), (0, 0)))[around].reshape(tiles, inputs)
    pixels = jnp.asarray(np.minimum(around, len(live) - 1), jnp.int32)
    rows = (pixels[:, :, None] * features + jnp.arange(features, dtype=jnp.int32)[None, None]).reshape(tiles, inputs)
    places = jnp.cumsum(counted, axis=1, dtype=jnp.int32)
    where = jnp.arange(tiles)[:, None], jnp.where(counted, places - 1, most)
    taps = jnp.full((tiles, most), inputs, jnp.int32)
    taps = taps.at[where].set(jnp.broadcast_to(jnp.arange(inputs, dtype=jnp.int32), (tiles, inputs)), mode="drop")
    return jnp.broadcast_to(rows[:, :1], (tiles, most)).at[where].set(rows, mode="drop"), taps, places[:, -1]


def _untiled(tiles: Array, tile: Pair, geometry: Geometry) -> Float[Array, "h w c d"]:
    """Puts the tiles' pixels in their places; what sticks out of the map goes."""
    height, width = geometry.size
    across, directions = math.ceil(width / tile[1]), tiles.shape[-1]
    parts = tiles.reshape(-1, across, *tile, tiles.shape[-2] // math.prod(tile), directions)
    parts = parts.transpose(0, 2, 1, 3, 4, 5)
    return parts.reshape(-1, across * tile[1], *parts.shape[4:])[:height, :width]
