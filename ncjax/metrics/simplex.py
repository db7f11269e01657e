"""Geometry of collapse: how far class means and classifier are from one simplex equiangular tight frame."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike, as_float
from ncjax.metrics.class_means import (
    between_only,
    centred_means,
    distinct_pairs,
    mean_over_classes,
    num_present,
    pair_mean,
    pairwise_squares,
    present,
)
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compensated import divide, gram, two_product, two_sum


def nc2_equinorm(stats: ClassStats, kernel: Float[ArrayLike, "d C"] | None = None) -> Float[Array, ""]:
    """Spread of the lengths |m_c - m_G|, standard deviation over mean. O(C d).

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier, as in a Dense layer; its columns take the place of the centred means.

    Returns:
        A scalar without unit; zero for a simplex frame.

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Papyan, Han, Donoho, PNAS 2020, figure 2, https://arxiv.org/abs/2008.08186

    Example:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(nc2_equinorm(stats)), f"{float(nc2_equinorm(stats, kernel=jnp.array([[1.0, 0.0], [0.0, 3.0]]))):.4f}"
        (0.0, '0.5000')
    """
    excess = _relative_lengths(*_gram(stats, kernel))[1]
    mean = mean_over_classes(stats, excess)
    return jnp.sqrt(mean_over_classes(stats, (excess - mean) ** 2)) / (1 + mean)


def nc2_equiangularity(stats: ClassStats, kernel: Float[ArrayLike, "d C"] | None = None) -> Float[Array, ""]:
    """Standard deviation over pairs of classes of cos(m_c - m_G, m_c' - m_G). O(C^2 d).

    With C > d + 1 no simplex frame exists, and the centred means cannot reach zero.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier; its columns take the place of the centred means.

    Returns:
        A scalar; zero for a simplex frame.

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Papyan, Han, Donoho, PNAS 2020, figure 3, https://arxiv.org/abs/2008.08186

    Example:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.eye(3), jnp.array([0, 1, 2]), num_classes=3)
        >>> float(nc2_equiangularity(stats)) < 1e-6
        True
    """
    excess = _excess_cosines(stats, kernel)
    return jnp.sqrt(pair_mean(stats, (excess - pair_mean(stats, excess)) ** 2))


def nc2_maxangle(stats: ClassStats, kernel: Float[ArrayLike, "d C"] | None = None) -> Float[Array, ""]:
    """Mean over pairs of classes of |cos + 1/(C - 1)|, the distance from the largest equal angles. O(C^2 d).

    With C > d + 1 no simplex frame exists, and zero cannot be reached.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier; its columns take the place of the centred means.

    Returns:
        A scalar; zero for a simplex frame.

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Papyan, Han, Donoho, PNAS 2020, figure 4, https://arxiv.org/abs/2008.08186

    Example:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.eye(3), jnp.array([0, 1, 2]), num_classes=3)
        >>> float(nc2_maxangle(stats)) < 1e-6, float(nc2_maxangle(stats, kernel=jnp.eye(3)))
        (True, 0.5)
    """
    return pair_mean(stats, jnp.abs(_excess_cosines(stats, kernel)))


def nc2_etf(stats: ClassStats, kernel: Float[ArrayLike, "d C"] | None = None) -> Float[Array, ""]:
    """Distance of the normalised Gram matrix from a simplex frame's, |G/|G| - (I - 11^T/C)/sqrt(C - 1)|. O(C^2 d).

    With C > d + 1 no simplex frame exists: a Gram matrix of rank d comes as near as sqrt(2 - 2 sqrt(d/(C - 1))), and no
    nearer.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier; its columns take the place of the centred means.

    Returns:
        A scalar in Frobenius norm; zero for a simplex frame.

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Zhu et al., "A geometric analysis of neural collapse with unconstrained features", NeurIPS 2021,
    https://arxiv.org/abs/2105.02375

    Example:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.eye(3), jnp.array([0, 1, 2]), num_classes=3)
        >>> float(nc2_etf(stats)) < 1e-6
        True
    """
    high, low = _gram(stats, kernel)
    there = present(stats).astype(high.dtype)
    count = num_present(stats)
    frame = jnp.diag(there) - there[:, None] * there[None, :] / count
    # The part of the Gram matrix along the frame, with what rounding took from it, comes off first.
    along = jnp.sum(high * frame) / (count - 1)
    entry, entry_low = divide(along, jnp.zeros_like(along), count)
    rest, lost = two_sum(high, -along * jnp.diag(there))
    rest, more = two_sum(rest, jnp.broadcast_to(entry, rest.shape))
    rest = jnp.where((there[:, None] * there[None, :]) > 0, rest + (lost + more + low + entry_low), 0)
    correction = jnp.sum(rest * frame) / (count - 1)
    return jnp.sqrt(_angle_gap((along + correction) * jnp.sqrt(count - 1), jnp.linalg.norm(rest - correction * frame)))


def nc3(stats: ClassStats, kernel: Float[ArrayLike, "d C"]) -> Float[Array, ""]:
    """Distance of classifier and centred class means, both normalised, |W/|W| - M/|M||^2. O(C d).

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel W of the classifier, as in a Dense layer.

    Returns:
        A scalar in squared Frobenius norm, from 0 (self-dual) to 4 (opposite).

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Papyan, Han, Donoho, PNAS 2020, figure 5, https://arxiv.org/abs/2008.08186

    Example:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0], [-1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> f"{float(nc3(stats, jnp.array([[-3.0, 3.0]]))):.4f}"
        '4.0000'
    """
    columns, _ = _vectors(stats, kernel)
    means, low = _vectors(stats)
    length = jnp.linalg.norm(means)
    along = jnp.sum(columns * means) / length**2
    product, lost = two_product(jnp.broadcast_to(along, means.shape), means)
    rest, more = two_sum(columns, -product)
    rest = rest + (more - lost - along * low)
    correction = jnp.sum(rest * means) / length**2
    return _angle_gap((along + correction) * length, jnp.linalg.norm(rest - correction * means))


def hyperspherical_uniformity(
    stats: ClassStats,
    kernel: Float[ArrayLike, "d C"] | None = None,
    energy: Literal["log", "inverse"] = "log",
) -> Float[Array, ""]:
    """Mean energy over pairs of directions u_c of the centred means: log 1/|u_i - u_j| or 1/|u_i - u_j|. O(C^2 d).

    Both are least where the directions spread evenly over the sphere, also where C - 1 > d and no simplex frame exists.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier; its columns take the place of the centred means.
        energy: "log" or "inverse".

    Returns:
        A scalar; of a simplex frame -log(2C/(C - 1))/2 and sqrt((C - 1)/(2C)).

    Raises:
        ValueError: The kernel does not fit the statistics, or there is no such energy.

    Source: Liu et al., "Generalizing and decoupling neural collapse via hyperspherical uniformity gap", ICLR 2023,
    https://arxiv.org/abs/2303.06484

    Example:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0], [-1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(hyperspherical_uniformity(stats, energy="inverse"))
        0.5
    """
    if energy not in ("log", "inverse"):
        raise ValueError(f'energy must be "log" or "inverse", got {energy!r}')
    high, low = _vectors(stats, kernel)
    lengths = jnp.linalg.norm(high, axis=-1, keepdims=True)
    unit = (high + low) / jnp.where(lengths > 0, lengths, 1)
    # By differences: of close directions 2 - 2 cos keeps few digits.
    squared = jnp.where(distinct_pairs(stats), pairwise_squares(unit, jnp.zeros_like(unit)), 1)
    return pair_mean(stats, -jnp.log(squared) / 2 if energy == "log" else 1 / jnp.sqrt(squared))


def _vectors(stats: ClassStats, kernel: ArrayLike | None = None) -> tuple[Float[Array, "C d"], Float[Array, "C d"]]:
    """Centred class means or the classifier's columns as rows, zero for absent classes: a pair of unit scale."""
    if kernel is None:
        high, low = (between_only(stats, part) for part in centred_means(stats))
    else:
        high = jnp.where(present(stats)[:, None], check_kernel(stats, kernel).T, 0)
        low = jnp.zeros_like(high)
    # A power of two costs no digit, and keeps squares of squares in range.
    _, exponent = jnp.frexp(lax.stop_gradient(jnp.max(jnp.abs(high))))
    unit = jnp.ldexp(jnp.ones((), high.dtype), -exponent)
    return high * unit, low * unit


@jax.jit
def _gram(stats: ClassStats, kernel: ArrayLike | None) -> tuple[Float[Array, "C C"], Float[Array, "C C"]]:
    return gram(*_vectors(stats, kernel))


def _relative_lengths(
    high: Float[Array, "C C"], low: Float[Array, "C C"]
) -> tuple[Float[Array, ""], Float[Array, " C"]]:
    """Square of the largest length, and how far above one each length divided by it is, from a Gram pair."""
    squares = jnp.diag(high)
    largest = jnp.max(squares)
    excess = ((squares - largest) + jnp.diag(low)) / largest
    return largest, excess / (1 + jnp.sqrt(jnp.maximum(1 + excess, 0)))


@jax.jit
def _excess_cosines(stats: ClassStats, kernel: ArrayLike | None) -> Float[Array, "C C"]:
    """What each cosine is above that of a simplex frame, cos + 1/(C - 1), without the rounding of their difference."""
    high, low = _gram(stats, kernel)
    largest, excess = _relative_lengths(high, low)
    # A vector of length zero has no direction: its products are zero, and so are its cosines.
    inverse = jnp.where(excess > -1, -excess / jnp.where(excess > -1, 1 + excess, 1), 0)
    both = inverse[:, None] + inverse[None, :] + inverse[:, None] * inverse[None, :]
    frame, frame_low = divide(largest, jnp.zeros_like(largest), num_present(stats) - 1)
    total, lost = two_sum(high, jnp.broadcast_to(frame, high.shape))
    return (total + (lost + low + frame_low) + high * both) / largest


def _angle_gap(along: Float[Array, ""], across: Float[Array, ""]) -> Float[Array, ""]:
    """Square of the distance between two unit vectors, 2 - 2 cos, from what one has along and across the other."""
    square = along**2 + across**2
    cosine = along / jnp.sqrt(square)
    return jnp.where(along > 0, 2 * across**2 / (square * (1 + jnp.abs(cosine))), 2 - 2 * cosine)


def check_kernel(stats: ClassStats, kernel: ArrayLike) -> Float[Array, "d C"]:
    """Kernel of a classifier in the statistics' precision.

    Args:
        stats: Statistics by class.
        kernel: [d, C] kernel, as in a Dense layer.

    Returns:
        [d, C] floats.

    Raises:
        ValueError: The shape does not fit; a transposed kernel, as PyTorch keeps it, is named.
    """
    array = as_float("kernel", kernel, ndim=2)
    expected = (stats.dim, stats.num_classes)
    if array.shape != expected:
        hint = ": transpose it" if array.shape == expected[::-1] else ""
        raise ValueError(f"kernel must have shape (d, C) = {expected}, got {array.shape}{hint}")
    return array.astype(stats.means.dtype)
