"""Geometry of the class means: centring, pairwise distances, and the inverse of their covariance.

All lengths are in the unit of the statistics, `2**stats.exponent`, so that no square leaves the range of its type.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compensated import accurate_matmul, divide, sum_rows, two_product, two_sum
from ncjax.metrics.pairs import ONE_BLOCK, block_squares, pair_moments

# Singular values of means that lack a direction, in units of eps times the largest one: what rounding leaves of zero.
_NO_DIRECTION = 2

# How classes weigh in the between-class covariance: all the same, or as their samples.
Weighting = Literal["equal", "shares"]

highest_matmul = partial(jnp.matmul, precision=lax.Precision.HIGHEST)


class MeanBasis(NamedTuple):
    """Directions that the centred class means span, with what is needed to invert the between-class covariance.

    The covariance is `rows.T @ diag(scale**2) @ rows / C`, its pseudo-inverse `C * dual.T @ diag(scale**-2) @ dual`.

    Attributes:
        kept: [r] which of the r = min(C, d) directions carry a mean; the others are zero rows.
        scale: [r] singular values of the centred means, 1 where not kept.
        rows: [r, d] directions, orthonormal up to the rounding of a singular value decomposition.
        dual: [r, d] the dual rows, `dual @ rows.T` is the identity.
        resolved: Whether each direction that is not kept is without a mean to the last digits. If not, it may carry one
            that is too small to be told.
    """

    kept: Bool[Array, " r"]
    scale: Float[Array, " r"]
    rows: Float[Array, "r d"]
    dual: Float[Array, "r d"]
    resolved: Bool[Array, ""]


def present(stats: ClassStats) -> Bool[Array, " C"]:
    """Which classes have a sample.

    Args:
        stats: Statistics by class.

    Returns:
        [C] booleans.
    """
    return stats.counts > 0


def num_present(stats: ClassStats) -> Float[Array, ""]:
    """Number of classes that have a sample, as a float of the statistics' type.

    Args:
        stats: Statistics by class.

    Returns:
        A scalar.
    """
    return jnp.sum(present(stats)).astype(stats.means.dtype)


def num_samples(stats: ClassStats) -> Float[Array, ""]:
    """Number of samples of all classes, as a float of the statistics' type.

    Args:
        stats: Statistics by class.

    Returns:
        A scalar.
    """
    return jnp.sum(stats.counts).astype(stats.means.dtype)


@jax.jit
def mean_over_classes(stats: ClassStats, values: Float[Array, " C *rest"]) -> Float[Array, " *rest"]:
    """Unweighted mean over the classes that have a sample; not a number if there is none.

    Args:
        stats: Statistics that tell which classes are present.
        values: [C, ...] one value a class.

    Returns:
        The mean over the first axis.
    """
    shape = (-1,) + (1,) * (values.ndim - 1)
    return jnp.sum(jnp.where(present(stats).reshape(shape), values, 0), axis=0) / num_present(stats)


@jax.jit
def pair_mean(stats: ClassStats, values: Float[Array, "C C"]) -> Float[Array, ""]:
    """Mean over the ordered pairs of distinct classes that both have a sample; not a number if there is none.

    Args:
        stats: Statistics that tell which classes are present.
        values: [C, C] one value a pair.

    Returns:
        A scalar.
    """
    count = num_present(stats)
    return jnp.sum(jnp.where(distinct_pairs(stats), values, 0)) / (count * (count - 1))


def distinct_pairs(stats: ClassStats) -> Bool[Array, "C C"]:
    """Which ordered pairs are of two different classes that both have a sample.

    Args:
        stats: Statistics that tell which classes are present.

    Returns:
        [C, C] booleans.
    """
    there = present(stats)
    return there[:, None] & there[None, :] & ~jnp.eye(stats.num_classes, dtype=bool)


@jax.jit
def centred_means(stats: ClassStats) -> tuple[Float[Array, "C d"], Float[Array, "C d"]]:
    """Class means minus their unweighted mean, as a high-order and a low-order part; zero rows for absent classes.

    Args:
        stats: Statistics by class.

    Returns:
        Two [C, d] arrays whose sum is m_c - m_G, in the unit of the statistics.

    Examples:
        >>> stats = ClassStats.from_batch(jnp.array([[1.0], [4.0]]), jnp.array([0, 1]), num_classes=2)
        >>> high, low = centred_means(stats)
        >>> high[:, 0].tolist()
        [-1.5, 1.5]
    """
    there = present(stats)[:, None]
    total = sum_rows(jnp.where(there, stats.means, 0), jnp.where(there, stats.means_low, 0))
    centre, centre_low = divide(*total, num_present(stats))
    high, error = two_sum(stats.means, jnp.broadcast_to(-centre, stats.means.shape))
    high, low = two_sum(high, error + (stats.means_low - centre_low[None, :]))
    return jnp.where(there, high, 0), jnp.where(there, low, 0)


@partial(jax.jit, static_argnames="weighting")
def weighted_means(
    stats: ClassStats, weighting: Weighting = "equal"
) -> tuple[Float[Array, "C d"], Float[Array, "C d"]]:
    """Rows of the between-class covariance: it is the mean over the classes present of their outer products.

    Args:
        stats: Statistics by class.
        weighting: "equal" for `centred_means`; "shares" for the means less that of all samples, n_c of n samples
            weighing sqrt(C n_c/n).

    Returns:
        Two [C, d] arrays whose sum is the rows, in the unit of the statistics.

    Raises:
        ValueError: There is no such weighting.

    Examples:
        >>> stats = ClassStats.from_batch(jnp.array([[0.0], [0.0], [0.0], [4.0]]), jnp.array([0, 0, 0, 1]), 2)
        >>> high, low = weighted_means(stats, "shares")
        >>> f"{float(jnp.mean((high + low) ** 2)):.4f}"
        '3.0000'
    """
    if weighting == "equal":
        return centred_means(stats)
    if weighting != "shares":
        raise ValueError(f'weighting must be "equal" or "shares", got {weighting!r}')
    counts = jnp.broadcast_to(stats.counts.astype(stats.means.dtype)[:, None], stats.means.shape)
    product, lost = two_product(jnp.where(counts > 0, stats.means, 0), counts)
    total = sum_rows(product, lost + jnp.where(counts > 0, stats.means_low, 0) * counts)
    centre, centre_low = divide(*total, num_samples(stats))
    high, error = two_sum(stats.means, jnp.broadcast_to(-centre, stats.means.shape))
    root = jnp.sqrt(counts * (num_present(stats) / num_samples(stats)))
    product, lost = two_product(high, root)
    high, low = two_sum(product, lost + (error + (stats.means_low - centre_low[None, :])) * root)
    return jnp.where(counts > 0, high, 0), jnp.where(counts > 0, low, 0)


@partial(jax.jit, static_argnames="weighting")
def between_trace(stats: ClassStats, weighting: Weighting = "equal") -> Float[Array, ""]:
    """Mean over classes of |m_c - m_G|^2 in the unit of the statistics. O(C d).

    Args:
        stats: Statistics by class.
        weighting: How classes weigh, as for `weighted_means`.

    Returns:
        A scalar, the trace of the between-class covariance.
    """
    high, low = weighted_means(stats, weighting)
    return mean_over_classes(stats, jnp.sum((high + low) ** 2, axis=-1))


@jax.jit
def collapsed_to_a_point(stats: ClassStats) -> Float[Array, ""]:
    """Whether all class means coincide as far as the features' rounding lets one see: 1 where they do, else 0. O(C d).

    So they do where the features say nothing, as those of a dead network: tr S_B is then at most eps^2 times the mean
    of |m_c|^2, which is what one unit in the last place of every feature can make of equal means. All that is divided
    by distances between classes is not a number there.

    Args:
        stats: Statistics, with or without a scatter matrix.

    Returns:
        A scalar, 0 or 1; not a number with fewer than two classes, or where a class mean is not a number.

    Examples:
        >>> stats = ClassStats.from_batch(jnp.array([[0.1], [0.1], [0.1]]), jnp.array([0, 0, 1]), num_classes=2)
        >>> float(collapsed_to_a_point(stats))
        1.0
    """
    between = between_trace(stats)
    rounding = jnp.finfo(between.dtype).eps ** 2 * mean_over_classes(stats, jnp.sum(stats.means**2, axis=-1))
    value = (between <= rounding).astype(between.dtype)
    return jnp.where((num_present(stats) >= 2) & ~jnp.isnan(between), value, jnp.nan)


@jax.jit
def between_only(stats: ClassStats, value: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The same number where it makes sense to divide by distances between classes, elsewhere not a number.

    Args:
        stats: Statistics by class.
        value: Ratio to the variance between classes, or to distances between class means.

    Returns:
        `value`, or not a number with fewer than two classes and where all class means coincide.
    """
    return jnp.where(collapsed_to_a_point(stats) == 0, value, jnp.nan)


