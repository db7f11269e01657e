"""Arithmetic that few-shot heads share: exact scaling, differences to a mean, full-precision products, a span."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def matmul(left: Float[Array, "a b"], right: Float[Array, "b c"]) -> Float[Array, "a c"]:
    """A matrix product at full precision.

    Accelerators round the factors of a default product to fewer bits, which would flip near ties.

    Args:
        left: [a, b].
        right: [b, c].

    Returns:
        [a, c].

    Examples:
        >>> matmul(jnp.eye(2), jnp.ones((2, 1))).tolist()
        [[1.0], [1.0]]
    """
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def range_exponent(*arrays: Float[Array, "..."]) -> Int[Array, ""]:
    """The smallest exponent whose power of two exceeds every magnitude; 0 if all are zero.

    Args:
        arrays: of any shapes.

    Returns:
        e, with all magnitudes below 2ᵉ.

    Examples:
        >>> int(range_exponent(jnp.array([3.0, -4.0]), jnp.zeros(2)))
        3
    """
    largest = jnp.max(jnp.stack([jnp.max(jnp.abs(array)) for array in arrays]))
    return jnp.where(jnp.isfinite(largest), jnp.frexp(largest)[1], 0).astype(jnp.int32)


def times_power_of_two(array: Float[Array, "..."], exponent: Int[Array, ""]) -> Float[Array, "..."]:
    """Multiplies by 2 to the exponent, which changes no digit.

    Args:
        array: of any shape.
        exponent: from -200 to 200 in single precision.

    Returns:
        The product; exact where it stays in range.

    Examples:
        >>> times_power_of_two(jnp.array([1.5]), jnp.int32(-1)).tolist()
        [0.75]
    """
    # In two steps: a single factor may leave the range where the product does not.
    one, half = jnp.ones((), array.dtype), exponent // 2
    return array * jnp.ldexp(one, half) * jnp.ldexp(one, exponent - half)


def unit_range(features: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Divides all features by the power of two just above their largest magnitude.

    Squares of features below 1e-19 or above 1e19 leave the range of float32. A common factor changes no comparison, and
    a power of two no digit.

    Args:
        features: [n, d].

    Returns:
        [n, d], the largest magnitude from 1/2 to 1; zeros if all are zero, NaN if any is not finite.

    Examples:
        >>> unit_range(jnp.array([[3.0, -4.0]])).tolist()
        [[0.375, -0.5]]
    """
    scaled = times_power_of_two(features, -range_exponent(features))
    return jnp.where(jnp.isfinite(scaled).all(), scaled, jnp.nan)


def centered(features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:
    """Subtracts a centre, by default the mean, and scales as `unit_range`.

    Args:
        features: [n, d].
        center: [d] or None.

    Returns:
        [n, d], the largest magnitude from 1/2 to 1.

    Examples:
        >>> centered(jnp.array([[1.0], [3.0]]), None).tolist()
        [[-0.5], [0.5]]
    """
    scaled = unit_range(features)  # first, as the sum of very large features leaves the range
    center = scaled.mean(axis=0) if center is None else times_power_of_two(center, -range_exponent(features))
    return unit_range(scaled - center[None, :])


class Centred(NamedTuple):
    """An episode as a mean and what differs from it.

    Attributes:
        samples: supports minus their mean, way after way.
        queries: queries minus the supports' mean.
        mean: the supports' mean.
    """

    samples: Float[Array, "samples d"]
    queries: Float[Array, "queries d"]
    mean: Float[Array, " d"]


def about_mean(support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]) -> Centred:
    """Splits an episode into the mean of its supports and the differences to it.

    Args:
        support: [ways, shots, d].
        query: [queries, d].

    Returns:
        Differences with the digits that the features themselves have, and the mean.

    Examples:
        >>> samples, queries, mean = about_mean(jnp.array([[[1001.0]], [[1003.0]]]), jnp.array([[1004.0]]))
        >>> samples.tolist(), queries.tolist(), mean.tolist()
        ([[-1.0], [1.0]], [[2.0]], [1002.0])
    """
    samples = support.reshape(-1, support.shape[-1])
    # First by one of the samples: a large mean is rounded as coarsely as the features, and equal rows would differ.
    one = samples[0]
    samples, queries = samples - one[None, :], query - one[None, :]
    rest = samples.mean(axis=0)
    return Centred(samples - rest[None, :], queries - rest[None, :], one + rest)


def span_coordinates(
    samples: Float[Array, "samples d"], queries: Float[Array, "queries d"]
) -> tuple[Float[Array, "samples k"], Float[Array, "queries k"]]:
    """Coordinates in an orthonormal frame that holds the samples' span.

    A linear classifier with a penalty on its norm has its weights in that span, so nothing is lost; k, the smaller of d
    and the number of samples, replaces d.

    Args:
        samples: [n, d].
        queries: [q, d].

    Returns:
        Samples [n, k] and queries [q, k].

    Examples:
        >>> samples, queries = span_coordinates(jnp.ones((2, 9)), jnp.ones((3, 9)))
        >>> samples.shape, queries.shape
        ((2, 2), (3, 2))
    """
    if samples.shape[1] <= samples.shape[0]:
        return samples, queries
    # Orthogonal to rounding whatever the rank; the way through the Gram matrix would lose half of the digits.
    frame, triangle = jnp.linalg.qr(samples.T)
    return triangle.T, matmul(queries, frame)
