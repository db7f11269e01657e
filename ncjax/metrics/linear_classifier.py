"""Kernel and bias of a linear classifier, checked against the statistics of the features that it reads."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike, as_float
from ncjax.metrics.class_stats import ClassStats


def check_kernel(stats: ClassStats, kernel: ArrayLike) -> Float[Array, "d C"]:
    """Kernel of a classifier in the statistics' precision.

    Args:
        stats: Statistics by class.
        kernel: [d, C] kernel, as in a Dense layer.

    Returns:
        [d, C] floats.

    Raises:
        ValueError: The shape does not fit; a transposed kernel, as PyTorch keeps it, is named.
    """
    array = as_float("kernel", kernel, ndim=2)
    expected = (stats.dim, stats.num_classes)
    if array.shape != expected:
        hint = ": transpose it" if array.shape == expected[::-1] else ""
        raise ValueError(f"kernel must have shape (d, C) = {expected}, got {array.shape}{hint}")
    return array.astype(stats.means.dtype)


def check_bias(stats: ClassStats, bias: ArrayLike | float | None) -> Float[Array, " C"]:
    """Bias of a classifier in the statistics' precision.

    Args:
        stats: Statistics by class.
        bias: [C] bias; None or one number where there is none: added to all classes it changes none that is named.

    Returns:
        [C] floats.

    Raises:
        ValueError: The shape does not fit.
    """
    if bias is None or jnp.ndim(bias) == 0:
        return jnp.zeros(stats.num_classes, stats.means.dtype)
    array = as_float("bias", jnp.asarray(bias), ndim=1)
    if array.shape != (stats.num_classes,):
        raise ValueError(f"bias must have shape ({stats.num_classes},), got {array.shape}")
    return array.astype(stats.means.dtype)
