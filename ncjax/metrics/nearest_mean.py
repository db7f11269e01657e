"""Nearest class mean: its error, its agreement with the classifier, and the collapse of held-out features."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Integer

from ncjax.metrics.arrays import ArrayLike, as_labels, as_mask
from ncjax.metrics.class_means import (
    between_only,
    between_trace,
    centred_means,
    highest_matmul,
    known_distances,
    mean_over_classes,
    present,
)
from ncjax.metrics.class_rows import checked_rows, deviation, own_classes, rows_in_unit
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.linear_classifier import check_bias, check_kernel
from ncjax.metrics.pairs import ONE_BLOCK
from ncjax.metrics.powers_of_two import scaled

# Rows that are scored against all classes at once: few enough that all that is made of them stays in the cache.
_ROWS = 1024
_SCORES = 2**21
_DIFFERENCES = 2**23
# As many logits are one array of 256 MiB in single precision.
_LOGITS = 2**26


@compiled()
def nearest_class_mean(
    stats: ClassStats, features: Float[ArrayLike, "n d"], distances: Float[Array, "C C"] | None = None
) -> tuple[Int[Array, " n"], Float[Array, " n"]]:
    """Class with the nearest mean, and the squared distance to that mean. O(n C d).

    Distances are compared relative to the best class found so far, |h - m_c|^2 - |h - m_a|^2 = |m_c - m_a|^2 - 2 (h -
    m_a)(m_c - m_a), twice, so that the nearest of close means is told apart at any depth of collapse by matrix products
    alone.

    Args:
        stats: Statistics that hold the class means.
        features: [n, d] floats.
        distances: [C, C] `squared_distances` of the class means, where they are known already.

    Returns:
        [n] classes, never an absent one, and [n] squared distances.

    Raises:
        ValueError: The features do not fit the statistics.

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[0.0], [10.0]]), jnp.array([0, 1]), num_classes=2)
        >>> classes, squares = nearest_class_mean(stats, jnp.array([[1.0], [8.0]]))
        >>> classes.tolist(), squares.tolist()
        ([0, 1], [1.0, 4.0])
    """
    classes, squares = _nearest(stats, rows_in_unit(stats, features), distances)
    return classes, scaled(scaled(squares, stats.exponent), stats.exponent)


def _nearest(
    stats: ClassStats, features: Float[Array, "n d"], distances: Float[Array, "C C"] | None
) -> tuple[Int[Array, " n"], Float[Array, " n"]]:
    """As `nearest_class_mean`, features and squared distances in the unit of the statistics."""
    distances = known_distances(stats) if distances is None else distances
    high, low = centred_means(stats)
    means = high + low
    there = present(stats)

    def nearest(scores: Array) -> Array:
        return jnp.argmin(jnp.where(there, scores, jnp.inf))

    centre = mean_over_classes(stats, stats.means)
    norms = jnp.sum(means**2, axis=-1)

    def squares_from(own: Array) -> Array:
        if distances is not None:
            return distances[own]
        return jnp.sum(((high[own][None, :] - high) + (low[own][None, :] - low)) ** 2, axis=-1)

    def one(row: Array) -> tuple[Array, Array]:
        guess = nearest(norms - 2 * highest_matmul(means, row - centre))
        for _ in range(2):
            offset = deviation(stats, row, guess)
            products = highest_matmul(means, offset)
            guess = nearest(squares_from(guess) - 2 * (products - products[guess]))
        return guess, jnp.sum(deviation(stats, row, guess) ** 2)

    return lax.map(one, features, batch_size=_rows_at_once(stats, features.shape[0]))


def _rows_at_once(stats: ClassStats, rows: int) -> int:
    """Few enough rows that what is made of them by class is no large array."""
    # Of many classes the distances to a row's guess are taken by differences, which are held.
    of_each = stats.num_classes * (stats.dim if stats.num_classes > ONE_BLOCK else 1)
    return max(1, min(_ROWS, rows, (_DIFFERENCES if stats.num_classes > ONE_BLOCK else _SCORES) // of_each))


@compiled()
def ncc_error(
    stats: ClassStats,
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    mask: Bool[ArrayLike, " n"] | None = None,
    nearest: Int[Array, " n"] | None = None,
) -> Float[Array, ""]:
    """Error of the nearest class mean: share of samples nearer to another class's mean than to their own. O(n C d).

    Args:
        stats: Statistics that hold the class means, usually of the train set.
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        mask: [n] booleans; rows where it is false do not count.
        nearest: [n] classes with the nearest mean, where they are known already.

    Returns:
        A scalar from 0 to 1; not a number where a sample that counts or a class mean is not finite. Samples of a class
        without a mean do not count.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Papyan, Han, Donoho, PNAS 2020, NC4, https://arxiv.org/abs/2008.08186

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[0.0], [10.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(ncc_error(stats, jnp.array([[1.0], [4.0]]), jnp.array([0, 1])))
        0.5
    """
    features = rows_in_unit(stats, features)
    own, counted = own_classes(stats, labels, features.shape[0], mask)
    nearest = _nearest(stats, features, None)[0] if nearest is None else nearest
    return _masked_mean(_where_known(stats, features, nearest != own), counted)


@compiled()
def held_out_report(
    stats: ClassStats,
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    mask: Bool[ArrayLike, " n"] | None = None,
    nearest: Int[Array, " n"] | None = None,
) -> dict[str, Float[Array, ""]]:
    """Collapse of held-out features onto the train set's class means. O(n C d).

    Args:
        stats: Statistics of the train set.
        features: [n, d] floats of the held-out split.
        labels: [n] integers from 0 to C - 1.
        mask: [n] booleans; rows where it is false do not count.
        nearest: [n] classes with the nearest mean, where they are known already.

    Returns:
        `strong_variance`, the mean of |h - m_y|^2 over tr S_B of the train set (small under strong collapse, onto the
        own class's mean); `weak_variance`, the mean of min_c |h - m_c|^2 over the same (small under weak collapse, onto
        any class's mean); `ncc_error`. Samples of a class without a mean do not count. Where all class means
        coincide, the two variances are not a number.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: the two notions are those of Hui, Belkin, Nakkiran, 2022, section 3, https://arxiv.org/abs/2202.08384; the
    measures are this library's.

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[-1.0], [1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> {name: float(x) for name, x in held_out_report(stats, jnp.array([[1.0], [1.0]]), jnp.array([0, 1])).items()}
        {'strong_variance': 2.0, 'weak_variance': 0.0, 'ncc_error': 0.5}
    """
    features = rows_in_unit(stats, features)
    own, counted = own_classes(stats, labels, features.shape[0], mask)
    nearest = _nearest(stats, features, None)[0] if nearest is None else nearest

    def mean_square(classes: Array) -> Array:
        squares = lax.map(
            lambda row: jnp.sum(deviation(stats, *row) ** 2),
            (features, classes),
            batch_size=max(1, min(_ROWS, own.shape[0])),
        )
        return _masked_mean(_where_known(stats, features, squares), counted)

    between = between_only(stats, between_trace(stats))
    return {
        "strong_variance": mean_square(own) / between,
        "weak_variance": mean_square(nearest) / between,
        "ncc_error": _masked_mean(_where_known(stats, features, nearest != own), counted),
    }


@compiled()
def nc4(
    stats: ClassStats,
    kernel: Float[ArrayLike, "d C"],
    bias: Float[ArrayLike, "..."] | float | None,
    features: Float[ArrayLike, "n d"],
    mask: Bool[ArrayLike, " n"] | None = None,
    nearest: Int[Array, " n"] | None = None,
) -> Float[Array, ""]:
    """Share of samples where the classifier and the nearest class mean name different classes. O(n C d).

    Args:
        stats: Statistics that hold the class means.
        kernel: [d, C] kernel of the classifier, as in a Dense layer.
        bias: [C] bias of the classifier; None or 0.0 where it has none.
        features: [n, d] floats.
        mask: [n] booleans; rows where it is false do not count.
        nearest: [n] classes with the nearest mean, where they are known already.

    Returns:
        A scalar from 0 to 1; not a number where a sample that counts, a class mean or the classifier is not. Only
        classes that have a sample can be named.

    Raises:
        ValueError: A shape does not fit.

    Source: Papyan, Han, Donoho, PNAS 2020, figure 7, https://arxiv.org/abs/2008.08186

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features = jnp.array([[-1.0], [1.0]])
        >>> stats = class_stats(features, jnp.array([0, 1]), num_classes=2)
        >>> float(nc4(stats, jnp.array([[-1.0, 1.0]]), None, features))
        0.0
        >>> float(nc4(stats, jnp.array([[-1.0, 1.0]]), jnp.array([9.0, 0.0]), features))
        0.5
    """
    named = classify(stats, kernel, bias, features)
    features = rows_in_unit(stats, features)
    counted = as_mask(mask, features.shape[0])
    nearest = _nearest(stats, features, None)[0] if nearest is None else nearest
    share = _masked_mean(_where_known(stats, features, named != nearest), counted)
    return _unless_nan(share, kernel if bias is None else (kernel, bias))


@compiled()
def classify(
    stats: ClassStats,
    kernel: Float[ArrayLike, "d C"],
    bias: Float[ArrayLike, "..."] | float | None,
    features: Float[ArrayLike, "n d"],
) -> Int[Array, " n"]:
    """Class that a linear classifier names, among those that have a sample. O(n C d).

    Args:
        stats: Statistics that tell which classes are present.
        kernel: [d, C] kernel, as in a Dense layer.
        bias: [C] bias; None or 0.0 where there is none.
        features: [n, d] floats.

    Returns:
        [n] classes.

    Raises:
        ValueError: A shape does not fit.

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.eye(2), jnp.array([0, 1]), num_classes=2)
        >>> classify(stats, jnp.eye(2), None, jnp.array([[3.0, 1.0]])).tolist()
        [0]
    """
    there = present(stats)
    return _over_logits(
        stats, kernel, bias, features, lambda logits: jnp.argmax(jnp.where(there[None, :], logits, -jnp.inf), axis=-1)
    )


@compiled()
def classifier_error(
    stats: ClassStats,
    kernel: Float[ArrayLike, "d C"],
    bias: Float[ArrayLike, "..."] | float | None,
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    mask: Bool[ArrayLike, " n"] | None = None,
) -> Float[Array, ""]:
    """Error of a linear classifier, which may name any class. O(n C d).

    Args:
        stats: Statistics that tell how many features and classes there are.
        kernel: [d, C] kernel, as in a Dense layer.
        bias: [C] bias; None or 0.0 where there is none.
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        A scalar from 0 to 1; not a number where an output is not.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.eye(2), jnp.array([0, 1]), num_classes=2)
        >>> float(classifier_error(stats, jnp.eye(2), 0.0, jnp.eye(2), jnp.array([0, 0])))
        0.5
    """
    features = checked_rows(stats, features)
    own = as_labels(labels, features.shape[0], stats.num_classes, mask)

    def named(logits: Array) -> tuple[Array, Array]:
        return jnp.argmax(logits, axis=-1), jnp.isnan(logits).any(axis=-1)

    classes, unknown = _over_logits(stats, kernel, bias, features, named)
    wrong = jnp.where(unknown, jnp.nan, (classes != own).astype(features.dtype))
    return _masked_mean(wrong, own < stats.num_classes)


def _over_logits(
    stats: ClassStats,
    kernel: ArrayLike,
    bias: ArrayLike | float | None,
    features: ArrayLike,
    function: Callable[[Float[Array, "n C"]], Any],
) -> Any:
    """A function of each row's logits, a block of rows at a time where all of them would be a large array."""
    features = checked_rows(stats, features)
    kernel = check_kernel(stats, kernel)
    offset = check_bias(stats, bias)

    def of_rows(rows: Array) -> Any:
        return function(highest_matmul(rows, kernel) + offset[None, :])

    length = _LOGITS // stats.num_classes
    if features.shape[0] <= length:
        return of_rows(features)
    return lax.map(
        lambda row: jax.tree.map(lambda leaf: leaf[0], of_rows(row[None, :])), features, batch_size=max(1, length)
    )


@jax.jit
def _where_known(stats: ClassStats, features: Float[Array, "n d"], values: Array) -> Float[Array, " n"]:
    """One value a row, not a number where the row is not finite or a class mean is not: nothing is nearest there."""
    known = jnp.all(jnp.isfinite(features), axis=-1) & jnp.all(jnp.isfinite(stats.means))
    return jnp.where(known, values.astype(features.dtype), jnp.nan)


@jax.jit
def _unless_nan(value: Float[Array, ""], inputs: Any) -> Float[Array, ""]:
    spoiled = [jnp.any(jnp.isnan(jnp.asarray(array))) for array in jax.tree.leaves(inputs)]
    return jnp.where(jnp.any(jnp.stack(spoiled)), jnp.nan, value)


@jax.jit
def _masked_mean(values: Float[Array, " n"], mask: Bool[Array, " n"]) -> Float[Array, ""]:
    return jnp.sum(jnp.where(mask, values, 0)) / jnp.sum(mask).astype(values.dtype)
