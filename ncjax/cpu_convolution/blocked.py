"""A convolution with unit strides as matrix products over shifted slices of a few images at a time.

The patches of a whole batch (im2col) do not fit in a CPU's cache and are written to memory and read back, nine times
the images' size. Made for a few images at a time they stay in the cache, and the products run near the speed of large
matrices. Automatic differentiation would lose that, so both gradients are written here in the same way. For many images
of very few pixels the kernel is written out as one dense matrix instead.
"""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ncjax.cpu_convolution.dense import dense_kernel, dense_kernel_gradient, dense_pays
from ncjax.cpu_convolution.geometry import Geometry

# Bytes of patches made at once: measured on two cores, half or twice as many are as good, the whole batch half as fast.
_PATCH_BYTES = 5 * 2**20


def blocks_pay(geometry: Geometry) -> bool:
    """Whether a convolution has unit strides and a kernel of more than one pixel, of which some is inside the maps.

    Args:
        geometry: of the convolution.

    Returns:
        Whether the functions here are for it.

    Examples:
        >>> blocks_pay(Geometry((4, 4), (3, 3), (1, 1), ((1, 1), (1, 1))))
        True
    """
    inside = all(0 <= pad < size for size, pair in zip(geometry.window, geometry.pads, strict=True) for pad in pair)
    return geometry.strides == (1, 1) and geometry.window != (1, 1) and inside


def forward(
    x: Float[Array, "n h w c"], kernel: Float[Array, "kh kw c features"], *, geometry: Geometry, precision: Any
) -> Float[Array, "n oh ow features"]:
    """The convolution itself.

    Args:
        x: images, channels last.
        kernel: one kernel per output feature.
        geometry: of the convolution.
        precision: of the products.

    Returns:
        Maps of features.
    """
    (height, width), (kernel_height, kernel_width), _, pads = geometry
    images, features = len(x), kernel.shape[-1]
    flat_kernel = kernel.reshape(-1, features)
    if dense_pays(images, height, width):
        product = jnp.dot(x.reshape(images, -1), dense_kernel(kernel, height, width, pads), precision=precision)
        return product.reshape(images, *geometry.out_size, features)

    def of_block(x: Array) -> Array:
        padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
        slices = itertools.chain(*_slices(padded, kernel_height, kernel_width))
        patches = jnp.concatenate([*slices], axis=-1).reshape(-1, len(flat_kernel))
        product = jnp.dot(patches, flat_kernel, precision=precision)
        return product.reshape(len(x), *geometry.out_size, features)

    return _in_blocks(of_block, x, _block(x, kernel, x.shape[-1]))


def input_gradient(
    dy: Float[Array, "n oh ow features"],
    kernel: Float[Array, "kh kw c features"],
    *,
    geometry: Geometry,
    precision: Any,
) -> Float[Array, "n h w c"]:
    """The transpose of `forward` in its first argument: the product at every kernel position, then the shifted sum."""
    (height, width), (kernel_height, kernel_width), _, pads = geometry
    (top, _), (left, _) = pads
    images, channels, features = len(dy), *kernel.shape[2:]
    flat_kernel = kernel.reshape(-1, features).T
    if dense_pays(images, height, width):
        product = jnp.dot(dy.reshape(images, -1), dense_kernel(kernel, height, width, pads).T, precision=precision)
        return product.reshape(images, height, width, channels)

    def of_block(dy: Array) -> Array:
        products = jnp.dot(dy.reshape(-1, features), flat_kernel, precision=precision)
        products = products.reshape(*dy.shape[:3], kernel_height, kernel_width, channels)
        total = jnp.zeros((), dy.dtype)
        for row in range(kernel_height):
            for column in range(kernel_width):
                around = ((0, 0), (row, kernel_height - 1 - row), (column, kernel_width - 1 - column), (0, 0))
                total = total + jnp.pad(products[:, :, :, row, column], around)
        return total[:, top : top + height, left : left + width]

    return _in_blocks(of_block, dy, _block(dy, kernel, channels))


def kernel_gradient(
    x: Float[Array, "n h w c"], dy: Float[Array, "n oh ow features"], *, geometry: Geometry, precision: Any
) -> Float[Array, "kh kw c features"]:
    """The transpose of `forward` in its second argument: the sum over images and pixels of input times dy."""
    (height, width), (kernel_height, kernel_width), _, pads = geometry
    images, channels, features = len(x), x.shape[-1], dy.shape[-1]
    kernel = jax.ShapeDtypeStruct((kernel_height, kernel_width, channels, features), x.dtype)
    if dense_pays(images, height, width):
        product = jnp.dot(x.reshape(images, -1).T, dy.reshape(images, -1), precision=precision)
        return dense_kernel_gradient(product, kernel, height, width, pads)
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    block = _block(dy, kernel, channels)

    def of_block(x: Array, dy: Array) -> Array:
        # Turned by itself, a ninth of the patches' size: a product with its first factor turned is half as fast.
        turned = lax.optimization_barrier(dy.reshape(-1, features).T)
        slices = _slices(x, kernel_height, kernel_width)
        # One product a kernel row copies less; with few channels it is too thin.
        groups = slices if channels >= 16 else [list(itertools.chain(*slices))]
        parts = [jnp.concatenate(group, axis=-1).reshape(turned.shape[1], -1) for group in groups]
        return jnp.concatenate([jnp.dot(turned, part, precision=precision) for part in parts], axis=1)

    def add_block(total: Array, start: Array) -> tuple[Array, None]:
        part = (lax.dynamic_slice_in_dim(array, start, block) for array in (padded, dy))
        return total + of_block(*part), None

    whole = images // block * block
    # The first block begins the sum, since a loop's carry must have the type of what the loop makes.
    total = of_block(padded[:block], dy[:block])
    if whole > block:
        total, _ = lax.scan(add_block, total, jnp.arange(block, whole, block))
    if whole < images:
        total = total + of_block(padded[whole:], dy[whole:])
    return total.T.reshape(kernel.shape)


def _slices(padded: Array, kernel_height: int, kernel_width: int) -> list[list[Array]]:
    """What each position of the kernel sees, by rows and columns of the kernel."""
    height, width = padded.shape[1] - kernel_height + 1, padded.shape[2] - kernel_width + 1
    return [
        [padded[:, row : row + height, column : column + width] for column in range(kernel_width)]
        for row in range(kernel_height)
    ]


def _block(maps: Array, kernel: Any, channels: int) -> int:
    """How many images' patches stay in the cache."""
    patch_bytes = maps.shape[1] * maps.shape[2] * kernel.shape[0] * kernel.shape[1] * channels * maps.dtype.itemsize
    most = max(1, min(len(maps), _PATCH_BYTES // patch_bytes))
    dividing = max(size for size in range(1, most + 1) if len(maps) % size == 0)
    # Blocks of one size spare a copy, if they need not be much smaller for it.
    return dividing if 2 * dividing > most else most


def _in_blocks(of_block: Callable[[Array], Array], maps: Array, block: int) -> Array:
    """Applies a function of images to all of them, some at a time."""
    whole = len(maps) // block * block
    if whole == block == len(maps):
        return of_block(maps)
    done = lax.map(of_block, maps[:whole].reshape(-1, block, *maps.shape[1:]))
    done = done.reshape(whole, *done.shape[2:])
    return done if whole == len(maps) else jnp.concatenate([done, of_block(maps[whole:])])
