"""How well geometric complexity is estimated by a few examples, output rows, input columns or random probes."""

from collections.abc import Callable, Sequence
from math import prod

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ncjax import metrics
from ncjax.metrics.jacobian import Method


def estimator_errors(
    embed: Callable[[Array], Array], images: Float[Array, "n ..."], key: PRNGKeyArray, sizes: Sequence[int]
) -> dict[str, Float[Array, ""]]:
    """Geometric complexity of some images exactly and by each estimator, with the errors that the estimators make.

    Every value is one of `ncjax.metrics.geometric_complexity`. What an estimator draws for one image does not depend on
    what it draws for another, so the squared errors of the n images, summed and divided by n², estimate the variance of
    the mean over exactly these images without bias, from one draw: the relative error is known to about 1/sqrt(2n) of
    itself, somewhat worse where few images hold most of the error. The mean of m whole images drawn without replacement
    has the variance s²(1/m − 1/n), s² that of the exact values (Cochran, "Sampling techniques", 1977, theorem 2.2).

    Args:
        embed: from [n, *shape] to [n, d], rows independent.
        images: [n, *shape], as the function receives them.
        key: of the draws.
        sizes: products a sample k to spend, ascending; an estimator with no more than k rows, columns or products of
            its own is left out.

    Returns:
        ``exact/geometric_complexity``, ``exact/products`` and, for each estimator and k,
        ``<estimator>_<k>/geometric_complexity`` (one draw), ``<estimator>_<k>/relative_error`` (standard error over the
        exact value) and ``<estimator>_<k>/products`` (in all).
    """
    count, inputs = images.shape[0], prod(images.shape[1:])
    outputs = jax.eval_shape(embed, images).shape[1]
    exact = metrics.geometric_complexity(embed, images)
    row = _entry("exact", exact.mean, exact.num_products)
    for size in sizes:
        size_key = jax.random.fold_in(key, size)
        methods: dict[Method, int] = {"outputs": outputs, "inputs": inputs, "probes": outputs}
        for method, most in methods.items():
            if size < most:
                estimate = metrics.geometric_complexity(embed, images, method, num_probes=size, key=size_key)
                error = jnp.linalg.norm(estimate.per_sample - exact.per_sample) / count
                row |= _entry(f"{method}_{size}", estimate.mean, estimate.num_products, error / exact.mean)
        chosen = max(1, round(count * size / min(outputs, inputs)))
        if chosen < count:
            # What `num_samples` takes: a sample's exact value is the same whichever others are drawn with it.
            drawn = exact.per_sample[jax.random.permutation(size_key, count)[:chosen]]
            error = jnp.std(exact.per_sample, ddof=1) * (1 / chosen - 1 / count) ** 0.5
            row |= _entry(f"examples_{size}", drawn.mean(), exact.num_products * chosen // count, error / exact.mean)
    return row


def _entry(name: str, value: Array, products: Array, error: Array | None = None) -> dict[str, Array]:
    entry = {f"{name}/geometric_complexity": value, f"{name}/products": products.astype(jnp.float32)}
    return entry if error is None else {**entry, f"{name}/relative_error": error}
