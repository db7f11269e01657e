"""Flatness of a loss at given parameters: gradient norm, Hessian trace and eigenvalues, sharpness."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray
from matfree import stochtrace  # type: ignore[import-untyped]

from ncjax.metrics.compiled import compiled_by_content
from ncjax.metrics.lanczos import largest_eigenpairs

Loss = Callable[..., Any]
Probes = Literal["signs", "normal", "sphere"]

_SAMPLERS = {
    "signs": stochtrace.sampler_signs,
    "normal": stochtrace.sampler_normal,
    "sphere": stochtrace.sampler_sphere,
}


class TraceEstimate(NamedTuple):
    """A trace with the error that its random probes leave.

    Attributes:
        mean: The estimate.
        stderr: Its standard error; 0 where the trace is exact.
        num_products: Number of Hessian-vector products spent.
    """

    mean: Float[Array, ""]
    stderr: Float[Array, ""]
    num_products: int


class Eigenvalues(NamedTuple):
    """The largest eigenvalues that a Krylov space holds.

    Attributes:
        values: [k] largest first.
        residuals: [k] |H v - value v| for unit v: the Hessian has an eigenvalue at most this far from the value.
    """

    values: Float[Array, " k"]
    residuals: Float[Array, " k"]


def loss_gradient_norm(loss: Loss, params: Any, *data: Any) -> Float[Array, ""]:
    """Norm of the loss gradient, the slope of the learning path. One gradient.

    Args:
        loss: Function of `(params, *data)` that returns a scalar.
        params: Any pytree of floats.
        *data: What else the loss takes.

    Returns:
        A scalar, loss a unit of parameters.

    Source: Barrett, Dherin, "Implicit gradient regularization", ICLR 2021, https://arxiv.org/abs/2009.11162; with
    geometric complexity: Dherin et al. 2022, https://arxiv.org/abs/2209.13083

    Examples:
        >>> loss = lambda w, x: 0.5 * jnp.sum(x * w**2)
        >>> float(loss_gradient_norm(loss, jnp.array([3.0, 2.0]), jnp.array([1.0, 2.0])))
        5.0
    """
    return compiled_by_content(lambda params, *data: _norm(jax.grad(loss)(params, *data)), params, *data)


def hessian_trace(
    loss: Loss,
    params: Any,
    *data: Any,
    key: PRNGKeyArray,
    num_probes: int = 32,
    probes: Probes = "signs",
) -> TraceEstimate:
    """Trace of the loss Hessian with its standard error. One Hessian-vector product a probe.

    The variance of one probe is 2 (|H|_F^2 - sum_i H_ii^2) for signs and 2 |H|_F^2 for normal vectors. With as many
    probes as parameters the trace is taken exactly instead. The probes run side by side: memory is `num_probes` times
    that of one product.

    Args:
        loss: Function of `(params, *data)` that returns a scalar.
        params: Any pytree of floats.
        *data: What else the loss takes.
        key: Random key.
        num_probes: Number of probes, at least 2.
        probes: "signs", "normal" or "sphere".

    Returns:
        The trace, loss a squared unit of parameters.

    Raises:
        ValueError: An argument does not fit.

    Source: Hutchinson 1990, https://doi.org/10.1080/03610919008812866, by the package matfree

    Examples:
        >>> loss = lambda w: jnp.sum(jnp.array([1.0, 2.0, 3.0]) * w**2)
        >>> float(hessian_trace(loss, jnp.ones(3), key=jax.random.key(0)).mean)
        12.0
    """
    if num_probes < 2:
        raise ValueError(f"num_probes must be at least 2, got {num_probes}")
    if probes not in get_args(Probes):
        raise ValueError(f"probes must be one of {', '.join(get_args(Probes))}, got {probes!r}")

    def run(params: Any, data: tuple[Any, ...], key: Array) -> tuple[Array, Array]:
        vector, product = _hessian(loss, params, data)
        size = vector.shape[0]
        if size <= num_probes:
            diagonal = jax.vmap(lambda line: jnp.vdot(line, product(line)))(jnp.eye(size, dtype=vector.dtype))
            return jnp.sum(diagonal), jnp.zeros((), vector.dtype)
        sampler = _SAMPLERS[probes](vector, num=num_probes)
        estimator = stochtrace.estimator_monte_carlo_mean_and_sem(stochtrace.monte_carlo_trace(), sampler)
        mean, stderr = estimator(product, key)
        # The package divides by the number of probes, which falls short where they are few.
        return mean, stderr * jnp.sqrt(num_probes / (num_probes - 1)).astype(stderr.dtype)

    size = sum(jnp.size(leaf) for leaf in jax.tree.leaves(params))
    return TraceEstimate(*compiled_by_content(run, params, data, key), min(size, num_probes))


def hessian_eigenvalues(
    loss: Loss, params: Any, *data: Any, key: PRNGKeyArray, num_values: int = 1, num_products: int = 32
) -> Eigenvalues:
    """Largest eigenvalues of the loss Hessian, by Lanczos with full reorthogonalisation.

    One Hessian-vector product a step, one a value for its residual and one for the scale; memory is `num_products`
    times the parameters. A value never exceeds the largest eigenvalue; where the residual is not small, more products
    are needed. Of an eigenvalue that occurs several times one is found: a value that the Krylov space does not hold is
    not a number.

    Args:
        loss: Function of `(params, *data)` that returns a scalar.
        params: Any pytree of floats.
        *data: What else the loss takes.
        key: Random key of the starting vector.
        num_values: Number k of values.
        num_products: Steps of Lanczos; no more are taken than there are parameters.

    Returns:
        The eigenvalues, loss a squared unit of parameters.

    Raises:
        ValueError: An argument does not fit.

    Source: Lanczos, https://doi.org/10.6028/jres.045.026, by the package matfree; of networks: Ghorbani,
    Krishnan, Xiao, ICML 2019, https://arxiv.org/abs/1901.10159

    Examples:
        >>> loss = lambda w: jnp.sum(jnp.array([1.0, 2.0, 3.0]) * w**2)
        >>> f"{float(hessian_eigenvalues(loss, jnp.ones(3), key=jax.random.key(0)).values[0]):.4f}"
        '6.0000'
    """
    steps = min(num_products, sum(jnp.size(leaf) for leaf in jax.tree.leaves(params)))
    if not 1 <= num_values <= steps:
        raise ValueError(f"num_values must be between 1 and the {steps} Lanczos steps, got {num_values}")

    def run(params: Any, data: tuple[Any, ...], key: Array) -> Eigenvalues:
        vector, product = _hessian(loss, params, data)
        start = jax.random.normal(key, vector.shape, vector.dtype)
        values, _, residuals = largest_eigenpairs(product, start, num_values, steps)
        return Eigenvalues(values, residuals)

    return compiled_by_content(run, params, data, key)


def sam_sharpness(loss: Loss, params: Any, *data: Any, radius: Float[Array, ""] | float = 0.05) -> Float[Array, ""]:
    """Rise of the loss one step up its gradient, L(w + r g/|g|) - L(w). Two losses and a gradient.

    To first order it is r |g|; at a minimum, where the gradient has no direction, it is 0 by definition here.

    Args:
        loss: Function of `(params, *data)` that returns a scalar.
        params: Any pytree of floats.
        *data: What else the loss takes.
        radius: Length r of the step in units of the parameters.

    Returns:
        A scalar in units of the loss.

    Raises:
        ValueError: The radius is negative.

    Source: Foret, Kleiner, Mobahi, Neyshabur, "Sharpness-aware minimization", ICLR 2021, equation 2,
    https://arxiv.org/abs/2010.01412

    Examples:
        >>> f"{float(sam_sharpness(lambda w: 0.5 * jnp.sum(w**2), jnp.array([3.0, 4.0]), radius=1.0)):.2f}"
        '5.50'
    """
    if not isinstance(radius, jax.core.Tracer) and not radius >= 0:
        raise ValueError(f"radius must be at least 0, got {radius}")

    def run(params: Any, data: tuple[Any, ...], radius: Array | float) -> Array:
        value, gradient = jax.value_and_grad(loss)(params, *data)
        norm = _norm(gradient)
        scale = jnp.where(norm > 0, radius / jnp.where(norm > 0, norm, 1), 0)
        raised = jax.tree.map(lambda weight, slope: weight + scale.astype(weight.dtype) * slope, params, gradient)
        return loss(raised, *data) - value

    return compiled_by_content(run, params, data, radius)


def _norm(tree: Any) -> Float[Array, ""]:
    # Scaled by the largest entry: the squares of the tiny gradients of a collapsed network would underflow.
    vector = ravel_pytree(tree)[0]
    largest = jnp.max(jnp.abs(vector))
    return largest * jnp.linalg.norm(vector / jnp.where(largest > 0, largest, 1))


def _hessian(loss: Loss, params: Any, data: tuple[Any, ...]) -> tuple[Array, Callable[[Array], Array]]:
    """Parameters as one vector, and the product of the Hessian there with a vector."""
    vector, restore = ravel_pytree(params)
    slope = jax.grad(lambda weights: loss(restore(weights), *data))
    return vector, lambda direction: jax.jvp(slope, (vector,), (direction,))[1]
