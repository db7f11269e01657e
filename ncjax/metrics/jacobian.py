"""Squared Jacobian norms of a function with independent rows: exact, or from random probes, rows or columns."""

from collections.abc import Callable
from functools import partial
from math import ceil, prod
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from ncjax.metrics.arrays import single_or_better

Embedding = Callable[[Array], Array]
Method = Literal["exact", "probes", "outputs", "inputs"]
Distribution = Literal["rademacher", "gaussian", "orthogonal"]

METHODS: tuple[str, ...] = get_args(Method)
DISTRIBUTIONS: tuple[str, ...] = get_args(Distribution)

_STORED = (
    "batch normalisation must use its stored averages and dropout be off: `use_running_average=True` and "
    "`deterministic=True` in Flax Linen, `model.eval()` in NNX, `inference_mode` in Equinox"
)


def output_shapes(function: Callable[[Array], Any], images: Array, name: str = "embed") -> Any:
    """What a function returns for these images, as shapes and types, without computing it.

    Args:
        function: Function of [n, *shape].
        images: [n, *shape] floats.
        name: How the caller names the function, for the message.

    Returns:
        The function's result with `jax.ShapeDtypeStruct` in the place of arrays.

    Raises:
        ValueError: The function is not a pure one of JAX operations: it updates averages, asks for random numbers, or
            computes with another library. Its other exceptions pass as they are.
    """
    try:
        # Not the function itself, which may be of a kind that JAX cannot refer to.
        return jax.eval_shape(lambda x: function(x), images)
    except Exception as error:
        advice = _advice(error)
        if advice is None:
            raise
        raise ValueError(f"{name} {advice} ({type(error).__name__}: {str(error).splitlines()[0]})") from error


def check_embedding(embed: Embedding, images: Array, name: str = "embed") -> int:
    """Number of real outputs that a function has for each image.

    Args:
        embed: Function from [n, *shape] to [n, ...].
        images: [n, *shape] floats.
        name: How the caller names the function, for the message.

    Returns:
        The number of outputs d; a complex one counts as two.

    Raises:
        ValueError: The function does not return one array of floats with a row for each image, or is not pure.
    """
    outputs = output_shapes(embed, images, name)
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) < 2 or shape[0] != images.shape[0] or 0 in shape:
        got = shape if shape is not None else type(outputs).__name__
        stored = f"; {_STORED}" if isinstance(outputs, tuple) else ""
        rows = images.shape[0]
        raise ValueError(f"{name} must return one array of shape (n, d), n = {rows} and d > 0, got {got}{stored}")
    if not jnp.issubdtype(outputs.dtype, jnp.inexact):
        raise ValueError(f"{name} must return floats, got {outputs.dtype}, which has no derivative")
    return prod(shape[1:]) * (2 if jnp.issubdtype(outputs.dtype, jnp.complexfloating) else 1)


def flat_rows(embed: Embedding) -> Embedding:
    """The same function with real outputs of shape [n, d] in single precision or better.

    Args:
        embed: Function from [n, *shape] to [n, ...].

    Returns:
        Function from [n, *shape] to [n, d]; of complex outputs first the real parts, then the imaginary ones.
    """

    def flat(images: Array) -> Array:
        outputs = embed(images)
        rows = outputs.reshape(outputs.shape[0], -1)
        if jnp.issubdtype(rows.dtype, jnp.complexfloating):
            rows = jnp.concatenate([rows.real, rows.imag], axis=1)
        return rows.astype(single_or_better(rows.dtype))

    return flat


def exact_squares(embed: Embedding, images: Float[Array, "n ..."], directions: int) -> Float[Array, "n 1"]:
    """Squared Frobenius norm of each row's Jacobian, from the side that has fewer coordinates.

    Rows are independent, so one product with a vector that is one-hot in every row gives every row's Jacobian entry
    line at once.

    Args:
        embed: Function from [n, *shape] to [n, d], rows independent.
        images: [n, *shape] floats.
        directions: How many products to hold in memory at once.

    Returns:
        [n, 1] squared norms.
    """
    rows = images.shape[0]
    product, space = _cheaper_product(embed, images)
    size = space.size // rows
    # Chunks of one size, of which the last is not mostly empty.
    directions = ceil(size / ceil(size / directions))

    def one(index: Array) -> Array:
        # An index past the end, in the last chunk, is a vector of zeros.
        line = jax.nn.one_hot(index, size, dtype=space.dtype)
        vectors = jnp.broadcast_to(line, (rows, size)).reshape(space.shape)
        return _row_squares(product(varying_like(vectors, space)))

    def chunk(total: Array, start: Array) -> tuple[Array, None]:
        if directions == 1:
            return total + one(start), None
        return total + jnp.sum(jax.vmap(one)(start + jnp.arange(directions)), axis=0), None

    total = varying_like(jnp.zeros(rows, single_or_better(space.dtype)), images)
    return lax.scan(chunk, total, jnp.arange(0, size, directions))[0][:, None]


