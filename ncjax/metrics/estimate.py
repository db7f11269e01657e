"""Estimate: a mean over samples with the errors that its samples and its random probes leave."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class Estimate:
    """A mean over samples with its standard errors.

    Attributes:
        mean: Mean over the samples evaluated.
        stderr: Standard error of `mean` as an estimate of the population mean; covers the choice of samples and of
            probes. Not a number for one sample.
        stderr_probes: Standard error of `mean` as an estimate of the mean over exactly these samples; 0 if exact. One
            probe a sample cannot tell probe noise from the spread of samples: then it is `stderr`, an upper bound.
        per_sample: [n] value of each sample, not a number where an adaptive estimate stopped before it.
        num_samples: Number of samples evaluated.
        num_products: Number of vector-Jacobian (or Jacobian-vector) products of one sample spent.
        converged: Whether the precision asked for was reached before the data ran out; true if none was asked for.
    """

    # Transformations of pytrees put batched arrays, shapes and shardings in these places: no shape can be promised
    # here.
    mean: Any
    stderr: Any
    stderr_probes: Any
    per_sample: Any
    num_samples: Any
    num_products: Any
    converged: Any


def summarise(
    squares: Float[Array, "n k"],
    seen: Bool[Array, " n"],
    converged: Bool[Array, ""],
    population: int | None,
    products: int,
) -> Estimate:
    """Reduce k unbiased values of each of n samples to an estimate.

    Args:
        squares: [n, k] values, arbitrary where `seen` is false.
        seen: [n] which samples were evaluated.
        converged: Whether the precision asked for was reached.
        population: Number of values that the k were drawn from without replacement; None where they are independent.
        products: Number of vector-Jacobian products spent on each sample.

    Returns:
        The estimate. k values drawn out of k are exact.

    Examples:
        >>> squares = jnp.array([[1.0, 3.0], [4.0, 4.0]])
        >>> estimate = summarise(squares, jnp.ones(2, bool), jnp.array(True), population=None, products=2)
        >>> float(estimate.mean), float(estimate.stderr), float(estimate.stderr_probes)
        (3.0, 1.0, 0.5)
    """
    probes = squares.shape[1]
    per_sample = jnp.mean(squares, axis=1)
    count = jnp.sum(seen).astype(squares.dtype)
    mean = jnp.sum(jnp.where(seen, per_sample, 0)) / count
    spread = jnp.sum(jnp.where(seen, (per_sample - mean) ** 2, 0)) / (count - 1)
    stderr = jnp.sqrt(spread / count)
    if probes == population:
        stderr_probes = jnp.zeros_like(stderr)
    elif probes == 1:
        stderr_probes = stderr
    else:
        # Drawn without replacement, the mean of k out of N has the variance of independent draws times 1 - k/N.
        remaining = 1.0 if population is None else 1 - probes / population
        variance = jnp.var(squares, axis=1, ddof=1) / probes * remaining
        stderr_probes = jnp.sqrt(jnp.sum(jnp.where(seen, variance, 0))) / count
    return Estimate(
        mean=mean,
        stderr=stderr,
        stderr_probes=stderr_probes,
        per_sample=jnp.where(seen, per_sample, jnp.nan),
        num_samples=jnp.sum(seen),
        num_products=jnp.sum(seen) * products,
        converged=converged,
    )
