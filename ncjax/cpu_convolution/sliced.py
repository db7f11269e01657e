"""A convolution with any strides as one matrix product over shifted slices of all images (im2col).

The gradients are what transposition makes of it, at zeros that the compiler drops. With unit strides and wider kernels
`blocked` is the faster way.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.cpu_convolution.geometry import Geometry
from ncjax.cpu_convolution.varying import varying_alike


def forward(
    x: Float[Array, "n h w c"], kernel: Float[Array, "kh kw c features"], *, geometry: Geometry, precision: Any
) -> Float[Array, "n oh ow features"]:
    """The convolution itself.

    Args:
        x: images, channels last.
        kernel: one kernel per output feature.
        geometry: of the convolution.
        precision: of the product.

    Returns:
        Maps of features.
    """
    padded = jnp.pad(x, ((0, 0), *geometry.pads, (0, 0)))
    (row_step, column_step), (height, width) = geometry.strides, geometry.out_size
    shifted = [
        padded[
            :,
            row : row + (height - 1) * row_step + 1 : row_step,
            column : column + (width - 1) * column_step + 1 : column_step,
        ]
        for row in range(geometry.window[0])
        for column in range(geometry.window[1])
    ]
    patches = jnp.concatenate(shifted, axis=-1).reshape(len(x) * height * width, -1)
    flat_kernel = kernel.reshape(-1, kernel.shape[-1])
    return jnp.dot(patches, flat_kernel, precision=precision).reshape(len(x), height, width, -1)


def input_gradient(
    dy: Float[Array, "n oh ow features"],
    kernel: Float[Array, "kh kw c features"],
    *,
    geometry: Geometry,
    precision: Any,
) -> Float[Array, "n h w c"]:
    """The transpose of `forward` in its first argument; arguments as there."""
    x, _ = varying_alike(jnp.zeros((len(dy), *geometry.size, kernel.shape[2]), dy.dtype), dy)
    return jax.vjp(lambda x: forward(x, kernel, geometry=geometry, precision=precision), x)[1](dy)[0]


def kernel_gradient(
    x: Float[Array, "n h w c"], dy: Float[Array, "n oh ow features"], *, geometry: Geometry, precision: Any
) -> Float[Array, "kh kw c features"]:
    """The transpose of `forward` in its second argument; arguments as there."""
    kernel, _ = varying_alike(jnp.zeros((*geometry.window, x.shape[-1], dy.shape[-1]), x.dtype), dy)
    return jax.vjp(lambda kernel: forward(x, kernel, geometry=geometry, precision=precision), kernel)[1](dy)[0]
