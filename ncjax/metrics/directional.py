"""Directional collapse: the spread within a class along the lines to the other classes' means, and nowhere else."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Integer

from ncjax.metrics.arrays import ArrayLike
from ncjax.metrics.class_means import between_only, centred_means, highest_matmul, known_distances, num_present, present
from ncjax.metrics.class_rows import deviation, own_classes, rows_in_unit
from ncjax.metrics.class_stats import ClassStats, class_stats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.moments import sum_over_blocks
from ncjax.metrics.pairs import ONE_BLOCK

# Numbers in an array of one per row and class, or of one per row, class and dimension where differences are held.
_PRODUCTS, _DIFFERENCES = 2**21, 2**23


@compiled()
def directional_sums(
    stats: ClassStats,
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    mask: Bool[ArrayLike, " n"] | None = None,
) -> Float[Array, " C"]:
    """Second pass of `directional_cdnv`: sums by class that add over batches and devices. O(n C d), no C x C array.

    Args:
        stats: Statistics of all samples, with or without a scatter matrix.
        features: [n, d] floats, one batch of the same samples.
        labels: [n] integers from 0 to C - 1.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        [C] sum over the class's samples x and over the other classes j of ((x - m_i) (m_j - m_i) / |m_j - m_i|^2)^2;
        infinite where two means coincide.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Examples:
        >>> features, labels = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> stats = class_stats(features, labels, num_classes=2, scatter=False)
        >>> halves = [directional_sums(stats, features[part], labels[part]) for part in (slice(0, 2), slice(2, 4))]
        >>> (halves[0] + halves[1]).tolist()
        [0.125, 0.125]
    """
    features = rows_in_unit(stats, features)
    own, counted = own_classes(stats, labels, features.shape[0], mask)
    if features.shape[0] == 0:
        return jnp.zeros(stats.num_classes, features.dtype)
    distances = known_distances(stats)
    high, low = centred_means(stats)
    means = high + low

    def squares_from(label: Array) -> Array:
        return jnp.sum(((high[label][None, :] - high) + (low[label][None, :] - low)) ** 2, axis=-1)

    def of_rows(part: tuple[Array, Array]) -> Array:
        rows, marked = part
        label = jnp.minimum(marked, stats.num_classes - 1)
        products = highest_matmul(deviation(stats, rows, label), means.T)
        along = products - jnp.take_along_axis(products, label[:, None], axis=1)
        squares = jax.vmap(squares_from)(label) if distances is None else distances[label]
        other = present(stats)[None, :] & (jnp.arange(stats.num_classes)[None, :] != label[:, None])
        share = jnp.where(squares > 0, along / jnp.where(squares > 0, squares, 1), jnp.inf)
        return jax.ops.segment_sum(jnp.sum(jnp.where(other, share, 0) ** 2, axis=-1), marked, stats.num_classes)

    of_each = stats.num_classes * (stats.dim if stats.num_classes > ONE_BLOCK else 1)
    most = (_DIFFERENCES if stats.num_classes > ONE_BLOCK else _PRODUCTS) // of_each
    return sum_over_blocks(of_rows, features, jnp.where(counted, own, stats.num_classes), most)


@compiled()
def directional_cdnv_of_sums(stats: ClassStats, sums: Float[ArrayLike, " C"]) -> Float[Array, ""]:
    """`directional_cdnv` from the sums over all samples.

    Args:
        stats: Statistics of all samples, with or without a scatter matrix.
        sums: [C] from `directional_sums`, added up over the batches that make up the same samples.

    Returns:
        A scalar without unit.

    Examples:
        >>> features, labels = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> stats = class_stats(features, labels, num_classes=2, scatter=False)
        >>> float(directional_cdnv_of_sums(stats, directional_sums(stats, features, labels)))
        0.0625
    """
    sums = jnp.asarray(sums)
    count = num_present(stats)
    by_class = jnp.where(present(stats), sums / jnp.maximum(stats.counts, 1).astype(sums.dtype), 0)
    return between_only(stats, jnp.sum(by_class) / (count * (count - 1)))


@compiled("num_classes")
def directional_cdnv(
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    mask: Bool[ArrayLike, " n"] | None = None,
) -> Float[Array, ""]:
    """Variance along the line to another class's mean, u^T S_i u / |m_j - m_i|^2, mean over ordered pairs. O(n C d).

    u is the unit vector from m_i to m_j and S_i the covariance of class i. Where `cdnv` counts the spread in every
    direction, this counts what can take a sample over to the other class: it is at most twice `cdnv`, and far less
    where a network spreads its classes in other directions.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        A scalar without unit; not a number with fewer than two classes, or where all class means coincide; infinite
        where two of them do.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Luthra, Salunkhe, Galanti, 2026, https://arxiv.org/abs/2603.03530

    Examples:
        >>> features = jnp.array([[1.0, 9.0], [3.0, -9.0], [-1.0, 0.0], [-3.0, 0.0]])
        >>> float(directional_cdnv(features, jnp.array([0, 0, 1, 1]), num_classes=2))
        0.0625
    """
    stats = class_stats(features, labels, num_classes, mask=mask, scatter=False)
    return directional_cdnv_of_sums(stats, directional_sums(stats, features, labels, mask))
