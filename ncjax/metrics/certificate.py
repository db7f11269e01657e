"""Certificates: bounds on the error of a nearest class mean and of a linear classifier, by moments along directions."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Integer, Num

from ncjax.metrics.arrays import ArrayLike
from ncjax.metrics.class_means import (
    between_only,
    centred_means,
    distinct_pairs,
    highest_matmul,
    mean_over_classes,
    num_present,
    present,
    squared_distances,
)
from ncjax.metrics.class_rows import deviation, own_classes, rows_in_unit
from ncjax.metrics.class_stats import ClassStats, class_stats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.linear_classifier import check_bias, check_kernel
from ncjax.metrics.moments import class_sums, sum_over_blocks
from ncjax.metrics.powers_of_two import exponent_of, power_of_two

# Rows whose outer products are summed at once.
_FEWEST_ROWS, _MOST_ROWS = 16, 1024
# Numbers in an array of one per row and class.
_PRODUCTS = 2**21


class Certificate(NamedTuple):
    """A bound on an error.

    Attributes:
        bound: On the error, the mean over classes; at most 1. One for each number of shots where there are several.
        pairs: [..., C, C] bound on the probability that a sample of class i (row) is taken for class j (column); not a
            number on the diagonal and where a class has no sample.
    """

    bound: Float[Array, " *shots"]
    pairs: Float[Array, " *shots C C"]


class _Moments(NamedTuple):
    """Moments of the classes' samples, x = h - m_i, in a unit in which no fourth power leaves the range of its type.

    Attributes:
        squares: [C, C] |D|^2, D = m_j - m_i.
        along: [C, C] E (x D)^2, x of class i.
        skew: [C, C] E (x D) |x|^2, x of class i.
        variance: [C] E |x|^2, the trace of the covariance S_i.
        spread: [C] variance of |x|^2.
        covariance: [C] tr S_i^2.
    """

    squares: Float[Array, "C C"]
    along: Float[Array, "C C"]
    skew: Float[Array, "C C"]
    variance: Float[Array, " C"]
    spread: Float[Array, " C"]
    covariance: Float[Array, " C"]


@compiled("num_classes")
def few_shot_certificate(
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    shots: Num[ArrayLike, "*shots"] | float | int,
    ways: Num[ArrayLike, ""] | float | int | None = None,
    mask: Bool[ArrayLike, " n"] | None = None,
) -> Certificate:
    """Bound on the error of the nearest of `ways` class means of `shots` samples each. O(n d (C + d)) and O(C^2).

    It holds for any distribution of features, and any number of shots from 1 on. All moments that it is made of are
    those of the given samples: of episodes drawn from them, with replacement, it is a bound; of the distribution that
    they come from it is an estimate of one, as good as the samples are many (`bootstrap_splits` gives an interval).

    Derivation. Let h be of class i, D = m_j - m_i, and S = |h - m'_j|^2 - |h - m'_i|^2, m' the means of m shots: j is
    chosen over i only if S <= 0. With x_i = h - m_i, and b, c the errors of m'_i and m'_j,

        S = |D|^2 - 2 D x_i + 2 D c - 2 x_i c + 2 x_i b + |c|^2 - |b|^2.

    Its mean is |D|^2 + (v_j - v_i)/m, v = tr S_c. Of the covariances between its terms that of D c and |c|^2 alone is
    not zero, as x_i, b and c are independent and have mean zero:

        Var S = 4 D S_i D + 4 D S_j D/m + 4 (tr S_i^2 + tr S_i S_j)/m + Var |c|^2 + Var |b|^2 + 4 E (D x_j) |x_j|^2/m^2,
        Var |c|^2 = Var |x_j|^2/m^3 + 2 tr S_j^2 (1 - 1/m)/m^2, and b likewise.

    tr S_i S_j <= (tr S_i^2 tr S_j^2)^(1/2) saves a C x d x d array. Cantelli's inequality gives P(S <= 0) <= Var S/(Var
    S + (E S)^2) where E S > 0. Chebyshev's, as in `nearest_mean_bound`, is taken where it says more, which heavy tails
    may do. Of class i the error is at most 1, and at most the sum over the wrong classes, whose mean over all choices
    of ways is (ways - 1) times the mean over the other classes.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        shots: Samples m a class that the means are made of; infinity for the true means. Or several such numbers.
        ways: Classes to tell apart, drawn at random; all by default.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        The bound and its table of pairs. Not a number where fewer than two classes have a sample, where one has a
        single sample, whose variance is unknown, or where all class means coincide.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: derived here; the quantity that dominates is `directional_cdnv`, of Luthra, Salunkhe, Galanti, 2026,
    https://arxiv.org/abs/2603.03530

    Examples:
        >>> features = jnp.array([[1.9], [2.1], [-1.9], [-2.1]])
        >>> certificate = few_shot_certificate(features, jnp.array([0, 0, 1, 1]), num_classes=2, shots=5)
        >>> f"{float(certificate.bound):.4f}"
        '0.0030'
    """
    stats = class_stats(features, labels, num_classes, mask=mask, scatter=False)
    moments = _moments(stats, features, labels, mask)
    shots = jnp.asarray(shots, stats.means.dtype)
    rivals = num_present(stats) - 1
    drawn = rivals if ways is None else jnp.asarray(ways, stats.means.dtype) - 1

    def of_shots(shots: Array) -> Certificate:
        pairs = jnp.where(distinct_pairs(stats), _pair_bounds(moments, shots), jnp.nan)
        by_class = jnp.minimum(1, drawn * jnp.nansum(pairs, axis=1) / rivals)
        return Certificate(_known(stats, mean_over_classes(stats, by_class)), pairs)

    for _ in range(shots.ndim):
        of_shots = jax.vmap(of_shots)
    return of_shots(shots)


@compiled("num_classes")
def classifier_certificate(
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    kernel: Float[ArrayLike, "d C"],
    bias: Float[ArrayLike, "..."] | float | None,
    mask: Bool[ArrayLike, " n"] | None = None,
) -> Certificate:
    """Bound on the error of a linear classifier by the mean and the variance of its margins. O(n C d) and O(C^2).

    With z = (w_i - w_j) h + b_i - b_j the margin of class i over j, Cantelli's inequality gives P(z <= 0) <= Var z/(Var
    z + (E z)^2) where E z > 0; of class i the error is at most 1, and at most the sum over j. Like
    `few_shot_certificate` it is a bound for the given samples, and an estimate of one for their distribution.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        kernel: [d, C] kernel of the classifier, as in a Dense layer.
        bias: [C] bias of the classifier; None or 0.0 where it has none.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        The bound and its table of pairs. The classifier may name a class that has no sample, and such a column counts.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: after Sakamoto, Sato, 2026, https://arxiv.org/abs/2509.20829

    Examples:
        >>> features = jnp.array([[1.9], [2.1], [-1.9], [-2.1]])
        >>> kernel = jnp.array([[1.0, -1.0]])
        >>> certificate = classifier_certificate(features, jnp.array([0, 0, 1, 1]), 2, kernel, None)
        >>> f"{float(certificate.bound):.4f}"
        '0.0025'
    """
    stats = class_stats(features, labels, num_classes, mask=mask, scatter=False)
    kernel, offset = check_kernel(stats, kernel), check_bias(stats, bias)
    own, counted, rows = _rows(stats, features, labels, mask)
    marked = jnp.where(counted, own, stats.num_classes)

    def of_rows(part: tuple[Array, Array]) -> Array:
        products = highest_matmul(deviation(stats, part[0], jnp.minimum(part[1], num_classes - 1)), kernel)
        return class_sums(_less_own(products, part[1]) ** 2, part[1], num_classes)

    counts = jnp.maximum(stats.counts, 1).astype(kernel.dtype)
    variance = sum_over_blocks(of_rows, rows, marked, _PRODUCTS // num_classes) / counts[:, None]
    logits = highest_matmul(stats.means, kernel) + highest_matmul(stats.means_low, kernel)
    logits = logits + offset[None, :] * power_of_two(-stats.exponent, kernel.dtype)
    margins = -_less_own(logits, jnp.arange(num_classes))
    wrong = present(stats)[:, None] & ~jnp.eye(num_classes, dtype=bool)
    pairs = jnp.where(wrong, _cantelli(margins, variance), jnp.nan)
    by_class = jnp.minimum(1, jnp.nansum(pairs, axis=1))
    return Certificate(_known(stats, mean_over_classes(stats, by_class)), pairs)


def _known(stats: ClassStats, bound: Float[Array, ""]) -> Float[Array, ""]:
    """Not a number where the samples do not tell: of a class with one sample no variance is known."""
    single = jnp.any(stats.counts == 1)
    finite = jnp.all(jnp.isfinite(stats.within))
    return between_only(stats, jnp.where(single | ~finite, jnp.nan, bound))


def _cantelli(mean: Float[Array, "*shape"], variance: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Most probability of a number at or below zero."""
    # A quotient, as squares of small numbers vanish.
    return jnp.where(mean > 0, 1 / (1 + (mean / jnp.sqrt(jnp.maximum(variance, 0))) ** 2), 1)


