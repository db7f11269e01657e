"""Variability collapse: how small the spread within classes is against the spread between them."""

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ncjax.metrics.class_means import (
    Weighting,
    between_only,
    between_trace,
    centred_means,
    distinct_pairs,
    highest_matmul,
    max_rank,
    mean_basis,
    mean_over_distances,
    num_present,
    num_samples,
    squared_distances,
    within_covariance,
)
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.form_errors import SCATTER_ROUNDING, form_errors, outside_errors, resolved
from ncjax.metrics.powers_of_two import exponent_of, power_of_two, scaled

# Steps that take the ridge off the solution in vci: after k of them a direction with eigenvalue x keeps
# (ridge / (x + ridge))^k of the ridge's effect.
_REFINEMENTS = 6


@compiled("weighting")
def nc1(stats: ClassStats, weighting: Weighting = "equal") -> Float[Array, ""]:
    """Within-class covariance measured in the between-class one, tr(S_W S_B^+) / C.

    S_B has rank C - 1 at most; its pseudo-inverse is taken on that many directions, by an accurate projection that
    keeps single precision right for class means whose singular values span 1e4. O(C^2 d + C d^2).

    A sum of squares forgets small directions next to large ones: where S_W varies by more than some thousand between
    the directions that weigh most and those of its largest entries (one sample far from all others does that), single
    precision has no digits left. The error is estimated along with the value. Double precision reaches further.

    Args:
        stats: Statistics with a scatter matrix.
        weighting: How classes weigh in S_B: "equal", or "shares" for (1/n) sum_c n_c (m_c - m)(m_c - m)^T, m the mean
            of all samples. With shares C times the result is the separation fuzziness of He and Su, PNAS 2023,
            https://arxiv.org/abs/2210.17020

    Returns:
        A scalar without unit, right to 1e-3 of itself and mostly to 1e-6; zero at full collapse and where it cannot be
        told from that. Not a number where it cannot be told so well, with fewer than two classes, or where all class
        means coincide.

    Raises:
        ValueError: The statistics were built without a scatter matrix, or there is no such weighting.

    Source: Papyan, Han, Donoho, "Prevalence of neural collapse during the terminal phase of deep learning training",
    PNAS 2020, https://arxiv.org/abs/2008.08186

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features, labels = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> f"{float(nc1(class_stats(features, labels, num_classes=2))):.4f}"
        '0.1250'
    """
    # Where the means span all features that vary, features may be scaled: the trace stays what it is, and directions
    # of features that are hardly ever active come out of the rounding.
    even = _of_even_features(stats)
    spanned = jnp.sum(mean_basis(even).kept) == jnp.sum(jnp.diag(within_covariance(even)) > 0)
    return between_only(stats, jnp.where(spanned, _nc1(even, weighting), _nc1(stats, weighting)))


def _nc1(stats: ClassStats, weighting: Weighting) -> Float[Array, ""]:
    covariance = within_covariance(stats)
    basis = mean_basis(stats, weighting)
    products = highest_matmul(basis.dual, covariance)
    forms = jnp.sum(products * basis.dual, axis=-1)
    # The C of the definition and the C of the pseudo-inverse cancel.
    weights = jnp.where(basis.kept, 1 / basis.scale**2, 0)
    variances = jnp.diag(covariance)
    errors = form_errors(basis, basis.dual, products, variances) + outside_errors(basis, products, variances)
    return resolved(basis, jnp.sum(forms * weights), jnp.sum(errors * weights))


@compiled("weighting")
def variance_ratio(stats: ClassStats, weighting: Weighting = "equal") -> Float[Array, ""]:
    """Variance within classes over variance between them, tr S_W / tr S_B. O(C d).

    Args:
        stats: Statistics, with or without a scatter matrix.
        weighting: How classes weigh in S_B: "equal", or "shares" for sum_c (n_c/n) |m_c - m|^2, m the mean of all
            samples.

    Returns:
        A scalar without unit; not a number with fewer than two classes, or where all class
        means coincide.

    Source: Hui, Belkin, Nakkiran, "Limitations of neural collapse for understanding generalization in deep learning",
    2022, section 3.1, https://arxiv.org/abs/2202.08384

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features, labels = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> f"{float(variance_ratio(class_stats(features, labels, num_classes=2))):.4f}"
        '0.2500'
    """
    return between_only(stats, jnp.sum(stats.within) / num_samples(stats) / between_trace(stats, weighting))


@compiled("weighting")
def between_variance(stats: ClassStats, weighting: Weighting = "equal") -> Float[Array, ""]:
    """Mean over classes of |m_c - m_G|^2, the trace of the between-class covariance. O(C d).

    Args:
        stats: Statistics, with or without a scatter matrix.
        weighting: "equal", or "shares" for sum_c (n_c/n) |m_c - m|^2, m the mean of all samples.

    Returns:
        A scalar in squared feature units.

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> float(between_variance(class_stats(jnp.array([[2.0], [-2.0]]), jnp.array([0, 1]), num_classes=2)))
        4.0
    """
    return _in_feature_units(stats, between_trace(stats, weighting))


