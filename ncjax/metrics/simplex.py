"""Geometry of collapse: how far class means and classifier are from one simplex equiangular tight frame."""

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike
from ncjax.metrics.class_means import (
    between_only,
    centred_means,
    highest_matmul,
    mean_over_classes,
    mean_over_distances,
    num_present,
    pair_mean,
    present,
)
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compensated import block_gram, divide, gram, gram_slices, row_squares, two_product, two_sum
from ncjax.metrics.compiled import compiled
from ncjax.metrics.linear_classifier import check_kernel
from ncjax.metrics.pairs import ONE_BLOCK, pair_moments
from ncjax.metrics.powers_of_two import exponent_of, power_of_two


@compiled()
def nc2_equinorm(stats: ClassStats, kernel: Float[ArrayLike, "d C"] | None = None) -> Float[Array, ""]:
    """Spread of the lengths |m_c - m_G|, standard deviation over mean. O(C d), but O(C^2 d) up to 2,048 classes.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier, as in a Dense layer; its columns take the place of the centred means.

    Returns:
        A scalar without unit; zero for a simplex frame.

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Papyan, Han, Donoho, PNAS 2020, figure 2, https://arxiv.org/abs/2008.08186

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(nc2_equinorm(stats)), f"{float(nc2_equinorm(stats, kernel=jnp.array([[1.0, 0.0], [0.0, 3.0]]))):.4f}"
        (0.0, '0.5000')
    """
    excess = _relative_lengths(*_squared_lengths(stats, kernel))[1]
    mean = mean_over_classes(stats, excess)
    return _root(mean_over_classes(stats, (excess - mean) ** 2)) / (1 + mean)


@compiled()
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

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.eye(3), jnp.array([0, 1, 2]), num_classes=3)
        >>> float(nc2_equiangularity(stats)) < 1e-6
        True
    """
    if stats.num_classes > ONE_BLOCK:
        return _root(_excess_moments(stats, kernel)[1])
    excess = _excess_cosines(stats, kernel)
    return _root(pair_mean(stats, (excess - pair_mean(stats, excess)) ** 2))


@compiled()
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

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.eye(3), jnp.array([0, 1, 2]), num_classes=3)
        >>> float(nc2_maxangle(stats)) < 1e-6, float(nc2_maxangle(stats, kernel=jnp.eye(3)))
        (True, 0.5)
    """
    if stats.num_classes > ONE_BLOCK:
        return _excess_moments(stats, kernel, absolute=True)[0]
    return pair_mean(stats, jnp.abs(_excess_cosines(stats, kernel)))


@compiled()
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

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.eye(3), jnp.array([0, 1, 2]), num_classes=3)
        >>> float(nc2_etf(stats)) < 1e-6
        True
    """
    if stats.num_classes > ONE_BLOCK:
        return _etf_of_many(stats, kernel)
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
    return _root(_angle_gap((along + correction) * jnp.sqrt(count - 1), jnp.sum((rest - correction * frame) ** 2)))


@compiled()
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

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0], [-1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> f"{float(nc3(stats, jnp.array([[-3.0, 3.0]]))):.4f}"
        '4.0000'
    """
    columns, _ = class_vectors(stats, kernel)
    means, low = class_vectors(stats)
    length = jnp.linalg.norm(means)
    along = jnp.sum(columns * means) / length**2
    product, lost = two_product(jnp.broadcast_to(along, means.shape), means)
    rest, more = two_sum(columns, -product)
    rest = rest + (more - lost - along * low)
    correction = jnp.sum(rest * means) / length**2
    return _angle_gap((along + correction) * length, jnp.sum((rest - correction * means) ** 2))


