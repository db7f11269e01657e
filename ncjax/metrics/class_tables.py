"""Class by class: what each class looks like, which classes have too few samples, and whether the small ones merge."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Integer

from ncjax.metrics.arrays import ArrayLike, as_array, as_count, as_float, as_labels
from ncjax.metrics.class_means import centred_means, present
from ncjax.metrics.class_stats import class_stats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.nearest_mean import nearest_class_mean
from ncjax.metrics.powers_of_two import scaled

# Numbers in the differences of a few class means from all others.
_DIFFERENCES = 2**22


class ClassTable(NamedTuple):
    """One number a class; not numbers, and -1 for `nearest`, where a class takes no part.

    Attributes:
        samples: [C] their number, 0 where the class takes no part.
        norm: [C] |m_c - m_G|, in feature units.
        variance: [C] tr S_c, mean of |h - m_c|^2 over the class, in squared feature units.
        nearest: [C] class with the nearest mean.
        distance: [C] its distance |m_c - m_nearest|, in feature units.
        error: [C] share of the class's samples that are nearer to another class's mean than to their own.
    """

    samples: Int[Array, " C"]
    norm: Float[Array, " C"]
    variance: Float[Array, " C"]
    nearest: Int[Array, " C"]
    distance: Float[Array, " C"]
    error: Float[Array, " C"]


@compiled("num_classes", "min_count")
def class_table(
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    mask: Bool[ArrayLike, " n"] | None = None,
    min_count: int = 1,
) -> ClassTable:
    """Size, spread, neighbour and error of each class. O(n C d + C^2 d), no C x C array.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        mask: [n] booleans; rows where it is false do not count.
        min_count: Classes with fewer samples take no part, nor in m_G.

    Returns:
        The table, by class.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Examples:
        >>> features, labels = jnp.array([[0.0], [2.0], [5.0], [5.0]]), jnp.array([0, 0, 1, 2])
        >>> table = class_table(features, labels, num_classes=3)
        >>> table.nearest.tolist(), table.distance.tolist(), table.variance.tolist()
        ([1, 2, 1], [4.0, 0.0, 0.0], [1.0, 0.0, 0.0])
        >>> class_table(features, labels, num_classes=3, min_count=2).samples.tolist()
        [2, 0, 0]
    """
    keep = rows_of_frequent_classes(labels, num_classes, min_count, mask)
    stats = class_stats(features, labels, num_classes, mask=keep, scatter=False)
    there = present(stats)
    high, low = centred_means(stats)
    at_once = max(1, min(num_classes, _DIFFERENCES // high.size))

    def neighbour(own: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        place, mean, mean_low = own
        squares = jnp.sum(((mean[None, :] - high) + (mean_low[None, :] - low)) ** 2, axis=-1)
        squares = jnp.where(there & (jnp.arange(num_classes) != place), squares, jnp.inf)
        return jnp.argmin(squares), jnp.min(squares)

    nearest, squares = lax.map(neighbour, (jnp.arange(num_classes), high, low), batch_size=at_once)
    paired = there & jnp.isfinite(squares)
    own = as_labels(labels, jnp.shape(features)[0], num_classes, keep)
    named = nearest_class_mean(stats, features)[0] if len(own) else own
    wrong = jax.ops.segment_sum((named != own).astype(high.dtype), own, num_classes)
    known = there & jnp.isfinite(high).all(axis=1)

    def in_feature_units(values: Array) -> Array:
        return jnp.where(there, scaled(values, stats.exponent), jnp.nan)

    return ClassTable(
        stats.counts,
        in_feature_units(jnp.linalg.norm(high + low, axis=1)),
        in_feature_units(scaled(stats.variances, stats.exponent)),
        jnp.where(paired, nearest, -1),
        jnp.where(paired, in_feature_units(jnp.sqrt(squares)), jnp.nan),
        jnp.where(known, wrong / jnp.maximum(stats.counts, 1).astype(wrong.dtype), jnp.nan),
    )


@compiled("num_classes", "min_count")
def rows_of_frequent_classes(
    labels: Integer[ArrayLike, " n"], num_classes: int, min_count: int, mask: Bool[ArrayLike, " n"] | None = None
) -> Bool[Array, " n"]:
    """Which rows are of a class with enough samples: a mask for every measure that takes one. O(n).

    Classes of a few samples lower what is measured within classes, and a single sample has no variance at all.

    Args:
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        min_count: Least number of samples of a class.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        [n] booleans.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Examples:
        >>> rows_of_frequent_classes(jnp.array([0, 1, 0, 2]), num_classes=3, min_count=2).tolist()
        [True, False, True, False]
    """
    own = as_labels(labels, jnp.shape(labels)[0], num_classes, mask)
    counts = jax.ops.segment_sum(jnp.ones_like(own), own, num_classes)
    enough = jnp.append(counts >= as_count("min_count", min_count), False)
    return enough[own]


@compiled()
def minority_collapse(kernel: Float[ArrayLike, "d C"], minority: Bool[ArrayLike, " C"]) -> Float[Array, ""]:
    """Mean cosine between the classifier's columns of pairs of minority classes: 1 where these have merged. O(C d).

    Where a few classes have far more samples than the others, the classifier may tell the small ones apart no more. No
    pair is formed: the mean over pairs follows from the spread of the directions, which keeps the digits of 1 - cos.

    Args:
        kernel: [d, C] kernel of the classifier, as in a Dense layer.
        minority: [C] booleans, true for the classes to compare, such as `stats.counts < 100`.

    Returns:
        From -1/(k - 1), for k minority classes, to 1; -1/(C - 1) at neural collapse. Not a number with fewer than two
        minority classes, or where the column of one is zero.

    Raises:
        ValueError: A shape or type does not fit.

    Source: Fang, He, Long, Su, "Exploring deep neural networks via layer-peeled model: minority collapse in imbalanced
    training", PNAS 2021, https://arxiv.org/abs/2101.12699

    Examples:
        >>> kernel = jnp.array([[1.0, 0.0, 0.0], [0.0, 1.0, 3.0]])
        >>> float(minority_collapse(kernel, jnp.array([False, True, True])))
        1.0
    """
    weights = as_float("kernel", kernel, ndim=2)
    chosen = as_array("minority", minority)
    if chosen.shape != weights.shape[1:] or chosen.dtype != jnp.bool_:
        raise ValueError(f"minority must be ({weights.shape[1]},) booleans, got {chosen.shape} of {chosen.dtype}")
    columns = jnp.where(chosen[:, None], weights.T, 1)
    units = columns / jnp.max(jnp.abs(columns), axis=1, keepdims=True)
    units = units / jnp.linalg.norm(units, axis=1, keepdims=True)
    count = jnp.sum(chosen).astype(units.dtype)
    mean = jnp.mean(units, axis=0, keepdims=True, where=chosen[:, None])
    spread = jnp.sum((units - mean) ** 2, where=chosen[:, None])
    return jnp.where(count >= 2, 1 - spread / (count - 1), jnp.nan)
