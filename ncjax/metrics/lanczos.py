"""The largest eigenvalues of a symmetric matrix that is known by its products alone."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float
from matfree import decomp  # type: ignore[import-untyped]

# Krylov vectors whose products with earlier ones exceed this are no longer orthogonal: full reorthogonalisation keeps
# them near the rounding until the space closes.
_ORTHOGONAL = 1e-3


def largest_eigenpairs(
    product: Callable[[Array], Array], start: Float[Array, " D"], num_values: int, steps: int
) -> tuple[Float[Array, " k"], Float[Array, "k D"], Float[Array, " k"]]:
    """Lanczos with full reorthogonalisation.

    Args:
        product: Of the matrix with a vector.
        start: [D] vector with a share in every direction.
        num_values: Number k of eigenvalues.
        steps: Products before those for the residuals; one more tells the scale.

    Returns:
        [k] eigenvalues, largest first, not a number where the Krylov space holds fewer; [k, D] unit vectors; and [k]
        residuals |A v - value v|.
    """
    start = start / jnp.linalg.norm(start)
    # Squares of what is multiplied would leave the range of single precision for a matrix of tiny or huge entries.
    largest = jnp.max(jnp.abs(product(start)))
    unit = jnp.where(largest > 0, largest, 1)
    krylov, tridiagonal, *_ = decomp.tridiag_sym(steps, reortho="full")(lambda line: product(line) / unit, start)
    values, vectors = _ritz_pairs(krylov, tridiagonal, num_values)
    residuals = jax.lax.map(
        lambda pair: jnp.linalg.norm(product(pair[1]) / unit - pair[0] * pair[1]), (values, vectors)
    )
    return values * unit, vectors, residuals * unit


def _ritz_pairs(krylov: Array, tridiagonal: Array, num_values: int) -> tuple[Array, Array]:
    """Largest eigenvalues of a tridiagonal matrix and their vectors, from the steps before Lanczos breaks down.

    A Krylov space closes once it holds all that the start has a share in. The steps after that are rounding, blown up
    to unit length: their vectors repeat earlier ones, and their entries make eigenvalues that are not there.
    """
    steps = krylov.shape[0]
    error = jnp.abs(jnp.matmul(krylov, krylov.T, precision="highest") - jnp.eye(steps, dtype=krylov.dtype))
    sound = jnp.cumprod(jnp.max(jnp.tril(error), axis=1) < _ORTHOGONAL).astype(bool)
    inside = jnp.where(sound[:, None] & sound[None, :], tridiagonal, 0)
    # Below every eigenvalue of the sound block, by Gershgorin's circles.
    below = -4 * jnp.max(jnp.abs(inside)) * jnp.ones(steps, inside.dtype)
    values, combinations = jnp.linalg.eigh(inside + jnp.diag(jnp.where(sound, 0, below)))
    values = jnp.where(jnp.arange(steps) < jnp.sum(sound), values[::-1], jnp.nan)[:num_values]
    basis = jnp.where(sound[:, None], krylov, 0)
    return values, jnp.matmul(combinations.T[::-1][:num_values], basis, precision="highest")
