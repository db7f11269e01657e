"""From geometric complexity to collapse: geometric collapse, the Poincaré constant between, and error bounds."""

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Integer

from ncjax.metrics.arrays import ArrayLike, as_array, as_count, as_images, as_labels, single_or_better
from ncjax.metrics.class_means import (
    between_only,
    centred_means,
    known_distances,
    mean_over_distances,
    num_present,
)
from ncjax.metrics.class_stats import ClassStats, in_unit
from ncjax.metrics.collapse import cdnv
from ncjax.metrics.compiled import compiled
from ncjax.metrics.powers_of_two import scaled


class Chain(NamedTuple):
    """Three quantities of which each bounds the one before it.

    Attributes:
        cdnv: Class-distance normalised variance.
        tight: Poincaré constant times the tight geometric collapse.
        pooled: Poincaré constant times the pooled geometric collapse.
    """

    cdnv: Float[Array, ""]
    tight: Float[Array, ""]
    pooled: Float[Array, ""]


@compiled()
def geometric_collapse_tight(
    stats: ClassStats, class_complexity: Float[ArrayLike, " C"], distances: Float[Array, "C C"] | None = None
) -> Float[Array, ""]:
    """Geometric collapse by class complexities: mean over i != j of (GC_i + GC_j) / (2 |m_i - m_j|^2). O(C^2 d).

    Args:
        stats: Statistics of the embedding by class.
        class_complexity: [C] geometric complexity over each class, as `class_mean_complexity` gives it; a class where
            it is not a number, or that has no sample, takes part in no mean.
        distances: [C, C] `squared_distances` of the class means, where they are known already.

    Returns:
        A scalar in inverse squared input units; not a number with fewer than two classes, or where all class
        means coincide.

    Raises:
        ValueError: `class_complexity` does not fit the statistics.

    Source: Munn, Dherin, Gonzalvo, NeurIPS 2024, https://arxiv.org/abs/2405.15706

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[0.0], [2.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(geometric_collapse_tight(stats, jnp.array([3.0, 5.0])))
        1.0
    """
    complexity = as_array("class_complexity", class_complexity)
    if complexity.shape != (stats.num_classes,):
        raise ValueError(f"class_complexity must have shape ({stats.num_classes},), got {complexity.shape}")
    known = ~jnp.isnan(complexity)
    complexity = squares_in_unit(stats, jnp.where(known, complexity, 0))
    there = replace(stats, counts=jnp.where(known, stats.counts, 0))

    def terms(own: Array, other: Array, squares: Array) -> Array:
        return (own[:, None] + other[None, :]) / (2 * squares)

    return between_only(stats, mean_over_distances(there, centred_means(stats), complexity, terms, distances))


@compiled()
def geometric_collapse_pooled(
    stats: ClassStats, complexity: Float[ArrayLike, ""] | float | int, distances: Float[Array, "C C"] | None = None
) -> Float[Array, ""]:
    """Geometric collapse by one complexity: GC/(C - 1) times the sum over i < j of 1/|m_i - m_j|^2. O(C^2 d).

    Args:
        stats: Statistics of the embedding by class.
        complexity: Geometric complexity of the embedding.
        distances: [C, C] `squared_distances` of the class means, where they are known already.

    Returns:
        A scalar in inverse squared input units; not a number with fewer than two classes, or where all class
        means coincide.

    Source: Munn, Dherin, Gonzalvo, NeurIPS 2024, https://arxiv.org/abs/2405.15706

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[0.0], [2.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(geometric_collapse_pooled(stats, 4.0))
        1.0
    """
    mean = mean_over_distances(stats, centred_means(stats), (), lambda _own, _other, squares: 1 / squares, distances)
    return between_only(stats, squares_in_unit(stats, complexity) * mean * num_present(stats) / 2)


def squares_in_unit(stats: ClassStats, complexity: ArrayLike | float | int) -> Array:
    """Complexity of the embedding in the unit of the statistics, as squares of it are.

    Args:
        stats: Statistics that hold the exponent of their unit.
        complexity: Of any shape, in squared outputs.

    Returns:
        The same in the unit of the statistics.
    """
    return scaled(scaled(jnp.asarray(complexity, stats.means.dtype), -stats.exponent), -stats.exponent)


@compiled()
def chain(
    stats: ClassStats, class_complexity: Float[ArrayLike, " C"], poincare_constant: Float[ArrayLike, ""] | float | int
) -> Chain:
    """The inequality cdnv <= c * tight <= c * pooled, with all three terms. O(C^2 d).

    The first holds where c is a Poincaré constant of every class's input distribution, Var(g) <= c E|grad g|^2: summed
    over output coordinates it says Var_i <= c GC_i. The second holds for the mean of the class complexities: with a_i
    the sum over j of 1/|m_i - m_j|^2, no a_i exceeds half of their sum, as every pair is in two of them.

    Args:
        stats: Statistics of the embedding by class.
        class_complexity: [C] geometric complexity over each class.
        poincare_constant: c, in squared input units.

    Returns:
        The three terms, without unit.

    Raises:
        ValueError: `class_complexity` does not fit the statistics.

    Source: Munn, Dherin, Gonzalvo, NeurIPS 2024, https://arxiv.org/abs/2405.15706

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[0.0], [2.0], [9.0], [11.0]]), jnp.array([0, 0, 1, 1]), num_classes=2)
        >>> [f"{float(term):.4f}" for term in chain(stats, jnp.array([1.0, 1.0]), poincare_constant=2.0)]
        ['0.0123', '0.0247', '0.0247']
    """
    distances = known_distances(stats)
    complexity = as_array("class_complexity", class_complexity)
    tight = geometric_collapse_tight(stats, complexity, distances)
    known = (stats.counts > 0) & ~jnp.isnan(complexity)
    pooled = geometric_collapse_pooled(stats, jnp.mean(complexity, where=known), distances)
    constant = jnp.asarray(poincare_constant, tight.dtype)
    return Chain(cdnv(stats, distances), constant * tight, constant * pooled)


