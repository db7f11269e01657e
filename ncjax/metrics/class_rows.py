"""Rows of features held against statistics by class: in their unit, with labels that can index, less a class mean."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ncjax.metrics.arrays import ArrayLike, as_float, as_labels
from ncjax.metrics.class_means import present
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compensated import two_sum
from ncjax.metrics.powers_of_two import scaled


def checked_rows(stats: ClassStats, features: ArrayLike) -> Float[Array, "n d"]:
    """Features of the type of the statistics.

    Args:
        stats: Statistics by class.
        features: [n, d] floats.

    Returns:
        [n, d] floats.

    Raises:
        ValueError: The features do not fit the statistics.
    """
    array = as_float("features", features, ndim=2)
    if array.shape[1] != stats.dim:
        raise ValueError(f"features must have {stats.dim} columns to fit the statistics, got shape {array.shape}")
    return array.astype(stats.means.dtype)


def rows_in_unit(stats: ClassStats, features: ArrayLike) -> Float[Array, "n d"]:
    """Features in the unit of the statistics.

    Args:
        stats: Statistics by class.
        features: [n, d] floats.

    Returns:
        [n, d] floats.

    Raises:
        ValueError: The features do not fit the statistics.
    """
    return scaled(checked_rows(stats, features), -stats.exponent)


def own_classes(
    stats: ClassStats, labels: ArrayLike, rows: int, mask: ArrayLike | None
) -> tuple[Int[Array, " n"], Bool[Array, " n"]]:
    """Labels that can index, and which of the rows count.

    Args:
        stats: Statistics by class.
        labels: [n] integers.
        rows: Number n of rows.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        [n] classes from 0 to C - 1, and [n] booleans: false too where the class has no mean.

    Raises:
        ValueError: A shape or a concrete label does not fit.
    """
    valid = as_labels(labels, rows, stats.num_classes, mask)
    own = jnp.minimum(valid, stats.num_classes - 1)
    return own, (valid < stats.num_classes) & present(stats)[own]


def deviation(stats: ClassStats, rows: Float[Array, "*rows d"], labels: Int[Array, "*rows"]) -> Float[Array, "*rows d"]:
    """Rows less the means of their classes, with the digits that rounding took from the means.

    Args:
        stats: Statistics by class.
        rows: Features in the unit of the statistics.
        labels: Classes.

    Returns:
        As `rows`.
    """
    difference, lost = two_sum(rows, -stats.means[labels])
    return difference + (lost - stats.means_low[labels])