def _pair_bounds(moments: _Moments, shots: Float[Array, ""]) -> Float[Array, "C C"]:
    squares, along, skew, variance, spread, covariance = moments
    of_mean = spread / shots**3 + 2 * covariance * (1 - 1 / shots) / shots**2
    root = jnp.sqrt(covariance)
    mean = squares + (variance[None, :] - variance[:, None]) / shots
    # Of class j the line to i runs the other way: hence the transposes, and the sign.
    total = (
        4 * along
        + 4 * along.T / shots
        + 4 * root[:, None] * (root[:, None] + root[None, :]) / shots
        + (of_mean[:, None] + of_mean[None, :])
        - 4 * skew.T / shots**2
    )
    chebyshev = 16 * (variance[:, None] + (variance[:, None] + variance[None, :]) / shots) / squares
    return jnp.minimum(jnp.minimum(_cantelli(mean, total), chebyshev), 1)


def _rows(
    stats: ClassStats, features: ArrayLike, labels: ArrayLike, mask: ArrayLike | None
) -> tuple[Int[Array, " n"], Bool[Array, " n"], Float[Array, "n d"]]:
    rows = rows_in_unit(stats, features)
    own, counted = own_classes(stats, labels, rows.shape[0], mask)
    return own, counted, jnp.where(counted[:, None], rows, stats.means[own])


