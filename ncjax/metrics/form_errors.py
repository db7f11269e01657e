"""How far rounding can have moved a quadratic form of the within-class covariance, and what may be said of it then."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.metrics.class_means import MeanBasis, highest_matmul
from ncjax.metrics.compensated import product_rounding

# A measure whose estimated error is a larger share of it than this is not a number.
_TOLERANCE = 1e-3
# Rounding in units of eps: of an entry of the scatter matrix relative to the root of the two variances that it belongs
# to, and of an entry of a class mean relative to the standard deviation there (0.1 to 0.8 were measured over offsets up
# to 1e4 and 10 to 3,000 samples a class). Sums of n random roundings grow like the root of n; blocks keep n below some
# thousand. Measured errors lie far below the estimates where many features share the work.
SCATTER_ROUNDING, _MEAN_ROUNDING = 16, 0.5


def form_errors(
    basis: MeanBasis, vectors: Float[Array, "r d"], products: Float[Array, "r d"], variances: Float[Array, " d"]
) -> Float[Array, " r"]:
    """Estimated errors of the quadratic forms v^T S_W v, v dual to the directions of the class means.

    Each rounding is taken as random. Entries of S_W round by eps of the root of their two variances, which makes eps
    sum_i v_i^2 S_ii in the form. Class means round by e, eps of the standard deviation within classes, and their
    projection by `product_rounding` of the length of the means' entries in that feature: features that are hardly ever
    active round by their own size. Direction q then moves by e/s_q, s_q its singular value. Inside the span of the
    means this moves v_r by (v_r e/s_q) v_q and no more, however small s_r is: the form by 2 (v_r e/s_q) v_r S_W v_q in
    first order, and by (v_r e/s_q)^2 v_q S_W v_q in second.

    Args:
        basis: Basis of the class means.
        vectors: v as rows.
        products: v^T S_W.
        variances: Diagonal of S_W.

    Returns:
        [r] errors, in the unit of the forms.
    """
    eps = jnp.finfo(vectors.dtype).eps
    # Fourth powers of the features would leave the range of single precision: S_W is taken relative to its trace.
    trace, lengths, of_means = _mean_rounding(basis, variances)
    forms = highest_matmul(products / trace, vectors.T)
    along = highest_matmul(vectors**2, of_means)
    scatter = SCATTER_ROUNDING * eps * highest_matmul(vectors**2, variances / trace)
    inverse = jnp.where(basis.kept, 1 / lengths, 0) ** 2
    first = 2 * jnp.sqrt(along * highest_matmul(forms**2, inverse))
    second = along * jnp.sum(jnp.diag(forms) * inverse)
    return trace * (scatter + first + second)


def outside_errors(
    basis: MeanBasis, products: Float[Array, "r d"], variances: Float[Array, " d"]
) -> Float[Array, " r"]:
    """Estimated errors of the forms of `nc1` by what the rounding of the means adds outside their span.

    There it moves v_r by e/s_r: the form by 2 v_r S_W e/s_r in first order, by e^T S_W e/s_r^2 in second. Where the
    means span all directions in which the features vary there is no outside.

    Args:
        basis: Basis of the class means.
        products: v^T S_W, v the dual directions.
        variances: Diagonal of S_W.

    Returns:
        [r] errors, in the unit of the forms.
    """
    trace, lengths, of_means = _mean_rounding(basis, variances)
    forms = highest_matmul(products, basis.dual.T)
    outside = (products - highest_matmul(forms, basis.rows)) / trace
    # The diagonal of S_W between two projections on the outside.
    left = variances - jnp.sum(basis.rows * (2 * products - highest_matmul(forms, basis.rows)), axis=0)
    left = jnp.maximum(left, 0) / trace
    first = 2 * jnp.sqrt(highest_matmul(outside**2, of_means)) / lengths
    return trace * (first + jnp.sum(of_means * left) / lengths**2)


def _mean_rounding(
    basis: MeanBasis, variances: Float[Array, " d"]
) -> tuple[Float[Array, ""], Float[Array, " r"], Float[Array, " d"]]:
    """Trace of S_W and, relative to its root, singular values of the means and squared roundings of their features."""
    eps = jnp.finfo(variances.dtype).eps
    trace = jnp.sum(variances)
    trace = jnp.where(trace > 0, trace, 1)
    lengths = basis.scale / jnp.sqrt(trace)
    columns = jnp.sum(jnp.where(basis.kept[:, None], lengths[:, None] * basis.rows, 0) ** 2, axis=0)
    of_means = (_MEAN_ROUNDING * eps) ** 2 * variances / trace + product_rounding(variances.dtype) ** 2 * columns
    return trace, lengths, of_means


def resolved(basis: MeanBasis, value: Float[Array, ""], error: Float[Array, ""]) -> Float[Array, ""]:
    """A value that its error leaves right; zero where neither can be told from that; else not a number.

    Args:
        basis: Basis of the class means.
        value: A measure without unit.
        error: Its estimated error.

    Returns:
        A scalar.
    """
    zero = (value <= error) & (error <= SCATTER_ROUNDING * jnp.finfo(value.dtype).eps)
    known = jnp.where(error <= _TOLERANCE * value, value, jnp.where(zero, 0, jnp.nan))
    return jnp.where(basis.resolved, known, jnp.nan)