@compiled("num_classes", "iterations")
def poincare_lower_bound(
    images: Float[ArrayLike, "n ..."], labels: Integer[ArrayLike, " n"], num_classes: int, iterations: int = 64
) -> Float[Array, " C"]:
    """Lower bound of each class's Poincaré constant: the top eigenvalue of its input covariance. O(n D) a step.

    A linear function g(x) = w.x has Var(g) = w^T S w and |grad g|^2 = |w|^2, so no c below the largest eigenvalue of S
    serves; for a Gaussian it is the constant. The eigenvalue is found by the power method, whose Rayleigh quotient
    never exceeds it. With fewer samples than dimensions the covariance of the samples, not of their distribution, is
    bounded.

    Args:
        images: [n, *shape] floats, as the function receives them.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        iterations: Steps of the power method.

    Returns:
        [C] eigenvalues in squared input units; 0 where a class has no sample.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Bakry, Gentil, Ledoux, "Analysis and geometry of Markov diffusion operators", 2014, section 4.2

    Examples:
        >>> images = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]])
        >>> [f"{float(x):.3f}" for x in poincare_lower_bound(images, jnp.array([0, 0, 1, 1]), num_classes=2)]
        ['1.000', '0.250']
    """
    array, num_classes = as_images(images), as_count("num_classes", num_classes)
    rows = array.reshape(array.shape[0], -1).astype(single_or_better(array.dtype))
    labels = as_labels(labels, rows.shape[0], num_classes)
    stats = ClassStats.from_batch(
        rows, jnp.minimum(labels, num_classes - 1), num_classes, labels < num_classes, scatter=False
    )
    stats = in_unit(stats, 0)
    own = jnp.minimum(labels, num_classes - 1)
    deviations = jnp.where((labels < num_classes)[:, None], (rows - stats.means[own]) - stats.means_low[own], 0)
    counts = jnp.maximum(stats.counts, 1).astype(rows.dtype)

    def step(vectors: Array, _: None) -> tuple[Array, Array]:
        along = jnp.sum(deviations * vectors[own], axis=-1)
        images_of = jax.ops.segment_sum(deviations * along[:, None], labels, num_classes) / counts[:, None]
        length = jnp.linalg.norm(images_of, axis=-1, keepdims=True)
        return images_of / jnp.where(length > 0, length, 1), jnp.sum(vectors * images_of, axis=-1)

    vectors = jax.random.normal(jax.random.key(0), (num_classes, rows.shape[1]), rows.dtype)
    vectors = vectors / jnp.linalg.norm(vectors, axis=-1, keepdims=True)
    return jnp.max(lax.scan(step, vectors, None, length=iterations)[1], axis=0)


def nearest_mean_bound(
    cdnv: Float[ArrayLike, ""] | float | int,
    num_classes: Integer[ArrayLike, ""] | int,
    shots: Float[ArrayLike, ""] | float | int,
) -> Float[Array, ""]:
    """Bound on the error of the nearest of C class means, of `shots` samples each: 16 (C - 1)(1 + 2/shots) cdnv.

    Derivation. Let h be of class i, D = |m_i - m_j|, and m'_i, m'_j the means of n samples. If h, m'_i and m'_j are
    each within D/4 of m_i, m_i and m_j, then |h - m'_i| < D/2 < |h - m'_j|, and j is not chosen over i. By Chebyshev's
    inequality (Markov's for the squared length) the three fail with probability at most 16 Var_i/D^2, 16 Var_i/(n D^2)
    and 16 Var_j/(n D^2), together 16 (Var_i + (Var_i + Var_j)/n)/D^2. The mean over ordered pairs of Var_i/D^2 and of
    Var_j/D^2 is cdnv each, so the mean of the sum is 16 (1 + 2/n) cdnv; a union bound over the C - 1 wrong classes
    gives the factor C - 1.

    Args:
        cdnv: Class-distance normalised variance of the distribution.
        num_classes: Number of classes C.
        shots: Samples n a class that the means are estimated from; infinity for the true means.

    Returns:
        A scalar, an error rate; above 1 it says nothing.

    Source: after Galanti, Gyorgy, Hutter, ICLR 2022, proposition 5, https://arxiv.org/abs/2112.15121

    Examples:
        >>> f"{float(nearest_mean_bound(0.001, num_classes=5, shots=2)):.3f}"
        '0.128'
    """
    return jnp.asarray(16.0 * (num_classes - 1) * (1 + 2 / shots) * cdnv)
