"""Arithmetic that few-shot heads share: full-precision products, features of unit range, the supports' span."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def matmul(left: Float[Array, "a b"], right: Float[Array, "b c"]) -> Float[Array, "a c"]:
    """A matrix product at full precision.

    Accelerators round the factors of a default product to fewer bits, which would flip near ties.

    Args:
        left: [a, b].
        right: [b, c].

    Returns:
        [a, c].

    Example:
        >>> matmul(jnp.eye(2), jnp.ones((2, 1))).tolist()
        [[1.0], [1.0]]
    """
    return jnp.matmul(left, right, precision=jax.lax.Precision.HIGHEST)


def unit_range(features: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Divides all features by their largest magnitude.

    Squares of features below 1e-19 or above 1e19 leave the range of float32; a common factor changes no comparison.

    Args:
        features: [n, d].

    Returns:
        [n, d], the largest magnitude 1; zeros if all are zero.

    Example:
        >>> unit_range(jnp.array([[1e-30, -2e-30]])).tolist()
        [[0.5, -1.0]]
    """
    largest = jnp.max(jnp.abs(features))
    return features / jnp.where(largest == 0, 1, largest)


def centered(features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:
    """Subtracts a centre, by default the mean, and divides by the largest magnitude.

    Args:
        features: [n, d].
        center: [d] or None.

    Returns:
        [n, d], the largest magnitude 1.

    Example:
        >>> centered(jnp.array([[1.0], [3.0]]), None).tolist()
        [[-1.0], [1.0]]
    """
    center = features.mean(axis=0) if center is None else center
    return unit_range(features - center[None, :])


def support_coordinates(
    support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
) -> tuple[Float[Array, "samples k"], Float[Array, "queries k"]]:
    """Coordinates of supports and queries in an orthonormal frame that holds the supports' span.

    A linear classifier with a penalty on its norm has its weights in that span, so nothing is lost; k, the smaller of d
    and the number of supports, replaces d.

    Args:
        support: [ways, shots, d].
        query: [queries, d].

    Returns:
        Supports [ways·shots, k], way after way, and queries [queries, k].

    Example:
        >>> samples, queries = support_coordinates(jnp.ones((2, 1, 9)), jnp.ones((3, 9)))
        >>> samples.shape, queries.shape
        ((2, 2), (3, 2))
    """
    ways, shots, dim = support.shape
    samples = support.reshape(ways * shots, dim)
    if dim <= ways * shots:
        return samples, query
    # Orthogonal to rounding whatever the rank; the way through the Gram matrix would lose half of the digits.
    frame, triangle = jnp.linalg.qr(samples.T)
    return triangle.T, matmul(query, frame)
