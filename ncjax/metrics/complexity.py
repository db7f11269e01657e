"""Geometric complexity of any function: exact and estimated, with standard errors."""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Integer, PRNGKeyArray

from ncjax.metrics.arrays import ArrayLike, as_count, as_float, as_images, as_labels, single_or_better
from ncjax.metrics.compiled import compiled, compiled_by_content
from ncjax.metrics.estimate import Estimate, summarise
from ncjax.metrics.jacobian import (
    DISTRIBUTIONS,
    METHODS,
    Distribution,
    Embedding,
    Method,
    check_embedding,
    output_shapes,
    row_squares,
    varying_like,
)
from ncjax.metrics.platform import platform

# Bytes that the intermediate values of one block of samples may take when the caller names no chunk size. On a CPU all
# products of one sample at once pay: its convolutions leave out what is zero for all.
_MEMORY, _CPU_EXACT_MEMORY = 2**29, 2**31
# Exact products that a CPU takes at once, unless one sample has more.
_CPU_PRODUCTS = 128
# Samples that random probes take at once on a CPU, where the intermediate values of more leave the cache: 256 images of
# 28×28 through four small layers take 30 ms by 32 and 115 ms at once.
_CPU_BLOCK = 32
# Samples before an adaptive estimate may stop, and samples it adds at a time: fewer make the standard error itself a
# matter of luck.
_SMALLEST_SAMPLE = 32
_BLOCK = 64


