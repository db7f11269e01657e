"""Terms of the objective beyond the loss of the batch, as functions of parameters."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float


def squared_gradient_norm(loss: Callable[[Any], Float[Array, ""]], params: Any) -> Float[Array, ""]:
    """The squared norm of a loss's gradient: its own gradient is twice the Hessian times the gradient.

    Args:
        loss: of the parameters, twice differentiable.
        params: pytree of floats.

    Returns:
        ‖∇L(θ)‖², over all parameters together.

    Source:
        Barrett & Dherin 2021 (arXiv 2009.11162), of which gradient descent at rate h applies h/4 by itself; Smith et
        al. 2021 (arXiv 2101.12176). Zhao et al. 2022 (arXiv 2202.03599) penalise the norm, not its square.

    Examples:
        >>> squared_gradient_norm(lambda w: jnp.sum(w**2), jnp.array([1.0, 2.0])).item()
        20.0
    """
    return squared_norm(jax.grad(loss)(params))


def squared_spectral_norms(params: Any, iterations: int = 20) -> Float[Array, ""]:
    """The sum over layers of the squared largest singular value of the kernel.

    Layers are all parameters named ``kernel``: dense layers, the classifier among them, and convolutions, whose kernels
    are taken as matrices of one column an output channel. The power iteration begins at the same vector in every step,
    so that the term is a function of the parameters alone; it never exceeds the true value.

    Args:
        params: of a Flax module, kernels with the outputs last.
        iterations: of the power method on WᵀW; the error falls by (σ₂/σ₁)⁴ with each.

    Returns:
        Σ σ₁(W)². Its gradient is exact once the iteration has converged.

    Source:
        Yoshida & Miyato 2017, "Spectral norm regularization", arXiv 1705.10941.

    Examples:
        >>> params = {"dense": {"kernel": jnp.diag(jnp.array([1.0, -3.0, 2.0])), "bias": jnp.full(3, 9.0)}}
        >>> f"{squared_spectral_norms(params):.4f}"
        '9.0000'
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    kernels = [leaf for path, leaf in leaves if jax.tree_util.keystr(path[-1:], simple=True) == "kernel"]
    return sum((_top_square(leaf.reshape(-1, leaf.shape[-1]), iterations) for leaf in kernels), jnp.float32(0.0))


def squared_norm(tree: Any) -> Float[Array, ""]:
    """The sum of the squares of all numbers of a pytree.

    Args:
        tree: pytree of arrays.

    Returns:
        A scalar.

    Examples:
        >>> squared_norm({"w": jnp.array([3.0, 4.0])}).item()
        25.0
    """
    return sum((jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(tree)), jnp.float32(0.0))


def _top_square(matrix: Float[Array, "rows columns"], iterations: int) -> Float[Array, ""]:
    """The squared largest singular value of a matrix, from below."""
    frozen = lax.stop_gradient(matrix)
    # The shorter side has the cheaper vector to iterate on, and the same singular values.
    if matrix.shape[0] < matrix.shape[1]:
        matrix, frozen = matrix.T, frozen.T

    def unit(vector: Float[Array, " columns"]) -> Float[Array, " columns"]:
        norm = jnp.linalg.norm(vector)
        return vector / jnp.where(norm > 0, norm, 1.0)

    start = jax.random.normal(jax.random.key(0), matrix.shape[1:], matrix.dtype)
    top = lax.fori_loop(0, iterations, lambda _, vector: unit(frozen.T @ (frozen @ vector)), unit(start))
    # Where the vector is an eigenvector, that it depends on the matrix too changes the square only to second order.
    return jnp.sum(jnp.square(matrix @ top))
