"""Small measures of features and classifiers that other papers name: NC0, NC5, NECO, separation, alignment."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from ncjax.metrics.arrays import ArrayLike, as_count, as_float, as_labels, single_or_better
from ncjax.metrics.class_means import highest_matmul
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled


@compiled()
def nc0(kernel: Float[ArrayLike, "d C"]) -> Float[Array, ""]:
    """Share of the classifier's squared norm that all classes have in common: |sum_c w_c|^2 / (C |W|_F^2).

    The rows of the last layer sum to zero under weight decay that acts on the gradient; where this stays above zero
    there is no collapse. It is |sum_c w_c| of the paper, made free of the kernel's scale: 0 where the classes' weights
    sum to zero, 1 where they are equal.

    Args:
        kernel: [d, C] kernel of the classifier.

    Returns:
        A share; not a number where the kernel is zero.

    Raises:
        ValueError: The shape does not fit.

    Source: Zhao, Cheng, Masarczyk, Lucchi, ICLR 2026, https://arxiv.org/abs/2602.16642

    Examples:
        >>> float(nc0(jnp.array([[1.0, -1.0]]))), float(nc0(jnp.array([[1.0, 1.0]])))
        (0.0, 1.0)
    """
    weights = as_float("kernel", kernel, ndim=2)
    weights = weights / jnp.max(jnp.abs(weights))
    return jnp.sum(jnp.sum(weights, axis=1) ** 2) / (weights.shape[1] * jnp.sum(weights**2))


@compiled("num_classes")
def class_separation(
    features: Float[ArrayLike, "n d"], labels: Integer[ArrayLike, " n"], num_classes: int
) -> Float[Array, ""]:
    """R^2 of the classes by cosine distance: 1 - (mean distance within classes)/(mean distance of all). O(n d).

    Each class weighs the same; a feature of zero has no direction and takes no part. The mean cosine over all pairs of
    two classes is the product of the means of their unit vectors, so no pair is formed.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.

    Returns:
        1 where each class lies on one ray of its own, 0 where classes make no difference; not a number where all
        features lie on one ray.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Kornblith, Chen, Lee, Norouzi, NeurIPS 2021, https://arxiv.org/abs/2010.16402

    Examples:
        >>> features = jnp.array([[1.0, 0.0], [9.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
        >>> float(class_separation(features, jnp.array([0, 0, 1, 1]), num_classes=2))
        1.0
    """
    rows = as_float("features", features, ndim=2)
    rows = rows.astype(single_or_better(rows.dtype))
    own = as_labels(labels, rows.shape[0], num_classes)
    zero = (rows == 0).all(axis=1)
    units = _unit_rows(jnp.where(zero[:, None], 1, rows))
    own = jnp.where(zero, num_classes, own)
    counts = jax.ops.segment_sum(jnp.ones_like(units[:, 0]), own, num_classes)
    there = counts > 0
    means = jax.ops.segment_sum(units, own, num_classes) / jnp.maximum(counts, 1)[:, None]
    # 1 - |m|^2 of a mean of unit vectors, as the mean of squared deviations from it: no cancellation at collapse.
    spread = jax.ops.segment_sum(
        jnp.sum((units - means[jnp.minimum(own, num_classes - 1)]) ** 2, axis=1), own, num_classes
    )
    within = jnp.mean(spread / jnp.maximum(counts, 1), where=there)
    middle = jnp.mean(means, axis=0, keepdims=True, where=there[:, None])
    between = jnp.mean(jnp.sum((means - middle) ** 2, axis=1), where=there)
    return between / (within + between)


@compiled()
def linear_cka(first: Float[ArrayLike, "n d"], second: Float[ArrayLike, "n e"]) -> Float[Array, ""]:
    """Linear centred kernel alignment of two feature sets of the same samples: |Y^T X|_F^2/(|X^T X|_F |Y^T Y|_F).

    Args:
        first: [n, d] floats.
        second: [n, e] floats, of the same n samples.

    Returns:
        From 0 to 1, which means equal up to rotation and scale; not a number where one set does not vary.

    Raises:
        ValueError: The numbers of rows differ.

    Source: Kornblith, Norouzi, Lee, Hinton, ICML 2019, https://arxiv.org/abs/1905.00414

    Examples:
        >>> features = jnp.array([[1.0, 0.0], [0.0, 2.0], [-1.0, -1.0]])
        >>> f"{float(linear_cka(features, 3 * features[:, ::-1] + 5)):.4f}"
        '1.0000'
    """
    one, two = as_float("first", first, ndim=2), as_float("second", second, ndim=2)
    if one.shape[0] != two.shape[0]:
        raise ValueError(f"second must have the {one.shape[0]} rows of first, got {two.shape[0]}")
    one, two = _centred_in_range(one), _centred_in_range(two)
    squares = [jnp.sum(highest_matmul(a.T, b) ** 2) for a, b in ((two, one), (one, one), (two, two))]
    return squares[0] / jnp.sqrt(squares[1] * squares[2])


@compiled()
def nc5(stats: ClassStats, other: Float[ArrayLike, "n d"]) -> Float[Array, ""]:
    """Mean over classes of |cos| between the class mean and the mean of data of no class: 0 where these are orthogonal.

    Args:
        stats: Statistics of the train features by class.
        other: [n, d] floats, features of out-of-distribution data.

    Returns:
        From 0 to 1; not a number where a mean is zero.

    Raises:
        ValueError: The shapes do not fit.

    Source: Ammar, Belkhir, Popescu, Manzanera, Franchi, ICLR 2024, https://arxiv.org/abs/2310.06823

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(nc5(stats, jnp.array([[0.0, 2.0], [0.0, 4.0]])))
        0.5
    """
    rows = _rows_like(stats, other)
    mean = _unit_rows(jnp.mean(rows / jnp.max(jnp.abs(rows)), axis=0)[None])[0]
    cosines = jnp.abs(highest_matmul(_unit_rows(stats.means + stats.means_low), mean))
    return jnp.mean(cosines, where=stats.counts > 0)


@compiled("directions")
def neco(train: Float[ArrayLike, "n d"], features: Float[ArrayLike, "m d"], directions: int) -> Float[Array, " m"]:
    """NECO score of each sample: the share of its length in the leading principal directions of train. O(n d^2).

    The higher, the more a sample is like those of train. Lengths are from the mean of train. This is the ratio of the
    paper: axes are not standardised before, and the score is not multiplied by the largest logit after it.

    Args:
        train: [n, d] floats, features of the train set.
        features: [m, d] floats to be scored.
        directions: Number of principal directions; C - 1 is what collapse leaves.

    Returns:
        [m] shares from 0 to 1; not a number where a centred row is zero.

    Raises:
        ValueError: The shapes do not fit.

    Source: Ammar, Belkhir, Popescu, Manzanera, Franchi, ICLR 2024, https://arxiv.org/abs/2310.06823

    Examples:
        >>> train = jnp.array([[2.0, 0.1], [-2.0, -0.1], [2.0, -0.1], [-2.0, 0.1]])
        >>> neco(train, jnp.array([[1.0, 0.0], [0.0, 1.0]]), directions=1).round(4).tolist()
        [1.0, 0.0]
    """
    known, rows = as_float("train", train, ndim=2), as_float("features", features, ndim=2)
    if known.shape[1] != rows.shape[1]:
        raise ValueError(f"features must have the {known.shape[1]} columns of train, got {rows.shape[1]}")
    scale = jnp.max(jnp.abs(known))
    mean = jnp.mean(known / scale, axis=0, keepdims=True)
    leading = jnp.linalg.svd(known / scale - mean, full_matrices=False)[2][: as_count("directions", directions)]
    units = _unit_rows(rows / scale - mean)
    return jnp.linalg.norm(highest_matmul(units, leading.T), axis=-1)


def _rows_like(stats: ClassStats, features: ArrayLike) -> Array:
    rows = as_float("features", features, ndim=2)
    if rows.shape[1] != stats.means.shape[1]:
        raise ValueError(f"features must have shape (n, {stats.means.shape[1]}), got {rows.shape}")
    return rows


def _unit_rows(rows: Array) -> Array:
    """Rows of length one; what is zero becomes not a number."""
    scaled = rows / jnp.max(jnp.abs(rows), axis=-1, keepdims=True)
    return scaled / jnp.linalg.norm(scaled, axis=-1, keepdims=True)


def _centred_in_range(rows: Array) -> Array:
    """Centred rows over their largest entry, so that fourth powers stay in range."""
    rows = rows.astype(single_or_better(rows.dtype))
    rows = rows - rows[:1]
    rows = rows - jnp.mean(rows, axis=0, keepdims=True)
    return rows / jnp.max(jnp.abs(rows))
