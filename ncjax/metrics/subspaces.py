"""The subspace of the class means: against the spread within classes (LiDAR) and against a classifier's weights."""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike, as_float
from ncjax.metrics.class_means import centred_means, highest_matmul, num_present, within_covariance
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.spectra import effective_rank


@compiled()
def lidar(stats: ClassStats, delta: float | Float[Array, ""] = 1e-4) -> Float[Array, ""]:
    """LiDAR: the number of directions in which classes are apart by more than samples of one class. O(C d^2 + d^3).

    The exponential of the entropy of the eigenvalues of S^-1/2 Sigma_B S^-1/2 over their sum, S = Sigma_W + delta I. In
    the paper a class is one image and its samples are views of it; here classes are those of the labels. The
    eigenvalues are squares of the singular values of L^-1 M, S = L L^T and M the centred class means.

    Args:
        stats: Statistics by class with a scatter matrix.
        delta: Added to the variance of each direction, in the unit of squared features; positive.

    Returns:
        From 1 to min(d, C - 1); not a number where the class means coincide, or where delta is below the rounding of
        Sigma_W, so that S has no factor.

    Raises:
        ValueError: The statistics were built without a scatter matrix.

    Source: Thilak et al., ICLR 2024, https://arxiv.org/abs/2312.04000, equations 1 and 2; delta is theirs.

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features = jnp.array([[1.0, 1.0], [1.0, -1.0], [5.0, 1.0], [5.0, -1.0]])
        >>> f"{float(lidar(class_stats(features, jnp.array([0, 0, 1, 1]), num_classes=2))):.4f}"
        '1.0000'
    """
    within = within_covariance(stats)
    high, low = centred_means(stats)
    # In the unit of the statistics, which is 2 to the power of their exponent.
    added = jnp.ldexp(jnp.asarray(delta, within.dtype), -2 * stats.exponent)
    factor = jnp.linalg.cholesky(within + added * jnp.eye(stats.dim, dtype=within.dtype))
    values = jnp.linalg.svd(solve_triangular(factor, (high + low).T, lower=True), compute_uv=False)
    # Of the squares, and without those that are rounding: centred means have one direction fewer than classes.
    largest = jnp.max(values)
    shares = jnp.where(jnp.arange(values.shape[0]) < num_present(stats) - 1, (values / largest) ** 2, 0)
    return effective_rank(shares)


@compiled("directions")
def principal_cosines(
    stats: ClassStats, kernel: Float[ArrayLike, "d e"], directions: int | None = None
) -> Float[Array, " k"]:
    """Cosines of the principal angles between the class means and the inputs that the next layer reads. O(d (C + e)^2).

    Both sides are subspaces of the d features: the leading directions of the centred class means, and those of the next
    layer's kernel. At collapse all cosines are 1.

    Args:
        stats: Statistics of the features by class.
        kernel: [d, e] kernel of the next layer, or the classifier's.
        directions: Number k of leading directions of each; C - 1 by default, C the number of classes.

    Returns:
        [k] cosines, falling; not numbers where the class means, or the kernel, are zero. Where means or kernel span
        fewer than k directions the last cosines say nothing.

    Raises:
        ValueError: The shape does not fit, or there are not so many directions.

    Source: Rangamani, Lindegaard, Galanti, Poggio, ICML 2023, "Feature learning in deep classifiers through
    intermediate neural collapse", section 3; Bjorck, Golub 1973, https://doi.org/10.2307/2005662

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[1.0, 0.0], [-1.0, 0.0]]), jnp.array([0, 1]), num_classes=2)
        >>> [f"{cosine:.3f}" for cosine in principal_cosines(stats, jnp.array([[3.0, -3.0], [3.0, -3.0]]))]
        ['0.707']
    """
    weights = as_float("kernel", kernel, ndim=2)
    if weights.shape[0] != stats.dim:
        raise ValueError(f"kernel must have the {stats.dim} rows of the features, got {weights.shape[0]}")
    most = min(stats.dim, stats.num_classes, weights.shape[1])
    chosen = min(stats.num_classes - 1, most) if directions is None else directions
    if not 1 <= chosen <= most:
        raise ValueError(f"directions must be between 1 and {most} here, got {chosen}")
    high, low = centred_means(stats)
    bases = [_leading(matrix, chosen) for matrix in ((high + low).T, weights)]
    # Of orthonormal bases: cosines, but for rounding.
    return jnp.minimum(jnp.linalg.svd(highest_matmul(bases[0].T, bases[1]), compute_uv=False), 1)


def _leading(matrix: Float[Array, "d m"], directions: int) -> Float[Array, "d k"]:
    """Left singular vectors of the largest singular values."""
    matrix = matrix.astype(jnp.promote_types(matrix.dtype, jnp.float32))
    largest = jnp.max(jnp.abs(jax.lax.stop_gradient(matrix)))
    return jnp.linalg.svd(matrix / largest, full_matrices=False)[0][:, :directions]
