"""Exact changes of scale: by powers of two, which round nothing."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int


def exponent_of(x: Float[Array, "*shape"]) -> Int[Array, "*shape"]:
    """Exponents e of numbers above zero, so that `2**(e - 1) <= x < 2**e`, read from their bits.

    Args:
        x: Floats.

    Returns:
        Integers; what they say of zero, of numbers so small that they have no full mantissa, and of NaN means nothing.

    Examples:
        >>> exponent_of(jnp.array([0.75, 1.0, 5.0])).tolist()
        [0, 1, 3]
    """
    bits, mantissa, bias = _layout(x.dtype)
    field = lax.bitcast_convert_type(jnp.abs(x), bits) >> jnp.array(mantissa, bits)
    return field.astype(jnp.int32) - (bias - 1)


def power_of_two(exponent: Int[Array, "*shape"], dtype: Any) -> Float[Array, "*shape"]:
    """Exact powers of two.

    Args:
        exponent: Integers, cut off at the exponents that full mantissas have: -126 and 127 in single precision.
        dtype: Float type of the result.

    Returns:
        `2**exponent`.

    Examples:
        >>> power_of_two(jnp.array([-2, 3]), jnp.float32).tolist()
        [0.25, 8.0]
    """
    bits, mantissa, bias = _layout(dtype)
    field = (jnp.clip(exponent, 1 - bias, bias) + bias).astype(bits) << jnp.array(mantissa, bits)
    return lax.bitcast_convert_type(field, dtype)


@jax.jit
def scaled(x: Float[Array, "*shape"], exponent: Int[Array, ""]) -> Float[Array, "*shape"]:
    """Numbers times a power of two, which costs no digit unless they leave the range of their type.

    Args:
        x: Floats.
        exponent: An even integer; the power itself may lie outside the range of the type.

    Returns:
        `x * 2**exponent`.

    Examples:
        >>> scaled(jnp.array([2.0**-100]), jnp.array(128)).tolist()
        [268435456.0]
    """
    half = power_of_two(exponent // 2, x.dtype)
    return x * half * half


def _layout(dtype: Any) -> tuple[Any, int, int]:
    """Unsigned integers as wide as a float type, the bits of its mantissa and the bias of its exponent."""
    return (jnp.uint32, 23, 127) if jnp.dtype(dtype) == jnp.float32 else (jnp.uint64, 52, 1023)
