"""The kernel gradient of a convolution of few channels, by XLA's own convolution in the one form that is fast in loops.

On a CPU XLA hands a convolution to Eigen where its operands are in canonical order: images by rows, columns, features;
kernels by rows, columns, inputs, outputs; nothing reversed. It brings other convolutions into that order at the top
level of a program only: in the body of a loop they become plain loops, a hundred times slower, and the gradients that
automatic differentiation writes are of that kind. Written in canonical order from the start they are fast there too.
"""

from typing import Any

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

# Measured at batches of 20 to 128 in a loop: with 1 and 3 channels 1.3 to 2 times as fast as matrix products over
# slices, which are too thin there; with 16 about equal, with more up to six times slower.
_MOST_CHANNELS = 8


def native_pays(x: Array) -> bool:
    """Whether images have so few channels that XLA's convolution gives their kernel gradient faster.

    Args:
      x: the images, channels last.

    Returns:
      Whether to take it.

    Example:
      >>> native_pays(jnp.ones((1, 4, 4, 3))), native_pays(jnp.ones((1, 4, 4, 64)))
      (True, False)
    """
    # Eigen's kernels are for single precision.
    return x.shape[-1] <= _MOST_CHANNELS and x.dtype == jnp.float32


def native_kernel_gradient(
    x: Float[Array, "n h w c"],
    dy: Float[Array, "n oh ow features"],
    pads: tuple[tuple[int, int], tuple[int, int]],
    precision: Any = None,
) -> Float[Array, "kh kw c features"]:
    """The images convolved with dy, their channels taken for images and the images for channels.

    Args:
      x: images of a convolution with unit strides.
      dy: gradient with respect to its result.
      pads: (before, after) of rows and columns.
      precision: as in ``jax.lax.dot``.

    Returns:
      The gradient with respect to the kernel.

    Example:
      >>> native_kernel_gradient(jnp.arange(4.0).reshape(1, 2, 2, 1), jnp.ones((1, 1, 1, 1)), ((0, 0), (0, 0))).ravel()
      Array([0., 1., 2., 3.], dtype=float32)
    """
    gradient = lax.conv_general_dilated(
        x.transpose(3, 1, 2, 0),
        dy.transpose(1, 2, 0, 3),
        (1, 1),
        pads,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision=precision,
    )
    return gradient.transpose(1, 2, 0, 3)