def geometric_complexity(
    embed: Embedding,
    images: Float[ArrayLike, "n ..."],
    method: Method = "exact",
    *,
    num_probes: int = 1,
    key: PRNGKeyArray | None = None,
    probe_distribution: Distribution = "rademacher",
    num_samples: int | None = None,
    rel_stderr: float | None = None,
    chunk_size: int | None = None,
    precision: str = "highest",
    first: int | Int[Array, ""] = 0,
) -> Estimate:
    """Mean over samples of the squared Frobenius norm of the Jacobian, |df/dx|_F^2.

    Note:
        Every method is unbiased. One product costs about one backward pass; with J the Jacobian of one sample, d its
        outputs and D its inputs, the variance that one sample's estimate adds is

        - "exact": none, for min(d, D) products;
        - "probes": (2/k)(|J J^T|_F^2 - sum_j |J_j|^4) for Rademacher vectors, (2/k)|J J^T|_F^2 for Gaussian ones, and
          for orthogonal blocks of k vectors about (2/k)(1 - k/d)(|J J^T|_F^2 - |J|_F^4/d);
        - "outputs": (d^2/k)(1 - k/d) S^2, S^2 the variance over outputs of the squared lengths of the Jacobian's rows;
        - "inputs": the same with columns and D.

        A mean over n samples has variance (spread of the samples + that variance)/n at the cost of n k products. The
        spread does not shrink with k: for a given cost k = 1 and more samples is best, unless the samples are few or
        their forward pass is the larger part.

    Args:
        embed: Function from [n, *shape] to [n, d] whose rows do not depend on each other (see
            `check_row_independence`); normalisation layers must use stored averages. Outputs with more axes are
            flattened, and a complex one counts as its real and its imaginary part.
        images: [n, *shape] floats, what the function receives: the unit of the result is squared outputs a squared
            input.
        method: "exact", "probes", "outputs" (random rows of the Jacobian) or "inputs" (random columns).
        num_probes: Number k of products a sample, for all methods but "exact".
        key: Random key, for all methods but "exact", and for `num_samples` and `rel_stderr`. Under `shard_map` give
            `first`, or all shards draw alike.
        probe_distribution: "rademacher", "gaussian" or "orthogonal", for "probes".
        num_samples: Number of images to draw at random, without replacement; by default all are taken.
        rel_stderr: Relative standard error at which to stop. Samples are then visited in random order, 64 at a time.
        chunk_size: Number of products of one sample held in memory at once; by default at most about 512 MiB of
            intermediate values, 2 GiB for exact ones on a CPU.
        precision: Matrix-multiplication precision, full single precision by default: reduced precision biases the
            result.
        first: Number of the first image, where these are a part of a larger set: with the same key an image draws the
            same probes in the part and in the whole.

    Returns:
        The estimate. It has no ½. Called outside of a compiled program, it compiles once for all functions that
        compute the same: a lambda written anew at each call, or other weights in it, compile nothing.

    Raises:
        ValueError: An argument does not fit; the message names it.

    Source: Munn, Dherin, Gonzalvo, NeurIPS 2024, https://arxiv.org/abs/2405.15706; Dherin et al. 2022,
    https://arxiv.org/abs/2209.13083; random probes: Hoffman, Roberts, Yaida 2019, https://arxiv.org/abs/1908.02729

    Examples:
        >>> A = jnp.array([[1.0, 2.0], [0.0, 2.0]])
        >>> float(geometric_complexity(lambda x: x @ A, jnp.ones((3, 2))).mean)
        9.0
    """
    images = as_images(images)
    rows = images.shape[0]
    outputs, inputs = check_embedding(embed, images), prod(images.shape[1:])
    _check_sampling(method, num_probes, key, probe_distribution, outputs, inputs)
    _check_extent(rows, key, num_samples, rel_stderr, chunk_size)
    products = min(outputs, inputs) if method == "exact" else num_probes
    if chunk_size is None:
        chunk_size = _default_chunk_size(embed, images, method, products, adaptive=rel_stderr is not None)
    values = 1 if method == "exact" else num_probes
    without_replacement = method in ("outputs", "inputs") or probe_distribution == "orthogonal"
    population = inputs if method == "inputs" else outputs if without_replacement else None
    summary = partial(
        summarise,
        population=1 if method == "exact" else population,
        products=products,
    )

    # The images are an argument: what a compiled function closes over becomes a constant to the compiler.
    def run(images: Array, key: Array | None, first: Array) -> Estimate:
        order = None
        if key is not None and not (num_samples is None and rel_stderr is None):
            order_key, key = jax.random.split(key)
            order = jax.random.permutation(order_key, rows)[:num_samples]
        visits = rows if order is None else order.shape[0]
        # Rather all exact products of a few samples than a few of many: on a CPU they share their zeros.
        together = max(1, chunk_size // products) if method == "exact" else chunk_size
        if rel_stderr is not None:
            # A power of two, as what is added at a time: blocks fill it.
            together = min(_BLOCK, 1 << (together.bit_length() - 1))
        block = min(visits, together)
        directions = max(1, chunk_size // block)

        def step(state: _State, start: Array) -> _State:
            # The last block starts early enough to be full: what is seen twice gets the same value twice.
            start = jnp.minimum(start, visits - block)
            index = start + jnp.arange(block) if order is None else lax.dynamic_slice_in_dim(order, start, block)
            part = images if order is None and block == rows else images[index]
            squares = row_squares(
                embed, part, first + index, key, method, values, probe_distribution, directions, precision
            )
            return _State(state.squares.at[index].set(squares), state.seen.at[index].set(True), start + block)

        dtype = single_or_better(images.dtype)
        table = varying_like(jnp.zeros((rows, values), dtype), images)
        state = _State(table, jnp.zeros(rows, bool), jnp.zeros((), jnp.int32))
        if rel_stderr is not None:
            precise = partial(_is_precise, summary, rel_stderr, min(_SMALLEST_SAMPLE, visits))

            def add(state: _State) -> _State:
                end = jnp.minimum(state.start + _BLOCK, visits)
                return lax.while_loop(lambda state: state.start < end, lambda state: step(state, state.start), state)

            state = lax.while_loop(lambda state: (state.start < visits) & ~precise(state), add, state)
            return summary(state.squares, state.seen, precise(state))
        if block == visits:
            state = step(state, state.start)
        else:
            state, _ = lax.scan(lambda state, start: (step(state, start), None), state, jnp.arange(0, visits, block))
        return summary(state.squares, state.seen, jnp.ones((), bool))

    return compiled_by_content(run, images, key, jnp.asarray(first, jnp.int32))


def geometric_complexity_by_layer(
    taps: Callable[[Array], Mapping[str, Array]], images: Float[ArrayLike, "n ..."], **options: Any
) -> dict[str, Estimate]:
    """Geometric complexity of every stage of a network, from the images to each of its named outputs.

    Args:
        taps: Function from [n, *shape] to arrays [n, ...] by name, rows independent.
        images: [n, *shape] floats.
        **options: As for `geometric_complexity`.

    Returns:
        An estimate for each name. Each compiles alone, so that a stage costs nothing of the stages after it.

    Raises:
        ValueError: As `geometric_complexity`.

    Examples:
        >>> taps = lambda x: {"block1": 2 * x, "embedding": 6 * x}
        >>> {name: float(x.mean) for name, x in geometric_complexity_by_layer(taps, jnp.ones((2, 1))).items()}
        {'block1': 4.0, 'embedding': 36.0}
    """
    images = as_images(images)
    names = output_shapes(taps, images, "taps")
    if not isinstance(names, Mapping):
        raise ValueError(f"taps must return a dict of arrays by name, got {type(names).__name__}")
    return {name: geometric_complexity(lambda x, name=name: taps(x)[name], images, **options) for name in names}


@compiled("num_classes")
def class_mean_complexity(
    per_sample: Float[ArrayLike, " n"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    mask: Bool[ArrayLike, " n"] | None = None,
) -> Float[Array, " C"]:
    """Geometric complexity over each class.

    Args:
        per_sample: [n] squared Jacobian norms, `Estimate.per_sample`.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        mask: [n] booleans; samples where it is false do not count. After an adaptive estimate:
            `~jnp.isnan(per_sample)`.

    Returns:
        [C] means; not a number where a class has no sample.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Examples:
        >>> class_mean_complexity(jnp.array([1.0, 3.0, 5.0]), jnp.array([0, 0, 1]), num_classes=3).tolist()
        [2.0, 5.0, nan]
    """
    values = as_float("per_sample", per_sample, ndim=1)
    num_classes = as_count("num_classes", num_classes)
    labels = as_labels(labels, values.shape[0], num_classes, mask)
    counts = jax.ops.segment_sum(jnp.ones_like(values), labels, num_classes)
    return jax.ops.segment_sum(values, labels, num_classes) / counts


class _State(NamedTuple):
    squares: Array
    seen: Array
    start: Array


def _is_precise(summary: Callable[..., Estimate], rel_stderr: float, smallest: int, state: _State) -> Array:
    estimate = summary(state.squares, state.seen, jnp.zeros((), bool))
    return (estimate.num_samples >= smallest) & (estimate.stderr <= rel_stderr * estimate.mean)


def _default_chunk_size(embed: Embedding, images: Array, method: Method, products: int, *, adaptive: bool) -> int:
    """Number of products whose intermediate values fit in the memory set aside, and as many as are fast."""
    on_cpu = platform() == "cpu"
    memory = _CPU_EXACT_MEMORY if on_cpu and method == "exact" else _MEMORY

    def residual_bytes(rows: int) -> int:
        sample = jax.ShapeDtypeStruct((rows, *images.shape[1:]), images.dtype)
        leaves = jax.tree.leaves(jax.eval_shape(lambda x: jax.vjp(embed, x), sample))
        return sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)

    # What two rows need more than one does: weights are among the residuals, and are held once.
    most = max(1, memory // max(residual_bytes(2) - residual_bytes(1), 1))
    if not on_cpu or (adaptive and method != "exact"):
        return most
    return min(most, max(_CPU_PRODUCTS, products) if method == "exact" else _CPU_BLOCK)


def _check_sampling(
    method: str, num_probes: int, key: Array | None, distribution: str, outputs: int, inputs: int
) -> None:
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if distribution not in DISTRIBUTIONS:
        raise ValueError(f"probe_distribution must be one of {', '.join(DISTRIBUTIONS)}, got {distribution!r}")
    if method == "exact":
        return
    if key is None:
        raise ValueError(f"key must be given for method={method!r}")
    limit = inputs if method == "inputs" else outputs
    unlimited = method == "probes" and distribution != "orthogonal"
    if num_probes < 1 or (num_probes > limit and not unlimited):
        allowed = "at least 1" if unlimited else f"between 1 and {limit}"
        raise ValueError(f"num_probes must be {allowed} here, got {num_probes}")


def _check_extent(
    rows: int, key: Array | None, num_samples: int | None, rel_stderr: float | None, chunk_size: int | None
) -> None:
    if num_samples is not None and not 1 <= num_samples <= rows:
        raise ValueError(f"num_samples must be between 1 and the number of images {rows}, got {num_samples}")
    if rel_stderr is not None and not rel_stderr > 0:
        raise ValueError(f"rel_stderr must be above 0, got {rel_stderr}")
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, got {chunk_size}")
    if key is None and not (num_samples is None and rel_stderr is None):
        raise ValueError("key must be given to visit the images in random order, as num_samples and rel_stderr do")