def sampled_squares(
    embed: Embedding,
    images: Float[Array, "n ..."],
    keys: Array,
    method: Method,
    num_probes: int,
    distribution: Distribution,
    directions: int,
) -> Float[Array, "n k"]:
    """Unbiased estimates of each row's squared Jacobian norm, one a probe.

    Args:
        embed: Function from [n, *shape] to [n, d], rows independent.
        images: [n, *shape] floats.
        keys: [n] random keys, one a row: what a row gets does not depend on its neighbours in memory.
        method: "probes", "outputs" or "inputs".
        num_probes: Number k of products a row.
        distribution: Of the probes.
        directions: How many products to hold in memory at once.

    Returns:
        [n, k] estimates, each unbiased by itself.
    """
    rows = images.shape[0]
    if method == "inputs":
        product, space = (lambda v: jax.jvp(embed, (images,), (v,))[1]), images
    else:
        outputs, pull = jax.vjp(embed, images)
        product, space = (lambda v: pull(v)[0]), outputs
    size = space.size // rows

    if method == "probes" and distribution != "orthogonal":
        draw = jax.random.rademacher if distribution == "rademacher" else jax.random.normal

        def vectors(index: Array) -> Array:
            return jax.vmap(lambda key: draw(jax.random.fold_in(key, index), (size,), space.dtype))(keys)

    else:
        table = _orthogonal_frames(keys, size, num_probes) if method == "probes" else _distinct(keys, size, num_probes)

        def vectors(index: Array) -> Array:
            picked = lax.dynamic_index_in_dim(table, index, axis=1, keepdims=False)
            if method == "probes":
                return picked.astype(space.dtype)
            return jax.nn.one_hot(picked, size, dtype=space.dtype) * jnp.sqrt(size).astype(space.dtype)

    def one(index: Array) -> Array:
        return _row_squares(product(varying_like(vectors(index).reshape(space.shape), space)))

    if num_probes == 1:
        return one(jnp.zeros((), int))[:, None]
    return lax.map(one, jnp.arange(num_probes), batch_size=min(directions, num_probes)).T


def varying_like(value: Float[Array, "..."], like: Float[Array, "..."]) -> Float[Array, "..."]:
    """The same value, declared to vary over the mesh axes that another one varies over.

    Under `shard_map` a loop's carry and a cotangent must vary like what they are paired with; elsewhere nothing
    changes.

    Args:
        value: Any array.
        like: Array that is part of the same computation.

    Returns:
        `value`.
    """
    # A choice between two equal values varies with its condition, and the compiler drops it.
    first = like.reshape(-1)[0]
    return jnp.where(first == first, value, value)


def row_squares(
    embed: Embedding,
    images: Float[Array, "n ..."],
    index: Int[Array, " n"],
    key: Array | None,
    method: Method,
    num_probes: int,
    distribution: Distribution,
    directions: int,
    precision: str,
) -> Float[Array, "n k"]:
    """Squared Jacobian norms of a block of images by any method.

    Args:
        embed: Function from [n, *shape] to [n, ...], rows independent.
        images: [n, *shape] floats.
        index: [n] place of each image in the whole set: what an image draws depends on this alone.
        key: Random key of the whole set; None for "exact".
        method: "exact", "probes", "outputs" or "inputs".
        num_probes: Number k of products a row; 1 for "exact".
        distribution: Of the probes.
        directions: How many products to hold in memory at once.
        precision: Matrix-multiplication precision.

    Returns:
        [n, k] values, each unbiased by itself.
    """
    with jax.default_matmul_precision(precision):
        if key is None or method == "exact":
            return exact_squares(flat_rows(embed), images, directions)
        keys = jax.vmap(partial(jax.random.fold_in, key))(index)
        return sampled_squares(flat_rows(embed), images, keys, method, num_probes, distribution, directions)


def _advice(error: Exception) -> str | None:
    """What to do about an exception of a network that is not in evaluation mode or not made of JAX operations."""
    from_flax = type(error).__module__.startswith("flax")
    asks = "use_running_average" in str(error) or (isinstance(error, NameError) and "axis" in str(error))
    if from_flax or asks:
        return f"cannot be evaluated as a function of its images alone: {_STORED}"
    if isinstance(error, jax.errors.TracerArrayConversionError) or (
        isinstance(error, TypeError) and "Tracer" in str(error)
    ):
        return "must be made of JAX operations, which can be differentiated"
    return None


def _cheaper_product(embed: Embedding, images: Array) -> tuple[Callable[[Array], Array], Array]:
    outputs = jax.eval_shape(embed, images)
    if images.size < outputs.size:
        return jax.linearize(embed, images)[1], images
    primal, pull = jax.vjp(embed, images)
    return (lambda v: pull(v)[0]), primal


def _row_squares(values: Array) -> Array:
    squares = values.astype(single_or_better(values.dtype)) ** 2
    # Not as rows of one axis: under `vmap` that would turn the array in memory, and its sums are less accurate.
    return jnp.sum(squares, axis=tuple(range(1, squares.ndim)))


def _distinct(keys: Array, size: int, count: int) -> Array:
    """[n, count] coordinates of each row, without replacement."""
    return jax.vmap(lambda key: jax.random.permutation(key, size)[:count])(keys)


def _orthogonal_frames(keys: Array, size: int, count: int) -> Array:
    """[n, count, size] uniformly random orthogonal vectors of squared length `size`."""

    def frame(key: Array) -> Array:
        gaussian = jax.random.normal(key, (size, count))
        return jnp.linalg.qr(gaussian)[0].T * jnp.sqrt(1.0 * size)

    return jax.vmap(frame)(keys)
