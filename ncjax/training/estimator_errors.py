"""How well geometric complexity is estimated by a few examples, output rows, input columns or random probes."""

from collections.abc import Callable, Sequence
from math import prod

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

ESTIMATORS = ("examples", "outputs", "inputs", "probes")
# Samples whose Jacobians are held at once.
_SAMPLES = 32


def estimator_errors(
    embed: Callable[[Array], Array], images: Float[Array, "n ..."], key: PRNGKeyArray, sizes: Sequence[int]
) -> dict[str, Float[Array, ""]]:
    """Geometric complexity of some images exactly and by each estimator, with the estimators' exact standard errors.

    All come from one pass over the Jacobians. With k products a sample, the errors of the mean over exactly these n
    images, d outputs and D inputs are those of `ncjax.metrics.geometric_complexity`: sampling without replacement of
    k of d rows, of k of D columns or of nk/d whole samples, and (2/k)(‖JJᵀ‖² − Σ_j‖J_j‖⁴) for Rademacher probes.

    Args:
      embed: from [n, *shape] to [n, d], rows independent.
      images: [n, *shape], as the function receives them.
      key: of one draw of each.
      sizes: products a sample k to spend, ascending; an estimator with no more than k rows, columns or products of its
        own is left out.

    Returns:
      ``exact/geometric_complexity``, ``exact/products`` and, for each estimator and k,
      ``<estimator>_<k>/geometric_complexity`` (one draw), ``<estimator>_<k>/relative_error`` (standard error over the
      exact value) and ``<estimator>_<k>/products`` (in all).
    """
    count, inputs = images.shape[0], prod(images.shape[1:])
    outputs = jax.eval_shape(embed, images).shape[1]
    chunk = next(size for size in range(min(_SAMPLES, count), 0, -1) if count % size == 0)
    keys = jax.random.split(key, (count // chunk, chunk))
    parts = images.reshape(count // chunk, chunk, *images.shape[1:])
    each = lax.map(lambda part: _of_chunk(embed, part[0], part[1], outputs, sizes), (parts, keys))
    values = {name: value.reshape(count) for name, value in each.items()}
    squares = values.pop("exact")
    exact = jnp.mean(squares)
    row = {"exact/geometric_complexity": exact, "exact/products": jnp.float32(count * min(outputs, inputs))}
    for size in sizes:
        for name in ("outputs", "inputs", "probes"):
            if f"{name}_{size}/draw" in values:
                error = jnp.sqrt(jnp.sum(values[f"{name}_{size}/variance"])) / count
                row |= _entry(f"{name}_{size}", jnp.mean(values[f"{name}_{size}/draw"]), error / exact, count * size)
        chosen = max(1, round(count * size / outputs))
        if chosen < count:
            order = jax.random.permutation(jax.random.fold_in(key, size), count)
            error = jnp.std(squares, ddof=1) * jnp.sqrt((1 - chosen / count) / chosen)
            row |= _entry(f"examples_{size}", jnp.mean(squares[order[:chosen]]), error / exact, chosen * outputs)
    return row


def _entry(name: str, value: Array, error: Array, products: int) -> dict[str, Array]:
    return {
        f"{name}/geometric_complexity": value,
        f"{name}/relative_error": error,
        f"{name}/products": jnp.float32(products),
    }


def _of_chunk(
    embed: Callable[[Array], Array], images: Array, keys: Array, outputs: int, sizes: Sequence[int]
) -> dict[str, Array]:
    """For each image the exact value, and for each estimator one draw and its variance."""
    with jax.default_matmul_precision("highest"):
        _, pull = jax.vjp(embed, images)

        def row_of_all(line: Array) -> Array:
            return pull(jnp.broadcast_to(line[None, :], (images.shape[0], outputs)))[0].reshape(images.shape[0], -1)

        jacobians = lax.map(row_of_all, jnp.eye(outputs, dtype=images.dtype)).swapaxes(0, 1)
        return jax.vmap(lambda jacobian, key: _of_sample(jacobian, key, sizes))(jacobians, keys)


def _of_sample(jacobian: Float[Array, "d D"], key: Array, sizes: Sequence[int]) -> dict[str, Array]:
    rows, columns = jnp.sum(jacobian**2, axis=1), jnp.sum(jacobian**2, axis=0)
    gram = jacobian @ jacobian.T
    # ‖JJᵀ‖² less its diagonal, without subtracting large numbers.
    spread = jnp.sum(jnp.where(jnp.eye(len(rows), dtype=bool), 0, gram) ** 2)
    values = {"exact": jnp.sum(rows)}
    for size in sizes:
        row_key, column_key, probe_key = jax.random.split(jax.random.fold_in(key, size), 3)
        for name, squares, own in (("outputs", rows, row_key), ("inputs", columns, column_key)):
            total = len(squares)
            if size < total:
                drawn = jax.random.choice(own, squares, (size,), replace=False)
                values[f"{name}_{size}/draw"] = total * jnp.mean(drawn)
                values[f"{name}_{size}/variance"] = total**2 * (1 - size / total) * jnp.var(squares, ddof=1) / size
        if size < len(rows):
            signs = jax.random.rademacher(probe_key, (size, len(rows)), jacobian.dtype)
            values[f"probes_{size}/draw"] = jnp.mean(jnp.sum((signs @ jacobian) ** 2, axis=1))
            values[f"probes_{size}/variance"] = 2 * spread / size
    return values