@compiled()
def cdnv_matrix(stats: ClassStats, distances: Float[Array, "C C"] | None = None) -> Float[Array, "C C"]:
    """Class-distance normalised variance of every pair, (Var_i + Var_j) / (2 |m_i - m_j|^2). O(C^2 d).

    Args:
        stats: Statistics, with or without a scatter matrix.
        distances: [C, C] `squared_distances` of the class means, where they are known already.

    Returns:
        [C, C] symmetric matrix; not a number on the diagonal and where a class has no sample, infinite where two means
        coincide.

    Source: Galanti, Gyorgy, Hutter, "On the role of neural collapse in transfer learning", ICLR 2022, definition 1,
    https://arxiv.org/abs/2112.15121

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features, labels = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> float(cdnv_matrix(class_stats(features, labels, num_classes=2))[0, 1])
        0.0625
    """
    pairs = distinct_pairs(stats)
    distances = jnp.where(pairs, squared_distances(stats) if distances is None else distances, 1)
    variances = stats.variances
    return jnp.where(pairs, (variances[:, None] + variances[None, :]) / (2 * distances), jnp.nan)


@compiled()
def cdnv(stats: ClassStats, distances: Float[Array, "C C"] | None = None) -> Float[Array, ""]:
    """Class-distance normalised variance, the mean of `cdnv_matrix` over pairs of classes. O(C^2 d).

    Args:
        stats: Statistics, with or without a scatter matrix.
        distances: [C, C] `squared_distances` of the class means, where they are known already.

    Returns:
        A scalar without unit; not a number with fewer than two classes, or where all class
        means coincide.

    Source: Galanti et al., ICLR 2022, definition 1, https://arxiv.org/abs/2112.15121; the NC of Munn, Dherin, Gonzalvo,
    NeurIPS 2024, https://arxiv.org/abs/2405.15706

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features, labels = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> float(cdnv(class_stats(features, labels, num_classes=2)))
        0.0625
    """

    def terms(own: Array, other: Array, squares: Array) -> Array:
        return (own[:, None] + other[None, :]) / (2 * squares)

    return between_only(stats, mean_over_distances(stats, centred_means(stats), stats.variances, terms, distances))


@compiled()
def vci(stats: ClassStats) -> Float[Array, ""]:
    """Variability collapse index 1 - tr(S_T^+ S_B) / min(d, C - 1), S_T = S_W + S_B, in [0, 1]. O(d^3).

    Taken without the difference: with A the Schur complement of S_W on the span of the class means and Y = S_B there,
    rank - tr(S_T^+ S_B) = tr(A (A + Y)^-1), which keeps its digits at deep collapse. A is the minimum of a quadratic
    form, so errors of the minimiser enter squared. With fewer than d + C samples the features can be made to look
    collapsed: the index is 0 where n <= d, and says nothing about the distribution unless n is several times d.

    Args:
        stats: Statistics with a scatter matrix.

    Returns:
        A scalar without unit, from 0 to 1 and right to 1e-3 of itself; zero at full collapse and where it cannot be
        told from that. Not a number where it cannot be told so well, which is so where S_W has directions with less
        than some 1e-5 of its trace that go along with the class means'; with fewer than two classes; or where all
        class means coincide.

    Raises:
        ValueError: The statistics were built without a scatter matrix.

    Source: Xu, Liu, "Quantifying the variability collapse of neural networks", ICML 2023, https://arxiv.org/abs/2306.03440

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features, labels = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> f"{float(vci(class_stats(features, labels, num_classes=2))):.4f}"
        '0.2000'
    """
    stats = _of_even_features(stats)
    covariance = within_covariance(stats)
    basis = mean_basis(stats)
    dtype = covariance.dtype
    trace = jnp.trace(covariance)
    unit = covariance / jnp.where(trace > 0, trace, 1)

    # Minimise over combinations with directions that no mean has. No derivative need pass through the minimiser's
    # coefficients, as the form is stationary there. The ridge keeps the solve defined where S_W has no
    # full rank.
    def outside(columns: Array) -> Array:
        # The projection differs from the identity by C directions: as a matrix it would cost O(d^3).
        return columns - highest_matmul(basis.rows.T, highest_matmul(basis.dual, columns))

    half = outside(unit)
    restricted = half - highest_matmul(highest_matmul(half, basis.rows.T), basis.dual)
    ridge = 16 * jnp.finfo(dtype).eps * jnp.eye(stats.dim, dtype=dtype)
    factor = jnp.linalg.cholesky(lax.stop_gradient((restricted + restricted.T) / 2 + ridge))
    cross = lax.stop_gradient(outside(highest_matmul(unit, basis.dual.T)))
    solution = jnp.zeros_like(cross)
    for _ in range(_REFINEMENTS):
        residual = cross - lax.stop_gradient(highest_matmul(restricted, solution))
        solution = solution + jax.scipy.linalg.cho_solve((factor, True), residual)
    minimiser = basis.dual - outside(solution).T
    products = trace * highest_matmul(minimiser, unit)
    inner = highest_matmul(products, minimiser.T)

    # Where the residual is above its rounding, the minimum is not reached: S_W has directions too small for the ridge
    # that are not free of the class means'.
    residual = cross - highest_matmul(restricted, solution)
    rounding = SCATTER_ROUNDING * jnp.finfo(dtype).eps * jnp.sqrt(highest_matmul(minimiser**2, jnp.diag(unit)))
    reached = jnp.all(jnp.linalg.norm(residual, axis=0) <= rounding)
    errors = form_errors(basis, minimiser, products, jnp.diag(covariance))

    outer = jnp.where(basis.kept, basis.scale**2 / num_present(stats), 1)
    inner = jnp.where(basis.kept[:, None] & basis.kept[None, :], inner, 0)
    unit_diagonal = 1 / jnp.sqrt(jnp.diag(inner) + outer)
    inner = inner * unit_diagonal[:, None] * unit_diagonal[None, :]
    total = inner + jnp.diag(outer * unit_diagonal**2)
    factor = jnp.linalg.cholesky(total), True
    uncollapsed = jnp.trace(jax.scipy.linalg.cho_solve(factor, inner))
    # The derivative of the trace by the diagonal of `inner`.
    inverse = jax.scipy.linalg.cho_solve(factor, jnp.eye(len(outer), dtype=dtype))
    slopes = highest_matmul(inverse**2, outer * unit_diagonal**2) * jnp.where(basis.kept, unit_diagonal**2, 0)
    rank = max_rank(stats)
    value = (rank - jnp.sum(basis.kept) + uncollapsed) / rank
    return between_only(stats, jnp.where(reached, resolved(basis, value, jnp.sum(slopes * errors) / rank), jnp.nan))


