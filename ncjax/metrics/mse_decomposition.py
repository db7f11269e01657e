"""Mean squared error of a linear classifier, split into what the features and what the classifier costs."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike, as_float
from ncjax.metrics.class_means import highest_matmul, num_samples, within_covariance
from ncjax.metrics.class_stats import ClassStats, in_unit
from ncjax.metrics.compiled import compiled
from ncjax.metrics.linear_classifier import check_kernel


class MSEDecomposition(NamedTuple):
    """Three terms that add up to the loss.

    Attributes:
        nc1: What the spread within classes costs the best classifier of these features.
        nc2_nc3: What the geometry of the class means costs it.
        perp: What the given classifier costs above the best one.
    """

    nc1: Float[Array, ""]
    nc2_nc3: Float[Array, ""]
    perp: Float[Array, ""]


@compiled()
def mse_decomposition(
    stats: ClassStats,
    kernel: Float[ArrayLike, "d C"],
    bias: Float[ArrayLike, " C"],
    weight_decay: Float[ArrayLike, ""] | float = 0.0,
) -> MSEDecomposition:
    """Split the loss mean_i |W^T h_i + b - e_{y_i}|^2 / 2 + weight_decay |W|^2 / 2 into three parts. O(d^3).

    The best classifier of the features is the ridge regression of one-hot labels with a free bias. The bias is not
    decayed, so that the parts do not depend on the origin of the features; classes count by their samples. For balanced
    classes without weight decay the parts are those of the paper.

    Args:
        stats: Statistics with a scatter matrix.
        kernel: [d, C] kernel W of the classifier.
        bias: [C] bias b of the classifier.
        weight_decay: Coefficient of the decay.

    Returns:
        The three parts, in units of the loss.

    Raises:
        ValueError: A shape does not fit, or the statistics have no scatter matrix.

    Source: Han, Papyan, Donoho, "Neural collapse under MSE loss", ICLR 2022, section 2, https://arxiv.org/abs/2106.02073

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0], [-1.0]]), jnp.array([0, 1]), num_classes=2)
        >>> parts = mse_decomposition(stats, jnp.array([[0.5, -0.5]]), jnp.array([0.5, 0.5]))
        >>> max(float(abs(part)) for part in parts) < 1e-6
        True
    """
    stats = in_unit(stats, 0)
    weights = check_kernel(stats, kernel).T
    offset = as_float("bias", bias, ndim=1).astype(weights.dtype)
    if offset.shape != (stats.num_classes,):
        raise ValueError(f"bias must have shape ({stats.num_classes},), got {offset.shape}")
    return _decomposition(stats, weights, offset, jnp.asarray(weight_decay, weights.dtype))


@jax.jit
def _decomposition(stats: ClassStats, weights: Array, offset: Array, decay: Array) -> MSEDecomposition:
    share = stats.counts.astype(weights.dtype) / num_samples(stats)
    centre = highest_matmul(share, stats.means)
    means = (stats.means - centre[None, :]) + stats.means_low
    within = within_covariance(stats)
    targets = jnp.eye(stats.num_classes, dtype=weights.dtype) - share[:, None]
    total = within + highest_matmul((means * share[:, None]).T, means)
    cross = highest_matmul(targets * share[None, :], means)

    # The pseudo-inverse of total + decay: directions that no feature takes have no weight in the best classifier.
    values, vectors = jnp.linalg.eigh(total)
    known = values > values[-1] * stats.dim * jnp.finfo(values.dtype).eps
    inverse = jnp.where(known, 1 / jnp.where(known, values + decay, 1), 0)
    best = highest_matmul(highest_matmul(cross, vectors) * inverse[None, :], vectors.T)

    def form(matrix: Array, covariance: Array) -> Array:
        return jnp.sum(highest_matmul(matrix, covariance) * matrix) / 2 + decay * jnp.sum(matrix**2) / 2

    residual = highest_matmul(means, best.T) - targets.T
    shift = highest_matmul(weights, centre) + offset - share
    return MSEDecomposition(
        nc1=form(best, within),
        nc2_nc3=jnp.sum(jnp.sum(residual**2, axis=-1) * share) / 2,
        perp=form(weights - best, total) + jnp.sum(shift**2) / 2,
    )