@jax.jit
def squared_distances(stats: ClassStats) -> Float[Array, "C C"]:
    """Squared distances between class means, by differences.

    Close pairs keep their digits, as they would not in a Gram matrix. Takes O(C^2 d) time and O(C^2 + C d) memory; 0.4
    s for 1,000 classes in 2,048 dimensions on two CPU cores.

    Args:
        stats: Statistics by class.

    Returns:
        [C, C] |m_i - m_j|^2 in the unit of the statistics, `4**stats.exponent`; rows and columns of absent
        classes mean nothing.

    Examples:
        >>> stats = ClassStats.from_batch(jnp.array([[1.0], [4.0]]), jnp.array([0, 1]), num_classes=2)
        >>> squared_distances(stats).tolist()
        [[0.0, 9.0], [9.0, 0.0]]
    """
    return pairwise_squares(*centred_means(stats))


def known_distances(stats: ClassStats) -> Float[Array, "C C"] | None:
    """Squared distances between class means where there are so few classes that it pays to hold them, else None.

    Args:
        stats: Statistics by class.

    Returns:
        [C, C] numbers, or None.
    """
    return squared_distances(stats) if stats.num_classes <= ONE_BLOCK else None


def mean_over_distances(
    stats: ClassStats,
    vectors: tuple[Float[Array, "C d"], Float[Array, "C d"]],
    operands: Any,
    terms: Callable[[Any, Any, Float[Array, "rows columns"]], Float[Array, "rows columns"]],
    distances: Float[Array, "C C"] | None = None,
) -> Float[Array, ""]:
    """Mean over pairs of distinct classes of a function of their squared distance.

    Args:
        stats: Statistics that tell which classes are present.
        vectors: Rows whose distances are taken, as a high-order and a low-order part.
        operands: Further arrays [C, ...] that the function needs.
        terms: Function of the operands of some rows and of some columns, and of their squared distances.
        distances: [C, C] squared distances of the rows, where they are known already.

    Returns:
        A scalar; not a number where there is no pair.
    """
    if distances is None and stats.num_classes > ONE_BLOCK:
        return pair_moments(
            present(stats),
            (vectors, operands),
            lambda rows, columns, pairs: terms(rows[1], columns[1], block_squares(rows[0], columns[0], pairs)),
        )[0]
    squares = jnp.where(distinct_pairs(stats), pairwise_squares(*vectors) if distances is None else distances, 1)
    return pair_mean(stats, terms(operands, operands, squares))


