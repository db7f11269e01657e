"""Classes one by one: how many samples, how far apart, which is nearest; and a mask that leaves rare classes out."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Integer

from ncjax.metrics.arrays import ArrayLike, as_count, as_labels
from ncjax.metrics.class_means import centred_means, present
from ncjax.metrics.class_rows import covariance_squares, deviation, own_classes, rows_in_unit
from ncjax.metrics.class_stats import ClassStats, class_stats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.nearest_mean import nearest_class_mean
from ncjax.metrics.powers_of_two import scaled


@compiled()
def class_table(
    stats: ClassStats,
    features: Float[ArrayLike, "n d"] | None = None,
    labels: Integer[ArrayLike, " n"] | None = None,
) -> dict[str, Array]:
    """What means hide: a row for each class. O(C^2 d + n C d), in memory O(C d).

    Under imbalance the rare classes' means draw together (minority collapse), and a mean over pairs shows little of it.

    Args:
        stats: Statistics by class.
        features: [n, d] floats, of the same samples or held-out ones, for `error`.
        labels: [n] integers, with `features`.

    Returns:
        Arrays [C] by name, not numbers for a class without samples:

        - `count`: samples;
        - `mean_norm`: |m_c - m_G|, in the unit of the features;
        - `within`: mean squared distance of the class's samples to their mean;
        - `nearest`: the class with the nearest mean (-1 where there is none), and `distance` to that mean;
        - `overlap`: (within_c + within_nearest)/(2 distance^2), the term of this pair in `cdnv`;
        - `error`, with `features`: share of the class's samples that are nearer to another class's mean.

    Raises:
        ValueError: Only one of `features` and `labels` is given, or a shape does not fit.

    Source: minority collapse: Fang, He, Long, Su 2021, https://arxiv.org/abs/2101.12699

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[0.0], [2.0], [11.0]]), jnp.array([0, 0, 1]), num_classes=2)
        >>> {name: column.tolist() for name, column in class_table(stats).items() if name in ("count", "distance")}
        {'count': [2.0, 1.0], 'distance': [10.0, 10.0]}
    """
    if (features is None) != (labels is None):
        raise ValueError("features and labels must be given together, got one of them")
    there, parts = present(stats), centred_means(stats)
    everyone = jnp.arange(stats.num_classes)

    def nearest(own: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        high, low, number = own
        squares = jnp.sum(((high[None, :] - parts[0]) + (low[None, :] - parts[1])) ** 2, axis=1)
        squares = jnp.where(there & (everyone != number), squares, jnp.inf)
        return jnp.argmin(squares), jnp.min(squares)

    neighbours, squares = lax.map(nearest, (*parts, everyone))
    lonely = ~there | jnp.isinf(squares)
    within = stats.within / stats.counts
    table = {
        "count": jnp.where(there, stats.counts, jnp.nan),
        "mean_norm": _in_features_unit(stats, jnp.sqrt(jnp.sum((parts[0] + parts[1]) ** 2, axis=1))),
        "within": _in_features_unit(stats, _in_features_unit(stats, within)),
        "distance": jnp.where(lonely, jnp.nan, _in_features_unit(stats, jnp.sqrt(squares))),
        "overlap": jnp.where(lonely, jnp.nan, (within + within[neighbours]) / (2 * squares)),
    }
    table = {name: jnp.where(there, column, jnp.nan) for name, column in table.items()}
    table["nearest"] = jnp.where(lonely, -1, neighbours).astype(jnp.int32)
    if features is not None and labels is not None:
        rows = jnp.shape(features)[0]
        own, counted = own_classes(stats, labels, rows, None)
        wrong = nearest_class_mean(stats, features)[0] != own
        each = jax.ops.segment_sum(jnp.stack([wrong & counted, counted], axis=1).astype(within.dtype), own, len(there))
        table["error"] = each[:, 0] / each[:, 1]
    return table


@compiled("num_classes")
def class_ranks(
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    mask: Bool[ArrayLike, " n"] | None = None,
) -> Float[Array, " C"]:
    """Number of directions in which each class varies: the participation ratio of its covariance. O(n d^2).

    (tr Sigma_c)^2/tr Sigma_c^2, from 1 where a class varies along a line to min(d, n_c - 1).

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        [C] numbers of directions; not numbers where a class has no sample, or does not vary.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Gao et al., "A theory of multineuronal dimensionality", 2017, https://doi.org/10.1101/214262, of each class

    Examples:
        >>> features = jnp.array([[1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> class_ranks(features, jnp.array([0, 0, 1, 1, 1, 1]), num_classes=2).tolist()
        [1.0, 2.0]
    """
    stats = class_stats(features, labels, num_classes, mask=mask, scatter=False)
    own, counted = own_classes(stats, labels, jnp.shape(features)[0], mask)
    residuals = jnp.where(counted[:, None], deviation(stats, rows_in_unit(stats, features), own), 0)
    # Each class in a unit of its own: fourth powers leave the range of single precision soon.
    marked = jnp.where(counted, own, num_classes)
    largest = jax.ops.segment_max(jnp.max(jnp.abs(residuals), axis=1), marked, num_classes + 1)[:-1]
    varies = (largest > 0) & present(stats)
    residuals = residuals / jnp.where(varies, largest, 1)[own][:, None]
    traces = jax.ops.segment_sum(jnp.sum(residuals**2, axis=1), marked, num_classes + 1)[:-1]
    ratios = traces**2 / covariance_squares(residuals, marked, stats.counts)
    return jnp.where(varies, ratios, jnp.nan)


@compiled("num_classes", "min_count")
def frequent(labels: Integer[ArrayLike, " n"], num_classes: int, min_count: int) -> Bool[Array, " n"]:
    """Which samples are of classes with at least so many samples: a mask for `class_stats` and what takes one.

    Args:
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        min_count: Samples that a class needs, at least 1.

    Returns:
        [n] booleans.

    Raises:
        ValueError: A concrete label does not fit, or `min_count` is below 1.

    Examples:
        >>> frequent(jnp.array([0, 1, 0, 2]), num_classes=3, min_count=2).tolist()
        [True, False, True, False]
    """
    num_classes, fewest = as_count("num_classes", num_classes), as_count("min_count", min_count)
    own = as_labels(labels, jnp.shape(labels)[0], num_classes)
    counts = jax.ops.segment_sum(jnp.ones(own.shape, jnp.int32), own, num_classes + 1).at[num_classes].set(0)
    return counts[own] >= fewest


def _in_features_unit(stats: ClassStats, values: Float[Array, " C"]) -> Float[Array, " C"]:
    return scaled(values, stats.exponent)
