"""Sums and products of float pairs: what single precision loses where collapse is deep, kept in a low-order part.

A number is held as the unevaluated sum `high + low` of two floats of one precision, which gives about twice its digits
on every backend and needs no 64-bit mode.
"""

from math import ceil, log2
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ncjax.metrics.powers_of_two import exponent_of, power_of_two

# Rounding errors of a dot product stay out of sight when every product and every partial sum is exact: slices of so
# many bits (sign included) that 2 * (bits - 1) + log2(length) fits in the mantissa, and, on accelerators, in the inputs
# of reduced-precision matrix units.
_MAX_SLICE_BITS = 8
_SMALLEST = 1e-30
_SINGLE = 24


def rounded(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The same numbers, kept from being contracted into a fused multiply-add with what uses them.

    A compiler may work a product out twice, once rounded and once inside a fused multiply-add: then the error of one
    version is paired with the sum of the other, and all that the pair holds is lost. Optimisation barriers are gone
    when XLA decides on this; no compiler looks through a choice between a number and its opposite.

    Args:
        x: Any floats.

    Returns:
        `x`, NaN included.

    Examples:
        >>> rounded(jnp.array([1.0, jnp.inf])).tolist()
        [1.0, inf]
    """
    return jnp.where(x == x, x, -x)


def two_sum(
    a: Float[Array, "*shape"], b: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Sum of two arrays and the rounding error that it leaves behind: `a + b == total + error` exactly.

    Args:
        a: First summand.
        b: Second summand, of the same shape and type.

    Returns:
        The rounded sum and its error (Knuth, The Art of Computer Programming, volume 2, 4.2.2, theorem B).

    Examples:
        >>> total, error = two_sum(jnp.float32(1.0), jnp.float32(1e-9))
        >>> float(total), f"{float(error):.3g}"
        (1.0, '1e-09')
    """
    a, b = rounded(a), rounded(b)
    total = a + b
    shifted = total - a
    return total, (a - (total - shifted)) + (b - shifted)


@jax.custom_jvp
def two_product(
    a: Float[Array, "*shape"], b: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Product of two arrays and the rounding error that it leaves behind: `a * b == product + error` exactly.

    Args:
        a: First factor.
        b: Second factor, of the same shape and type.

    Returns:
        The rounded product and its error (Dekker, Numerische Mathematik 18, 1971).

    Examples:
        >>> product, error = two_product(jnp.float32(1 + 2**-20), jnp.float32(1 + 2**-20))
        >>> float(product) == 1 + 2**-19, float(error) == 2**-40
        (True, True)
    """
    product = rounded(a * b)
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@two_product.defjvp
def _two_product_jvp(primals, tangents):
    (a, b), (d_a, d_b) = primals, tangents
    tangent = d_a * b + a * d_b
    return two_product(a, b), (tangent, jnp.zeros_like(tangent))


def _halves(x: Float[Array, "*shape"]) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Cut each number into two of half its digits, by its bits: no arithmetic that a compiler could contract."""
    bits, mask = (jnp.uint32, 0xFFFFF000) if x.dtype == jnp.float32 else (jnp.uint64, 0xFFFFFFFFF8000000)
    high = lax.bitcast_convert_type(lax.bitcast_convert_type(x, bits) & jnp.array(mask, bits), x.dtype)
    return high, x - high


def divide(
    high: Float[Array, "*shape"], low: Float[Array, "*shape"], divisor: Float[Array, ""]
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Quotient of a pair and a number, as a pair.

    Args:
        high: High-order part of the dividend.
        low: Low-order part of the dividend.
        divisor: A number.

    Returns:
        High-order and low-order part of the quotient.

    Examples:
        >>> high, low = divide(jnp.float32(1.0), jnp.float32(0.0), jnp.float32(3.0))
        >>> abs(1 / 3 - float(high) - float(low)) < 1e-14
        True
    """
    quotient = rounded(high / divisor)
    product, error = two_product(quotient, jnp.broadcast_to(divisor, quotient.shape))
    return two_sum(quotient, ((high - product) - error + low) / divisor)


def sum_rows(
    high: Float[Array, "rows columns"], low: Float[Array, "rows columns"]
) -> tuple[Float[Array, " columns"], Float[Array, " columns"]]:
    """Sum of the rows of a pair, as a pair.

    Args:
        high: High-order part.
        low: Low-order part.

    Returns:
        High-order and low-order part of the sum over the first axis.

    Examples:
        >>> high, low = sum_rows(jnp.array([[1e8], [1.0], [-1e8]]), jnp.zeros((3, 1)))
        >>> float(high[0])
        1.0
    """
    while high.shape[0] > 1:
        if high.shape[0] % 2:
            high, low = (jnp.concatenate([x, jnp.zeros_like(x[:1])]) for x in (high, low))
        half = high.shape[0] // 2
        high, error = two_sum(high[:half], high[half:])
        low = low[:half] + low[half:] + error
    return two_sum(high[0], low[0])


def _slices(
    x: Float[Array, "rows columns"], low: Float[Array, "rows columns"] | None, axis: int, bits: int, count: int
) -> list[Float[Array, "rows columns"]]:
    """Cut numbers into `count` slices of `bits` bits, on a grid that all entries along `axis` share."""
    # The next power of two above the largest entry; the clamp keeps a row of zeros from dividing by zero.
    largest = jnp.maximum(jnp.max(jnp.abs(x), axis=axis, keepdims=True), _SMALLEST)
    scale = power_of_two(exponent_of(largest), x.dtype)
    parts, rest = [], x / scale
    for k in range(1, count + 1):
        grid = 2.0 ** (bits * k - 1)
        part = jnp.round(rest * grid) / grid
        parts.append(part * scale)
        rest = rest - part
        if low is not None and k == ceil(_mantissa(x) / bits):
            rest = rest + low / scale
    return parts


@jax.custom_jvp
def accurate_matmul(
    left: Float[Array, "rows inner"], high: Float[Array, "inner columns"], low: Float[Array, "inner columns"]
) -> Float[Array, "rows columns"]:
    """Product `left @ (high + low)` that stays accurate where its terms cancel to a ten-thousandth and less.

    The factors are cut into slices so short that ordinary matrix products of them are exact, and the exact parts are
    summed with their rounding errors. The error is about 2**-34 of the largest terms in single precision. In double
    precision the ordinary product is returned.

    Args:
        left: Matrix of single floats.
        high: High-order part of the right factor.
        low: Low-order part of the right factor.

    Returns:
        The product, rounded once.

    Source: Ozaki, Ogita, Oishi, Rump, "Error-free transformations of matrix multiplication by using fast routines of
    matrix multiplication and its applications", Numerical Algorithms 59 (2012), https://doi.org/10.1007/s11075-011-9478-1

    Examples:
        >>> left, right = jnp.array([[1.0, 1.0, -1.0]]), jnp.array([[1e4], [1e-2], [1e4]])
        >>> f"{float(accurate_matmul(left, right, jnp.zeros_like(right))[0, 0]):.3g}"
        '0.01'
    """
    if _mantissa(left) > _SINGLE:
        return _product(left, high) + _product(left, low)
    bits = _slice_bits(left)
    depth = ceil(36 / bits)
    left_slices = _slices(left, None, axis=-1, bits=bits, count=ceil(26 / bits))
    right_slices = _slices(high, None, axis=-2, bits=bits, count=depth)
    total = _product(left, low)
    error = jnp.zeros_like(total)
    # The finest products come first, so that what they add to is never larger than what follows.
    for order in range(depth - 1, -1, -1):
        for i, left_slice in enumerate(left_slices):
            if 0 <= order - i < depth:
                total, lost = two_sum(total, _product(left_slice, right_slices[order - i]))
                error = error + lost
    return total + error


def product_rounding(dtype: Any) -> float:
    """Error of `accurate_matmul` relative to its largest terms, with a margin of two.

    Args:
        dtype: Float type of the factors.

    Returns:
        A number.
    """
    return 2.0**-33 if jnp.dtype(dtype) == jnp.float32 else 4 * float(jnp.finfo(dtype).eps)


@accurate_matmul.defjvp
def _accurate_matmul_jvp(primals, tangents):
    left, high, low = primals
    d_left, d_high, d_low = tangents
    return accurate_matmul(left, high, low), _product(d_left, high + low) + _product(left, d_high + d_low)


@jax.custom_jvp
def gram(
    high: Float[Array, "rows columns"], low: Float[Array, "rows columns"]
) -> tuple[Float[Array, "rows rows"], Float[Array, "rows rows"]]:
    """Gram matrix of the rows of a pair, as a pair.

    Args:
        high: High-order part of the rows.
        low: Low-order part of the rows.

    Returns:
        High-order and low-order part of `(high + low) @ (high + low).T`, with an error of about 2**-44 of the largest
        terms in single precision, 2**-100 in double.

    Source: as `accurate_matmul`.

    Examples:
        >>> row = jnp.array([[1.0, 1e-6]])
        >>> high, low = gram(row, jnp.zeros_like(row))
        >>> float(high[0, 0]), f"{float(low[0, 0]):.0e}"
        (1.0, '1e-12')
    """
    slices = gram_slices(high, low)
    # Half of the products and their transposes would do. But a transpose fused into the sums spoils memory under
    # jaxlib 0.12.0 and 0.12.0.1 on a CPU of four threads or more.
    return block_gram(slices, slices)


@gram.defjvp
def _gram_jvp(primals, tangents):
    high, low = primals
    half = _product(tangents[0] + tangents[1], (high + low).T)
    tangent = half + half.T
    return gram(high, low), (tangent, jnp.zeros_like(tangent))


def gram_slices(
    high: Float[Array, "rows columns"], low: Float[Array, "rows columns"]
) -> list[Float[Array, "rows columns"]]:
    """Rows of a pair cut into slices, ordinary products of which are exact.

    Args:
        high: High-order part of the rows.
        low: Low-order part of the rows.

    Returns:
        As many slices as `gram` needs, the largest first.
    """
    bits = _slice_bits(high)
    return _slices(high, low, axis=-1, bits=bits, count=ceil(2 * _mantissa(high) / bits))


def block_gram(
    rows: list[Float[Array, "rows inner"]], columns: list[Float[Array, "columns inner"]]
) -> tuple[Float[Array, "rows columns"], Float[Array, "rows columns"]]:
    """Block of the Gram matrix that `gram` gives, from slices of some rows and of others.

    Args:
        rows: Of `gram_slices`.
        columns: Of `gram_slices`.

    Returns:
        High-order and low-order part.

    Examples:
        >>> slices = gram_slices(jnp.array([[1.0, 1e-6]]), jnp.zeros((1, 2)))
        >>> high, low = block_gram(slices, slices)
        >>> float(high[0, 0]), f"{float(low[0, 0]):.0e}"
        (1.0, '1e-12')
    """
    total = error = jnp.zeros((rows[0].shape[0], columns[0].shape[0]), rows[0].dtype)
    for order in range(len(rows) - 1, -1, -1):
        for i in range(order + 1):
            total, lost = two_sum(total, _product(rows[i], columns[order - i].T))
            error = error + lost
    return two_sum(total, error)


@jax.custom_jvp
def row_squares(
    high: Float[Array, "rows columns"], low: Float[Array, "rows columns"]
) -> tuple[Float[Array, " rows"], Float[Array, " rows"]]:
    """Squared lengths of the rows of a pair, as a pair: the diagonal of `gram`.

    Args:
        high: High-order part of the rows.
        low: Low-order part of the rows.

    Returns:
        High-order and low-order part of the squares.

    Examples:
        >>> row = jnp.array([[1.0, 1e-6]])
        >>> high, low = row_squares(row, jnp.zeros_like(row))
        >>> float(high[0]), f"{float(low[0]):.0e}"
        (1.0, '1e-12')
    """
    squares, lost = two_product(high, high)
    return sum_rows(squares.T, (lost + 2 * high * low).T)


@row_squares.defjvp
def _row_squares_jvp(primals, tangents):
    high, low = primals
    tangent = 2 * jnp.sum((high + low) * (tangents[0] + tangents[1]), axis=-1)
    return row_squares(high, low), (tangent, jnp.zeros_like(tangent))


def _product(a: Float[Array, "rows inner"], b: Float[Array, "inner columns"]) -> Float[Array, "rows columns"]:
    return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)


def _mantissa(x: Float[Array, "*shape"]) -> int:
    return int(jnp.finfo(x.dtype).nmant) + 1


def _slice_bits(x: Float[Array, "rows inner"]) -> int:
    """Bits of a slice, so that products over the last axis are exact."""
    mantissa = _mantissa(x)
    bits = (mantissa - ceil(log2(max(x.shape[-1], 2)))) // 2 + 1
    return min(bits, _MAX_SLICE_BITS) if mantissa == _SINGLE else bits
