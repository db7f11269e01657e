"""Angles between subspaces: whether a layer's weights read what the class means span."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ncjax.metrics.arrays import ArrayLike, as_count, as_float
from ncjax.metrics.class_means import between_only, centred_means, highest_matmul, max_rank
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled


@compiled()
def principal_angles(first: Float[ArrayLike, "d p"], second: Float[ArrayLike, "d q"]) -> Float[Array, " k"]:
    """Principal angles between the subspaces that the columns of two matrices span, rising. O(d (p + q) min(p, q)).

    Cosines are singular values of A^T B, with A and B orthonormal bases, and sines those of B - A A^T B: each angle is
    taken from the one that keeps its digits, so that small angles are not lost in 1 - cos.

    Args:
        first: [d, p] floats.
        second: [d, q] floats.

    Returns:
        [min(d, p, q)] angles in radians, from 0 to pi/2; not numbers beyond the smaller of the two dimensions, which
        are the ranks up to rounding.

    Raises:
        ValueError: The numbers of rows differ.

    Source: Björck, Golub, "Numerical methods for computing angles between linear subspaces", 1973,
    https://doi.org/10.1090/S0025-5718-1973-0348991-3

    Examples:
        >>> line, plane = jnp.array([[1.0], [1.0], [0.0]]), jnp.eye(3)[:, 1:]
        >>> f"{float(principal_angles(line, plane)[0] / jnp.pi):.4f}"
        '0.2500'
    """
    one, two = as_float("first", first, ndim=2), as_float("second", second, ndim=2)
    if one.shape[0] != two.shape[0]:
        raise ValueError(f"second must have the {one.shape[0]} rows of first, got {two.shape[0]}")
    return _angles(*_basis(one, min(one.shape)), *_basis(two, min(two.shape)))


@compiled("directions")
def weight_angles(
    stats: ClassStats, kernel: Float[ArrayLike, "d m"], directions: int | None = None
) -> Float[Array, " k"]:
    """Principal angles between the centred class means and what a layer reads of them. O(d m min(d, m) + C^2 d).

    A layer h -> h W reads most along the leading left singular vectors of its kernel W. Where the layer's input has
    collapsed, these span the class means: all angles are near zero. W is the classifier's kernel or that of any layer
    that the features go into.

    Args:
        stats: Statistics of the features that go into the layer.
        kernel: [d, m] kernel, as in a Dense layer: transposed where a library keeps [m, d].
        directions: Number r of leading singular vectors; None takes C - 1, as many as the means span.

    Returns:
        [min(r, d, m, C)] angles in radians, rising, from 0 to pi/2. Not numbers beyond the dimension of the means'
        span, which is at most C - 1, and where all class means coincide.

    Raises:
        ValueError: The kernel does not have d rows.

    Source: Rangamani, Lindegaard, Galanti, Poggio, "Feature learning in deep classifiers through intermediate neural
    collapse", ICML 2023, https://proceedings.mlr.press/v202/rangamani23a.html

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0, 0.0], [-1.0, 0.0]]), jnp.array([0, 1]), num_classes=2)
        >>> kernel = jnp.array([[1.0, -1.0], [1.0, -1.0]])
        >>> f"{float(weight_angles(stats, kernel)[0] / jnp.pi):.4f}"
        '0.2500'
    """
    weights = as_float("kernel", kernel, ndim=2)
    if weights.shape[0] != stats.dim:
        hint = ": transpose it" if weights.shape[1] == stats.dim else ""
        raise ValueError(f"kernel must have {stats.dim} rows to fit the statistics, got shape {weights.shape}{hint}")
    wanted = max(1, stats.num_classes - 1) if directions is None else as_count("directions", directions)
    high, low = centred_means(stats)
    basis, kept = _basis((high + low).T, min(high.shape))
    read = _basis(weights.astype(high.dtype), min(wanted, *weights.shape))
    # Centred means span one direction less than there are classes, whatever rounding makes of the last one.
    kept = kept & (jnp.arange(len(kept)) < max_rank(stats))
    return between_only(stats, _angles(*read, jnp.where(kept[None, :], basis, 0), kept))


def _basis(columns: Float[Array, "d p"], most: int) -> tuple[Float[Array, "d r"], Bool[Array, " r"]]:
    """Leading left singular vectors, and which of them are no rounding: the others are zero."""
    left, values, _ = jnp.linalg.svd(columns / jnp.max(jnp.abs(columns)), full_matrices=False)
    cutoff = max(columns.shape) * jnp.finfo(columns.dtype).eps
    # A comparison with NaN is false: written this way round, NaN stays and shows.
    kept = ~(values <= cutoff * values[0])
    return jnp.where(kept[None, :], left, 0)[:, :most], kept[:most]


def _angles(
    one: Float[Array, "d p"], kept_one: Bool[Array, " p"], two: Float[Array, "d q"], kept_two: Bool[Array, " q"]
) -> Float[Array, " k"]:
    if one.shape[1] < two.shape[1]:
        one, kept_one, two, kept_two = two, kept_two, one, kept_one
    cosines = highest_matmul(one.T, two)
    across = two - highest_matmul(one, cosines)
    # Once more, for what rounding leaves of the first basis in it.
    across = across - highest_matmul(one, highest_matmul(one.T, across))
    falling = jnp.linalg.svd(cosines, compute_uv=False)
    places = jnp.arange(two.shape[1])
    inside = jnp.sum(kept_two)
    # Columns of zero add sines of zero at the end: those before are the sines of the angles, falling.
    sines = jnp.linalg.svd(across, compute_uv=False)[jnp.clip(inside - 1 - places, 0)]
    small = sines**2 < 0.5
    angles = jnp.where(small, jnp.arcsin(jnp.where(small, sines, 0)), jnp.arccos(jnp.where(small, 0, falling)))
    known = places < jnp.minimum(inside, jnp.sum(kept_one))
    return jnp.where(known & ~jnp.isnan(falling), angles, jnp.nan)
