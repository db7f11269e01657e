"""How evenly classes are placed, where no simplex frame exists: means and spreads over classes and pairs of them."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike
from ncjax.metrics.class_means import between_only, centred_means, mean_over_classes, present
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.linear_classifier import check_kernel
from ncjax.metrics.pairs import block_squares, pair_moments
from ncjax.metrics.simplex import class_vectors

_ENERGIES = {
    "log": lambda squares: -jnp.log(squares) / 2,
    "inverse": lambda squares: 1 / jnp.sqrt(squares),
    "distance": jnp.sqrt,
    "cosine": lambda squares: 1 - squares / 2,
}


class Moments(NamedTuple):
    """Mean and spread of a quantity over classes, or over pairs of them.

    Attributes:
        mean: The mean.
        std: Population standard deviation.
        variation: Coefficient of variation, `std` over the absolute value of `mean`.
    """

    mean: Float[Array, ""]
    std: Float[Array, ""]
    variation: Float[Array, ""]


@compiled("energy")
def uniformity_moments(
    stats: ClassStats,
    kernel: Float[ArrayLike, "d C"] | None = None,
    energy: Literal["log", "inverse", "distance", "cosine"] = "log",
) -> Moments:
    """Moments over pairs of classes of a function of the distance of their directions. O(C^2 d), no C x C array.

    The directions u_c are those of the centred class means. The mean of "log" and "inverse" is
    `hyperspherical_uniformity`; their spread is zero where all pairs are equally far apart, which takes a simplex.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier; its columns take the place of the centred means.
        energy: "log" for log 1/|u_i - u_j|, "inverse" for 1/|u_i - u_j|, "distance" for |u_i - u_j|, "cosine" for
            u_i u_j.

    Returns:
        The moments; not numbers with fewer than two classes, and of means where all coincide.

    Raises:
        ValueError: The kernel does not fit the statistics, or there is no such energy.

    Source: Liu et al., ICLR 2023, https://arxiv.org/abs/2303.06484; Wu, Papyan, "Linguistic collapse: neural collapse
    in (large) language models", NeurIPS 2024 (GNC2),
    https://arxiv.org/abs/2405.17767

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> axes = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
        >>> moments = uniformity_moments(class_stats(axes, jnp.arange(4), num_classes=4), energy="cosine")
        >>> f"{float(moments.mean):.4f} {float(moments.std):.4f}"
        '-0.3333 0.4714'
    """
    if energy not in _ENERGIES:
        raise ValueError(f"energy must be one of {', '.join(_ENERGIES)}, got {energy!r}")
    units = _units(*class_vectors(stats, kernel))

    def values(rows: Any, columns: Any, pairs: Array) -> Array:
        return _ENERGIES[energy](block_squares(rows, columns, pairs))

    # By differences where directions are close: of these 2 - 2 cos keeps few digits.
    mean, variance = pair_moments(present(stats), (units, jnp.zeros_like(units)), values)
    return _moments(mean, variance)


@compiled()
def duality_moments(stats: ClassStats, kernel: Float[ArrayLike, "d C"]) -> Moments:
    """Moments over classes of the cosine between the classifier's column and the centred class mean. O(C d).

    The mean is 1 at self-duality (NC3). Where classes outnumber dimensions it cannot be, but the classes may be alike:
    uniform duality is a small coefficient of variation. In contrast to `nc3` lengths do not matter.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier, as in a Dense layer.

    Returns:
        The moments; not numbers with fewer than two classes, where all class means coincide, or where a class has no
        direction.

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Wu, Papyan, "Linguistic collapse: neural collapse in (large) language models", NeurIPS 2024
    (UNC3), https://arxiv.org/abs/2405.17767

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0, 0.0], [-1.0, 0.0]]), jnp.array([0, 1]), num_classes=2)
        >>> moments = duality_moments(stats, jnp.array([[2.0, 0.0], [0.0, 2.0]]))
        >>> f"{float(moments.mean):.4f} {float(moments.std):.4f}"
        '0.5000 0.5000'
    """
    columns = jnp.where(present(stats)[:, None], check_kernel(stats, kernel).T, 0)
    high, low = class_vectors(stats)
    # Half a squared distance is 1 - cos, and keeps its digits where that is small.
    gap = jnp.sum((_units(columns / jnp.max(jnp.abs(columns)), None) - _units(high, low)) ** 2, axis=1) / 2
    directed = (jnp.sum(columns**2, axis=1) > 0) & (jnp.sum(high**2, axis=1) > 0)
    gap = jnp.where(directed, gap, jnp.nan)
    mean = mean_over_classes(stats, gap)
    return _moments(1 - mean, mean_over_classes(stats, (gap - mean) ** 2))


@compiled()
def norm_moments(stats: ClassStats, kernel: Float[ArrayLike, "d C"] | None = None) -> Moments:
    """Moments over classes of log |m_c - m_G|, the equinormness of many classes of unlike size. O(C d).

    Of logarithms, as the lengths of thousands of classes spread over decades. The spread has no unit, while the mean,
    and with it the coefficient of variation, depends on the features' unit.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier; its columns take the place of the centred means.

    Returns:
        The moments; not numbers with fewer than two classes, where all class means coincide, or where a length is zero.

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Wu, Papyan, "Linguistic collapse: neural collapse in (large) language models", NeurIPS 2024,
    https://arxiv.org/abs/2405.17767

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[2.0], [-2.0]]), jnp.array([0, 1]), num_classes=2)
        >>> f"{float(norm_moments(stats).mean):.4f}"
        '0.6931'
    """
    rows = check_kernel(stats, kernel).T if kernel is not None else between_only(stats, sum(centred_means(stats)))
    unit = jnp.max(jnp.where(present(stats)[:, None], jnp.abs(rows), 0))
    logs = jnp.log(jnp.linalg.norm(rows / unit, axis=1))
    logs = jnp.where(jnp.isfinite(logs), logs, jnp.nan)
    mean = mean_over_classes(stats, logs)
    power = jnp.log(2.0).astype(rows.dtype) * (0 if kernel is not None else stats.exponent)
    return _moments(mean + jnp.log(unit) + power, mean_over_classes(stats, (logs - mean) ** 2))


def _units(high: Float[Array, "C d"], low: Float[Array, "C d"] | None) -> Float[Array, "C d"]:
    """Rows of length one; what is zero stays zero."""
    rows = high if low is None else high + low
    lengths = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return rows / jnp.where(lengths > 0, lengths, 1)


@jax.jit
def _moments(mean: Float[Array, ""], variance: Float[Array, ""]) -> Moments:
    std = jnp.sqrt(variance)
    return Moments(mean, std, std / jnp.abs(mean))
