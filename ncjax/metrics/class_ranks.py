"""How many directions the samples of one class use, and how many of those between classes stand out of that spread."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Integer

from ncjax.metrics.arrays import ArrayLike, as_count, as_float, as_labels
from ncjax.metrics.class_means import between_only, centred_means, within_covariance
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.powers_of_two import scaled
from ncjax.metrics.spectra import effective_rank, participation_ratio


class ClassRanks(NamedTuple):
    """Ranks of the residuals h - m_y of each class; not a number where a class has no variance.

    Attributes:
        effective_rank: [C] exponential of the entropy of the residuals' singular values: RankMe of the class.
        participation_ratio: [C] (tr S_c)^2 / tr S_c^2, S_c the covariance of the class.
    """

    effective_rank: Float[Array, " C"]
    participation_ratio: Float[Array, " C"]


def class_ranks(
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    mask: Bool[ArrayLike, " n"] | None = None,
    largest: int | None = None,
) -> ClassRanks:
    """Ranks of each class's residuals: in how many directions its samples spread. O(C k d min(k, d)).

    One class is taken at a time. A class of n_c samples has no rank above n_c - 1: compare classes of like size. The
    decomposition is of the residuals and not of their covariance, so small directions keep their digits.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        mask: [n] booleans; rows where it is false do not count.
        largest: Number k of samples of the largest class, or more; it fixes shapes. None looks at the labels, and is n
            under a trace. Rows of a class beyond it do not count.

    Returns:
        The ranks, by class.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: RankMe: Garrido, Balestriero, Najman, LeCun, 2023, https://arxiv.org/abs/2210.02885; participation ratio:
    Gao et al., 2017, https://doi.org/10.1101/214262

    Examples:
        >>> features = jnp.array([[1.0, 0.0], [-1.0, 0.0], [5.0, 1.0], [5.0, -1.0], [6.0, 0.0], [4.0, 0.0]])
        >>> ranks = class_ranks(features, jnp.array([0, 0, 1, 1, 1, 1]), num_classes=2)
        >>> [f"{float(rank):.4f}" for rank in ranks.effective_rank]
        ['1.0000', '2.0000']
    """
    rows = jnp.shape(features)[0]
    if largest is None:
        known = not any(isinstance(value, jax.core.Tracer) for value in (labels, mask))
        largest = _largest_class(labels, rows, num_classes, mask) if known else rows
    return _class_ranks(features, labels, num_classes, mask, max(1, as_count("largest", largest, least=0)))


@compiled()
def lidar(stats: ClassStats, delta: Float[ArrayLike, ""] | float = 1e-4) -> Float[Array, ""]:
    """LiDAR: effective rank of the between-class covariance, measured in the within-class one. O(C^2 d + C d^2 + d^3).

    The exponential of the entropy of the shares that the eigenvalues of S^-1/2 S_B S^-1/2 have of their sum,
    S = S_W + delta I. In the paper a class is a clean sample and its samples are augmentations of it; here classes are
    those of the labels. S_W is that of all samples, which is the paper's where classes are of one size. A share of zero
    adds nothing: the paper adds 1e-7 to each share, which moves the result by less than 2e-6 d of itself.

    As delta has a unit, the result depends on the features' scale: it is blind to directions in which classes spread
    and differ by less than sqrt(delta). Choose a delta for features of another scale than one.

    Args:
        stats: Statistics with a scatter matrix.
        delta: What is added to the variance within classes in each direction, above 0, in squared feature units.

    Returns:
        A number of directions from 1 to min(d, C - 1). In single precision its relative error is some
        1e-7 |S_W|/(delta + the least variance within). Not a number with fewer than two classes, or where all class
        means coincide.

    Raises:
        ValueError: The statistics were built without a scatter matrix.

    Source: Thilak et al., "LiDAR: sensing linear probing performance in joint embedding SSL architectures", ICLR 2024,
    section 4, https://arxiv.org/abs/2312.04000

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> means = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> stats = class_stats(jnp.concatenate([0.9 * means, 1.1 * means]), jnp.arange(8) % 4, num_classes=4)
        >>> f"{float(lidar(stats)):.3f}"
        '2.000'
    """
    covariance = within_covariance(stats)
    added = scaled(scaled(jnp.asarray(delta, covariance.dtype), -stats.exponent), -stats.exponent)
    factor = jnp.linalg.cholesky(covariance + added * jnp.eye(stats.dim, dtype=covariance.dtype))
    high, low = centred_means(stats)
    whitened = jax.scipy.linalg.solve_triangular(factor, (high + low).T, lower=True)
    values = jnp.linalg.svd(whitened, compute_uv=False)
    # Squared after the division, so that no square leaves the range.
    squares = (values / jnp.max(values)) ** 2
    return between_only(stats, effective_rank(squares))


def _largest_class(labels: ArrayLike, rows: int, num_classes: int, mask: ArrayLike | None) -> int:
    own = np.asarray(as_labels(labels, rows, num_classes, mask))
    return int(np.bincount(own, minlength=num_classes + 1)[:num_classes].max(initial=0))


@compiled("num_classes", "largest")
def _class_ranks(
    features: ArrayLike, labels: ArrayLike, num_classes: int, mask: ArrayLike | None, largest: int
) -> ClassRanks:
    rows = as_float("features", features, ndim=2)
    own = as_labels(labels, rows.shape[0], num_classes, mask)
    counts = jnp.minimum(jax.ops.segment_sum(jnp.ones_like(own), own, num_classes), largest)
    order = jnp.argsort(own, stable=True)
    starts = jnp.searchsorted(own[order], jnp.arange(num_classes))

    def of_class(which: tuple[Array, Array]) -> ClassRanks:
        start, count = which
        places = jnp.arange(largest)
        there = (places < count)[:, None]
        block = rows[order[jnp.minimum(start + places, rows.shape[0] - 1)]]
        # From a row of the class: a common offset is gone before anything is added up.
        block = jnp.where(there, block - block[:1], 0)
        for _ in range(2):
            mean = jnp.sum(block, axis=0, keepdims=True) / jnp.maximum(count, 1).astype(block.dtype)
            block = jnp.where(there, block - mean, 0)
        values = jnp.linalg.svd(block, compute_uv=False)
        return ClassRanks(effective_rank(values), participation_ratio(values))

    if rows.shape[0] == 0:
        unknown = jnp.full(num_classes, jnp.nan, rows.dtype)
        return ClassRanks(unknown, unknown)
    return lax.map(of_class, (starts, counts))
