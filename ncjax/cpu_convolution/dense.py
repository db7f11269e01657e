"""A convolution of very small maps as one matrix product from all inputs of an image to all its outputs.

On a map of 2 × 2 pixels more than half of what a 3 × 3 kernel sees is padding. With the kernel written out as a matrix
only the products that count are left, at the speed of large matrices. Writing it out costs as much as convolving some
250 images: it pays where a kernel meets many.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ncjax.cpu_convolution.geometry import Pair
from ncjax.cpu_convolution.varying import varying_alike

Pads = tuple[Pair, Pair]

# Measured with 512 channels on 2 × 2 pixels: at 128 images slower, at 512 twice as fast.
_MOST_PIXELS, _FEWEST_IMAGES = 4, 256


def dense_pays(images: int, height: int, width: int) -> bool:
    """Whether maps are so small and images so many that the dense way is the faster one.

    Args:
        images: number of them.
        height: of the input map.
        width: of the input map.

    Returns:
        Whether to take it.

    Examples:
        >>> dense_pays(512, 2, 2), dense_pays(512, 4, 4), dense_pays(16, 2, 2)
        (True, False, False)
    """
    return height * width <= _MOST_PIXELS and images >= _FEWEST_IMAGES


def dense_kernel(
    kernel: Float[Array, "kh kw c features"], height: int, width: int, pads: Pads
) -> Float[Array, "inputs outputs"]:
    """A kernel as the matrix by which it maps a whole image.

    Args:
        kernel: of a convolution with unit strides.
        height: of the input map.
        width: of the input map.
        pads: (before, after) of rows and columns.

    Returns:
        [h·w·c, oh·ow·features], linear in the kernel.

    Examples:
        >>> dense_kernel(jnp.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1), 1, 2, ((0, 0), (1, 1))).tolist()
        [[2.0, 1.0], [3.0, 2.0]]
    """
    kernel_height, kernel_width, channels, features = kernel.shape
    out_height, out_width = height + sum(pads[0]) - kernel_height + 1, width + sum(pads[1]) - kernel_width + 1
    # Which position of the kernel takes input pixel i to output pixel o; the one behind the last is all zeros.
    rows = np.arange(height)[:, None] - np.arange(out_height)[None, :] + pads[0][0]
    columns = np.arange(width)[:, None] - np.arange(out_width)[None, :] + pads[1][0]
    row, column = rows[:, None, :, None], columns[None, :, None, :]
    inside = (row >= 0) & (row < kernel_height) & (column >= 0) & (column < kernel_width)
    nothing = kernel_height * kernel_width
    positions = np.where(inside, row * kernel_width + column, nothing).reshape(height * width, out_height * out_width)
    taps = [*kernel.reshape(nothing, channels, features), jnp.zeros((channels, features), kernel.dtype)]
    return jnp.concatenate([jnp.concatenate([taps[o] for o in outputs], axis=1) for outputs in positions])


def dense_kernel_gradient(
    gradient: Float[Array, "inputs outputs"],
    kernel: jax.ShapeDtypeStruct,
    height: int,
    width: int,
    pads: Pads,
) -> Float[Array, "kh kw c features"]:
    """Takes a gradient with respect to `dense_kernel` back to the kernel: sums what is one number there.

    Args:
        gradient: with respect to the matrix.
        kernel: shape and type of the kernel.
        height: of the input map.
        width: of the input map.
        pads: (before, after) of rows and columns.

    Returns:
        With the kernel's shape.

    Examples:
        >>> kernel = jax.ShapeDtypeStruct((1, 3, 1, 1), jnp.float32)
        >>> gradient = jnp.array([[1.0, 10.0], [100.0, 1000.0]])
        >>> dense_kernel_gradient(gradient, kernel, 1, 2, ((0, 0), (1, 1))).ravel().tolist()
        [10.0, 1001.0, 100.0]
    """
    at, _ = varying_alike(jnp.zeros(kernel.shape, kernel.dtype), gradient)
    return jax.vjp(lambda kernel: dense_kernel(kernel, height, width, pads), at)[1](gradient)[0]