@compiled("energy")
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

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0], [-1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(hyperspherical_uniformity(stats, energy="inverse"))
        0.5
    """
    if energy not in ("log", "inverse"):
        raise ValueError(f'energy must be "log" or "inverse", got {energy!r}')
    high, low = class_vectors(stats, kernel)
    lengths = _root(jnp.sum(high**2, axis=-1, keepdims=True))
    unit = (high + low) / jnp.where(lengths > 0, lengths, 1)
    # By differences: of close directions 2 - 2 cos keeps few digits.

    def terms(_own: tuple[()], _other: tuple[()], squares: Array) -> Array:
        return -jnp.log(squares) / 2 if energy == "log" else 1 / jnp.sqrt(squares)

    return mean_over_distances(stats, (unit, jnp.zeros_like(unit)), (), terms)


@jax.jit
def class_vectors(
    stats: ClassStats, kernel: ArrayLike | None = None
) -> tuple[Float[Array, "C d"], Float[Array, "C d"]]:
    """Centred class means or the classifier's columns as rows, zero for absent classes: a pair of unit scale.

    Args:
        stats: Statistics by class.
        kernel: [d, C] kernel of the classifier, or None for the centred means.

    Returns:
        High-order and low-order part; not numbers where all class means coincide.

    Raises:
        ValueError: The kernel does not fit the statistics.
    """
    if kernel is None:
        high, low = (between_only(stats, part) for part in centred_means(stats))
    else:
        high = jnp.where(present(stats)[:, None], check_kernel(stats, kernel).T, 0)
        low = jnp.zeros_like(high)
    # A power of two costs no digit, and keeps squares of squares in range.
    unit = power_of_two(-exponent_of(lax.stop_gradient(jnp.max(jnp.abs(high)))), high.dtype)
    return high * unit, low * unit


@jax.jit
def _gram(stats: ClassStats, kernel: ArrayLike | None) -> tuple[Float[Array, "C C"], Float[Array, "C C"]]:
    return gram(*class_vectors(stats, kernel))


def _squared_lengths(stats: ClassStats, kernel: ArrayLike | None) -> tuple[Float[Array, " C"], Float[Array, " C"]]:
    if stats.num_classes > ONE_BLOCK:
        return row_squares(*class_vectors(stats, kernel))
    # Of few classes the Gram matrix costs little, and a report needs it for other measures too.
    high, low = _gram(stats, kernel)
    return jnp.diag(high), jnp.diag(low)


@jax.jit
def _relative_lengths(
    squares: Float[Array, " C"], low: Float[Array, " C"]
) -> tuple[Float[Array, ""], Float[Array, " C"]]:
    """Square of the largest length, and how far above one each length divided by it is, from a pair of squares."""
    largest = jnp.max(squares)
    excess = ((squares - largest) + low) / largest
    return largest, excess / (1 + _root(1 + excess))


@jax.jit
def _excess_cosines(stats: ClassStats, kernel: ArrayLike | None) -> Float[Array, "C C"]:
    """What each cosine is above that of a simplex frame, cos + 1/(C - 1), without the rounding of their difference."""
    high, low = _gram(stats, kernel)
    largest, inverse = _largest_and_inverse(jnp.diag(high), jnp.diag(low))
    return _excess_of_block(high, low, inverse, inverse, largest, num_present(stats))


def _largest_and_inverse(
    squares: Float[Array, " C"], low: Float[Array, " C"]
) -> tuple[Float[Array, ""], Float[Array, " C"]]:
    """Square of the largest length, and how far above one its quotient by each length is."""
    largest, excess = _relative_lengths(squares, low)
    # A vector of length zero has no direction: its products are zero, and so are its cosines.
    return largest, jnp.where(excess > -1, -excess / jnp.where(excess > -1, 1 + excess, 1), 0)


def _excess_of_block(
    high: Float[Array, "rows columns"],
    low: Float[Array, "rows columns"],
    own: Float[Array, " rows"],
    other: Float[Array, " columns"],
    largest: Float[Array, ""],
    count: Float[Array, ""],
) -> Float[Array, "rows columns"]:
    both = own[:, None] + other[None, :] + own[:, None] * other[None, :]
    frame, frame_low = divide(largest, jnp.zeros_like(largest), count - 1)
    total, lost = two_sum(high, jnp.broadcast_to(frame, high.shape))
    return (total + (lost + low + frame_low) + high * both) / largest


@partial(jax.jit, static_argnames="absolute")
def _excess_moments(
    stats: ClassStats, kernel: ArrayLike | None, absolute: bool = False
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean and variance over pairs of `_excess_cosines`, or of their absolute values, of many classes."""
    high, low = class_vectors(stats, kernel)
    largest, inverse = _largest_and_inverse(*row_squares(high, low))
    count = num_present(stats)

    def values(rows: Any, columns: Any, _: Array) -> Array:
        excess = _excess_of_block(*_block_gram(rows[0], columns[0]), rows[1], columns[1], largest, count)
        return jnp.abs(excess) if absolute else excess

    return pair_moments(present(stats), (_factors(high, low), inverse), values)


@jax.jit
def _etf_of_many(stats: ClassStats, kernel: ArrayLike | None) -> Float[Array, ""]:
    """`nc2_etf` by sums over pairs and over the diagonal."""
    high, low = class_vectors(stats, kernel)
    squares, squares_low = row_squares(high, low)
    there, count = present(stats), num_present(stats)
    # Any number serves that is near the part of the Gram matrix along the frame: what is left is summed up below.
    along = jnp.sum(squares) / (count - 1)
    entry, entry_low = divide(along, jnp.zeros_like(along), count)

    def rest_of(rows: Any, columns: Any, _: Array) -> Array:
        product, product_low = _block_gram(rows, columns)
        rest, lost = two_sum(product, jnp.broadcast_to(entry, product.shape))
        return rest + (lost + product_low + entry_low)

    mean, variance = pair_moments(there, _factors(high, low), rest_of)
    diagonal = jnp.where(there, ((squares - along) + entry) + (squares_low + entry_low), 0)
    share, pairs = 1 - 1 / count, count * (count - 1)
    correction = (jnp.sum(diagonal) * share - pairs * mean / count) / (count - 1)
    across = pairs * (variance + (mean + correction / count) ** 2)
    across = across + jnp.sum(jnp.where(there, (diagonal - correction * share) ** 2, 0))
    return _root(_angle_gap((along + correction) * jnp.sqrt(count - 1), across))


def _factors(
    high: Float[Array, "C d"], low: Float[Array, "C d"]
) -> tuple[Float[Array, "C d"], list[Float[Array, "C d"]]]:
    """The rows of a pair, rounded, and the slices that their exact Gram matrix is made of.

    With more than d + 1 rows no frame exists, cosines are not near those of one, and rounding costs them no digits:
    then there are no slices.
    """
    slices = gram_slices(high, low) if high.shape[0] <= high.shape[1] + 1 else []
    return high + low, lax.stop_gradient(slices)


def _block_gram(rows: Any, columns: Any) -> tuple[Float[Array, "rows columns"], Float[Array, "rows columns"]]:
    """A block of the Gram matrix from `_factors`, as a pair."""
    product = highest_matmul(rows[0], columns[0].T)
    if not rows[1]:
        return product, jnp.zeros_like(product)
    high, low = block_gram(rows[1], columns[1])
    # The derivative is the rounded product's; slicing has none.
    return high + (product - lax.stop_gradient(product)), low


@jax.jit
def _angle_gap(along: Float[Array, ""], across: Float[Array, ""]) -> Float[Array, ""]:
    """Square of the distance between two unit vectors, 2 - 2 cos.

    Args:
        along: What one vector has along the other.
        across: Square of what it has across it.
    """
    square = along**2 + across
    cosine = along / jnp.sqrt(square)
    return jnp.where(along > 0, 2 * across / (square * (1 + jnp.abs(cosine))), 2 - 2 * cosine)


@jax.jit
def _root(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Square root whose derivative at zero, and below, where only rounding leads, is the subgradient zero."""
    positive = x > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1)), jnp.where(x <= 0, 0, x))