def _less_own(products: Float[Array, "n C"], labels: Int[Array, " n"]) -> Float[Array, "n C"]:
    own = jnp.minimum(labels, products.shape[1] - 1)
    return products - jnp.take_along_axis(products, own[:, None], axis=1)


def _moments(stats: ClassStats, features: ArrayLike, labels: ArrayLike, mask: ArrayLike | None) -> _Moments:
    num_classes = stats.num_classes
    distances = jnp.where(distinct_pairs(stats), squared_distances(stats), 0)
    largest = jnp.sqrt(jnp.maximum(jnp.max(distances), jnp.max(stats.within)))
    unit = power_of_two(-exponent_of(jnp.where(largest > 0, largest, 1)), largest.dtype)
    own, counted, rows = _rows(stats, features, labels, mask)
    residuals = unit * deviation(stats, rows, own)
    marked = jnp.where(counted, own, num_classes)
    high, low = centred_means(stats)
    means = unit * (high + low)

    def of_rows(part: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        block, label = part
        along = _less_own(highest_matmul(block, means.T), label)
        lengths = jnp.sum(block**2, axis=-1)
        by_class = lambda rows: class_sums(rows, label, num_classes)  # noqa: E731
        return by_class(along**2), by_class(along * lengths[:, None]), by_class(lengths[:, None] ** 2)[:, 0]

    counts = jnp.maximum(stats.counts, 1).astype(means.dtype)
    along, skew, fourth = sum_over_blocks(of_rows, residuals, marked, _PRODUCTS // num_classes)
    variance = unit**2 * stats.variances
    return _Moments(
        squares=unit**2 * distances,
        along=along / counts[:, None],
        skew=skew / counts[:, None],
        variance=variance,
        spread=jnp.maximum(fourth / counts - variance**2, 0),
        covariance=_covariance_squares(residuals, marked, stats.counts) / counts**2,
    )


def _covariance_squares(
    residuals: Float[Array, "n d"], labels: Int[Array, " n"], counts: Int[Array, " C"]
) -> Float[Array, " C"]:
    """Squared Frobenius norm of the sum of outer products of each class's rows. O(n d^2), one d x d array at a time.

    Rows are put in order of their classes and cut into pieces of one class each. A running sum begins anew where a
    class does; its norm after the class's last piece is the result.
    """
    (rows, dim), num_classes = residuals.shape, counts.shape[0]
    length = max(_FEWEST_ROWS, min(_MOST_ROWS, rows // num_classes))
    order = jnp.argsort(labels)
    starts = jnp.cumsum(counts) - counts
    pieces = -(-counts // length)
    ends = jnp.cumsum(pieces)

    def step(running: Array, piece: Array) -> tuple[Array, Array]:
        label = jnp.minimum(jnp.searchsorted(ends, piece, side="right"), num_classes - 1)
        place = piece - (ends[label] - pieces[label])
        rank = place * length + jnp.arange(length)
        taken = residuals[order[jnp.minimum(starts[label] + rank, rows - 1)]]
        taken = jnp.where((rank < counts[label])[:, None], taken, 0)
        running = jnp.where(place == 0, 0, running) + highest_matmul(taken.T, taken)
        return running, jnp.sum(running**2)

    empty = jnp.zeros((dim, dim), residuals.dtype)
    # So many pieces are enough, however the rows divide among the classes; those past the end are of no class.
    norms = lax.scan(step, empty, jnp.arange(rows // length + num_classes))[1]
    return jnp.where(counts > 0, norms[jnp.maximum(ends - 1, 0)], 0)
