"""The convolution with the signature of JAX's own."""

from collections.abc import Sequence
from typing import Any

from jax import lax
from jaxtyping import Array, Float

from ncjax.cpu_convolution.geometry import Geometry
from ncjax.cpu_convolution.primitive import bilinear_convolution


def matmul_convolution(
    inputs: Float[Array, "n h w c"],
    kernel: Float[Array, "kh kw c features"],
    strides: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: Any = None,
    feature_group_count: int = 1,
    precision: Any = None,
) -> Float[Array, "n oh ow features"]:
    """A two-dimensional convolution written as matrix products over shifted slices (im2col).

    With unit strides the slices of a few images at a time are made and used while they are in the cache, in the
    gradients too. Many rows of a Jacobian at a time share what is zero behind their ReLUs and max-pools.

    Args:
        inputs: images, channels last.
        kernel: one kernel per output feature.
        strides: two steps, rows then columns.
        padding: ``SAME``, ``VALID`` or explicit (before, after) pairs.
        lhs_dilation: not supported, other than ones.
        rhs_dilation: not supported, other than ones.
        dimension_numbers: Flax's layout, NHWC and HWIO, is assumed.
        feature_group_count: not supported, other than one.
        precision: of the matrix product, as in ``jax.lax.dot``.

    Returns:
        What ``jax.lax.conv_general_dilated`` returns for the same arguments.

    Raises:
        ValueError: for dilated or grouped convolutions, and for kernels larger than the padded maps.

    Examples:
        >>> import jax.numpy as jnp
        >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> matmul_convolution(image, jnp.ones((3, 3, 1, 1)), (1, 1), "VALID").item()
        36.0
    """
    del dimension_numbers
    if feature_group_count != 1 or any(d != 1 for d in [*(lhs_dilation or ()), *(rhs_dilation or ())]):
        raise ValueError("lowering: 'matmul' supports neither dilated nor grouped convolutions, use 'xla'")
    window, steps = (int(kernel.shape[0]), int(kernel.shape[1])), (int(strides[0]), int(strides[1]))
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(inputs.shape[1:3], window, steps, padding)
    (top, bottom), (left, right) = padding
    pads = (int(top), int(bottom)), (int(left), int(right))
    geometry = Geometry((inputs.shape[1], inputs.shape[2]), window, steps, pads)
    if min(geometry.out_size) < 1:
        raise ValueError(f"kernel: got a window of {window}, larger than maps of {geometry.size} with pads {pads}")
    return bilinear_convolution(inputs, kernel, geometry, precision)