def _of_even_features(stats: ClassStats) -> ClassStats:
    """Statistics of features that are scaled, each by a power of two, to about the same variance.

    The index does not change when features are scaled, and powers of two cost no digit. Units of a network that are
    hardly ever active have variances of 1e-8 of the others': unscaled, their directions lie below the rounding.
    """
    high, low = centred_means(stats)
    variances = jnp.diag(within_covariance(stats)) + jnp.mean((high + low) ** 2, axis=0)
    there = variances > 0
    # Half the exponent, as variances are squares.
    exponent = jnp.where(there, -(exponent_of(lax.stop_gradient(jnp.where(there, variances, 1))) // 2), 0)
    scale = power_of_two(exponent, variances.dtype)
    return dataclasses.replace(
        stats,
        means=stats.means * scale[None, :],
        means_low=stats.means_low * scale[None, :],
        scatter=None if stats.scatter is None else stats.scatter * scale[:, None] * scale[None, :],
    )


@compiled()
def spectrum_within(stats: ClassStats) -> Float[Array, " d"]:
    """Eigenvalues of the within-class covariance, largest first. O(d^3).

    Args:
        stats: Statistics with a scatter matrix.

    Returns:
        [d] eigenvalues in squared feature units, with an absolute error of about eps times the largest.

    Raises:
        ValueError: The statistics were built without a scatter matrix.

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features = jnp.array([[1.0, 0.0], [-1.0, 0.0], [5.0, 2.0], [5.0, -2.0]])
        >>> [f"{float(x):.2f}" for x in spectrum_within(class_stats(features, jnp.array([0, 0, 1, 1]), num_classes=2))]
        ['2.00', '0.50']
    """
    values = jnp.linalg.eigvalsh(within_covariance(stats))[::-1]
    return _in_feature_units(stats, jnp.maximum(values, 0))


@compiled()
def spectrum_between(stats: ClassStats) -> Float[Array, " r"]:
    """Eigenvalues of the between-class covariance, largest first. O(C^2 d).

    Args:
        stats: Statistics, with or without a scatter matrix.

    Returns:
        [min(C, d)] eigenvalues in squared feature units; zeros beyond the rank.

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> features = jnp.array([[3.0, 0.0], [-3.0, 0.0]])
        >>> [f"{float(x):.2f}" for x in spectrum_between(class_stats(features, jnp.array([0, 1]), num_classes=2))]
        ['9.00', '0.00']
    """
    basis = mean_basis(stats)
    squares = basis.scale**2 * jnp.sum(basis.rows**2, axis=-1) / num_present(stats)
    return _in_feature_units(stats, jnp.where(basis.kept, squares, 0))


def _in_feature_units(stats: ClassStats, squares: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    return scaled(scaled(squares, stats.exponent), stats.exponent)
