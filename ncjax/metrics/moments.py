"""Counts, means and second moments by class of one batch, a block of rows at a time."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from ncjax.metrics.compensated import rounded, two_sum
from ncjax.metrics.platform import platform
from ncjax.metrics.powers_of_two import exponent_of, scaled

# Rows of a block. On a CPU what is done with so many stays in the cache; elsewhere a loop of short steps is slow. A
# running sum of single floats loses about the square root of its length in units of its rounding.
_CPU_BLOCK, _BLOCK = 1024, 2**16
# Squares of deviations leave the range of single precision where features are below 1e-19 or above 1e19. Features whose
# largest entry lies outside 2**-24..2**40 are held in a unit of their own, 2**k with k a multiple of 64. The range is
# so wide that the features of a network hardly ever leave it, and so low that their squares do not overflow.
_UNIT_STEP, _UNIT_BELOW = 64, 24
# Strips into which a Gram matrix is cut for the sake of its symmetry, each at least so high.
_STRIPS = 4
_LEAST_STRIP = 64


@partial(jax.jit, static_argnames=("num_classes", "scatter"))
def moments_by_class(
    features: Float[Array, "n d"], labels: Int[Array, " n"], num_classes: int, scatter: bool
) -> dict[str, Array | None]:
    """Moments of features by class.

    Args:
        features: [n, d] single or double floats.
        labels: [n] integers from 0 to C, where C marks rows that do not count.
        num_classes: Number of classes C.
        scatter: Whether to take the [d, d] scatter.

    Returns:
        What `ClassStats` holds, by the names of its attributes.
    """
    counted = labels < num_classes
    counts = jax.ops.segment_sum(counted.astype(jnp.int32), labels, num_classes)
    n = jnp.maximum(counts, 1).astype(features.dtype)[:, None]
    exponent = _exponent(features, counted)
    anchor = lax.stop_gradient(jnp.where(counts[:, None] > 0, scaled(_typical(features, labels, counts), -exponent), 0))

    def deviations(part: tuple[Array, Array], pivot: Array, pivot_low: Array | None) -> Array:
        block, block_labels = part
        own = jnp.minimum(block_labels, num_classes - 1)
        deviation = scaled(block, -exponent) - pivot[own]
        deviation = deviation if pivot_low is None else deviation - pivot_low[own]
        return jnp.where((block_labels < num_classes)[:, None], deviation, 0)

    def first_sums(part: tuple[Array, Array]) -> Array:
        return class_sums(deviations(part, anchor, None), part[1], num_classes)

    # Deviations from a typical sample are exact where collapse is deep, and free of any common offset. The mean that
    # they give is the pivot of the moments: each deviation then rounds in proportion to itself, not to the anchor's.
    pivot, pivot_low = two_sum(anchor, sum_over_blocks(first_sums, features, labels) / n)

    def moments(part: tuple[Array, Array]) -> tuple[Array, Array, tuple[Array, ...] | None]:
        deviation = deviations(part, pivot, pivot_low)
        squares = jax.ops.segment_sum(jnp.sum(deviation**2, axis=-1), part[1], num_classes)
        return class_sums(deviation, part[1], num_classes), squares, _gram_strips(deviation) if scatter else None

    # The first sum carries the anchor's own deviation and rounds accordingly; this one is about zero and rounds to
    # nothing.
    residual, within, strips = sum_over_blocks(moments, features, labels)
    residual = residual / n
    high, low = two_sum(pivot, pivot_low + residual)
    within = jnp.maximum(within - n[:, 0] * jnp.sum(residual**2, axis=-1), 0)
    return {
        "counts": counts,
        "means": high,
        "means_low": low,
        "within": within,
        "scatter": None if strips is None else _join_strips(strips),
        "exponent": exponent,
    }


def _typical(features: Array, labels: Array, counts: Array) -> Array:
    """A vector near the bulk of each class: the median, entry by entry, of its first, second and last sample.

    One sample far from all others would spoil a pivot that is a sample; it does not spoil this one.
    """
    rows, num_classes = len(labels), len(counts)
    places = jnp.arange(rows)
    first = jax.ops.segment_min(places, labels, num_classes)
    is_first = first[jnp.minimum(labels, num_classes - 1)] == places
    second = jax.ops.segment_min(jnp.where(is_first, rows, places), labels, num_classes)
    last = jax.ops.segment_max(places, labels, num_classes)
    second = jnp.where(counts > 1, second, first)
    a, b, c = (features[jnp.clip(place, 0, rows - 1)] for place in (first, second, last))
    return jnp.maximum(jnp.minimum(a, b), jnp.minimum(jnp.maximum(a, b), c))


def sum_over_blocks(
    function: Callable[[tuple[Array, Array]], Any], features: Array, labels: Array, most: int | None = None
) -> Any:
    """Sum of a function of rows and their labels, a block of rows at a time.

    A block stays in the cache while all is done with it, so the features are read once and nothing of their size is
    written; and a running sum over few blocks of short sums keeps its digits.

    Args:
        function: Of some rows and their labels; returns a pytree of arrays.
        features: [n, d] floats, n at least 1.
        labels: [n] integers.
        most: Most rows of a block, where the function makes large arrays of them.

    Returns:
        The sums of what the function returns.
    """
    length = min(_CPU_BLOCK if platform() == "cpu" else _BLOCK, features.shape[0])
    length = length if most is None else max(1, min(length, most))
    whole = features.shape[0] // length * length
    blocks = (features[:whole].reshape(-1, length, features.shape[1]), labels[:whole].reshape(-1, length))
    total = function((features[whole:], labels[whole:])) if whole < features.shape[0] else None
    if total is None:
        total = function(jax.tree.map(lambda leaf: leaf[0], blocks))
        blocks = jax.tree.map(lambda leaf: leaf[1:], blocks)
    if blocks[0].shape[0] == 0:
        return total

    def step(sums: Any, part: tuple[Array, Array]) -> tuple[Any, None]:
        # Left to itself the compiler adds a block's rows to the running sum one by one.
        return jax.tree.map(lambda total, more: total + rounded(more), sums, function(part)), None

    return lax.scan(step, total, blocks)[0]


def class_sums(rows: Float[Array, "n d"], labels: Int[Array, " n"], num_classes: int) -> Float[Array, "C d"]:
    """Sum the rows of each class.

    Args:
        rows: [n, d] floats.
        labels: [n] integers; rows with others than 0 to C - 1 do not count.
        num_classes: Number of classes C.

    Returns:
        [C, d] sums.
    """
    # On a CPU scattered adds take 4 ms where the product with one-hot labels takes 34 (n=50,000, d=512, C=100; at
    # C=1,000 5 and 300 ms). Elsewhere the product: scattered adds there run in no fixed order, and so differ from run
    # to run.
    return lax.platform_dependent(
        rows,
        labels,
        cpu=lambda rows, labels: jax.ops.segment_sum(rows, labels, num_classes),
        default=lambda rows, labels: jnp.matmul(
            jax.nn.one_hot(labels, num_classes, dtype=rows.dtype, axis=0), rows, precision=lax.Precision.HIGHEST
        ),
    )


def _gram_strips(rows: Float[Array, "n d"]) -> tuple[Array, ...]:
    """Gram matrix of the rows as horizontal strips, each from the diagonal on: the rest follows by symmetry."""
    product = partial(jnp.matmul, precision=lax.Precision.HIGHEST)
    return tuple(product(rows[:, start:end].T, rows[:, start:]) for start, end in pairwise(_strip_edges(rows.shape[1])))


def _join_strips(strips: tuple[Array, ...]) -> Float[Array, "d d"]:
    dim = strips[0].shape[1]
    upper = jnp.triu(jnp.concatenate([jnp.pad(strip, ((0, 0), (dim - strip.shape[1], 0))) for strip in strips]))
    return upper + jnp.triu(upper, 1).T


def _strip_edges(dim: int) -> list[int]:
    """Where the strips of a Gram matrix begin and end; short ones do not pay."""
    count = max(1, min(_STRIPS, dim // _LEAST_STRIP))
    return [*range(0, dim // count * count, dim // count), dim]


def weighted_gram(rows: Float[Array, "C d"], weights: Float[Array, " C"]) -> Float[Array, "d d"]:
    """Sum over the rows of their outer products, each times its weight.

    Args:
        rows: [C, d] vectors.
        weights: [C] numbers.

    Returns:
        [d, d] matrix.
    """
    return jnp.matmul((rows * weights[:, None]).T, rows, precision=lax.Precision.HIGHEST)


def least_exponent(dtype: Any) -> int:
    """Exponent of the unit of features that are zero or nearly so.

    Args:
        dtype: Float type of the features.

    Returns:
        An integer, the least that there is.
    """
    info = jnp.finfo(dtype)
    return int(info.minexp - info.nmant + _UNIT_BELOW) // _UNIT_STEP * _UNIT_STEP


def _exponent(features: Array, counted: Array) -> Array:
    """Power of two that is the unit of the statistics."""
    largest = jnp.max(jnp.where(counted[:, None], jnp.abs(lax.stop_gradient(features)), 0), initial=0)
    exponent = (exponent_of(largest) + _UNIT_BELOW) // _UNIT_STEP * _UNIT_STEP
    # Of what is not a number nothing is known: it shows in the moments.
    exponent = jnp.where(jnp.isfinite(largest), exponent, 0)
    return jnp.where(largest == 0, least_exponent(features.dtype), exponent)