def pairwise_squares(high: Float[Array, "C d"], low: Float[Array, "C d"]) -> Float[Array, "C C"]:
    """Squared distances between the rows of a pair, one row against all at a time.

    Args:
        high: High-order part of the rows.
        low: Low-order part of the rows.

    Returns:
        [C, C] squared distances.
    """
    classes, dim = high.shape

    @jax.checkpoint
    def row(mean: tuple[Array, Array]) -> Array:
        return jnp.sum(((mean[0] - high) + (mean[1] - low)) ** 2, axis=-1)

    def broadcast_row(mean: tuple[Array, Array]) -> Array:
        return row((mean[0][None, :], mean[1][None, :]))

    return lax.map(broadcast_row, (high, low), batch_size=max(1, min(classes, 2**22 // (classes * dim))))


@partial(jax.jit, static_argnames="weighting")
def mean_basis(stats: ClassStats, weighting: Weighting = "equal") -> MeanBasis:
    """Basis in which the between-class covariance is diagonal and inverted without loss.

    A singular value decomposition in single precision knows the small directions only to eps * s_max / s_min; a Gram
    matrix squares that. Here the decomposition only proposes directions: the means are projected on them with an
    accurate product, after which what remains is well conditioned. The error of the proposal enters squared, and no
    derivative passes through it.

    At most min(d, C - 1) directions are kept (C the classes present), and of these the ones above the rounding of the
    decomposition.

    Args:
        stats: Statistics by class.
        weighting: How classes weigh, as for `weighted_means`.

    Returns:
        The basis.

    Examples:
        >>> stats = ClassStats.from_batch(jnp.array([[1.0, 0.0], [4.0, 0.0]]), jnp.array([0, 1]), num_classes=2)
        >>> basis = mean_basis(stats)
        >>> basis.kept.tolist(), f"{float(basis.scale[0]):.4f}"
        ([True, False], '2.1213')
    """
    high, low = weighted_means(stats, weighting)
    left, singular, _ = jnp.linalg.svd(lax.stop_gradient(high), full_matrices=False)
    possible = jnp.arange(singular.shape[0]) < max_rank(stats)
    cutoff = 2 * max(high.shape) ** 0.5 * jnp.finfo(high.dtype).eps
    # A comparison with NaN is false: written this way round, NaN stays and shows.
    kept = possible & ~(singular <= cutoff * singular[0])
    resolved = ~jnp.any(possible & ~kept & (singular > _NO_DIRECTION * jnp.finfo(high.dtype).eps * singular[0]))
    scale = jnp.where(kept, singular, 1)
    rows = accurate_matmul(jnp.where(kept[:, None], left.T / scale[:, None], 0), high, low)
    gram = highest_matmul(rows, rows.T) + jnp.diag((~kept).astype(rows.dtype))
    dual = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(gram), True), rows)
    return MeanBasis(kept, scale, rows, dual, resolved)


def max_rank(stats: ClassStats) -> Float[Array, ""]:
    """Largest rank that the between-class covariance can have: min(d, C - 1), C the number of classes present.

    Args:
        stats: Statistics by class.

    Returns:
        A scalar, as a float.
    """
    return jnp.minimum(jnp.asarray(stats.dim, stats.means.dtype), num_present(stats) - 1)


def within_covariance(stats: ClassStats) -> Float[Array, "d d"]:
    """Within-class covariance (1/n) sum_i (h_i - m_{y_i})(h_i - m_{y_i})^T.

    Args:
        stats: Statistics with a scatter matrix.

    Returns:
        [d, d] matrix, in the unit of the statistics.

    Raises:
        ValueError: The statistics were built without a scatter matrix.
    """
    if stats.scatter is None:
        raise ValueError("stats must hold the within-class scatter for this quantity: build them with scatter=True")
    return stats.scatter / num_samples(stats)
