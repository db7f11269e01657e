"""Rows of features held against statistics by class: in their unit, with labels that can index, less a class mean."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from ncjax.metrics.arrays import ArrayLike, as_float, as_labels
from ncjax.metrics.class_means import highest_matmul, present
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compensated import two_sum
from ncjax.metrics.powers_of_two import scaled

# Rows whose outer products are summed at once.
_FEWEST_ROWS, _MOST_ROWS = 16, 1024


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


def covariance_squares(
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
