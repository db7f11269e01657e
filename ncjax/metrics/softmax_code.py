"""More classes than dimensions: how far the direction of each class is from the convex hull of the others."""

from functools import partial
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from ncjax.metrics.arrays import ArrayLike, as_count
from ncjax.metrics.class_means import between_only, highest_matmul, present
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled
from ncjax.metrics.simplex import class_vectors

# Classes whose weights on all others are held at once.
_WEIGHTS = 2**22
# Newton's steps to the threshold of a projection on the simplex; it starts at that of the step before.
_NEWTON = 8


class OneVersusRest(NamedTuple):
    """Distances of the directions of classes from the convex hull of the others; not numbers for absent classes.

    Attributes:
        distances: [C] distance to a point of the hull, the nearest that was found: never less than the distance sought.
        lower: [C] what the distance is at least, by a hyperplane between the direction and the hull; 0 where none was
            found. `distances` less `lower` bounds the error.
        margin: The least of `distances`, which a softmax code makes as large as it can be.
    """

    distances: Float[Array, " C"]
    lower: Float[Array, " C"]
    margin: Float[Array, ""]


@compiled("num_steps")
def one_versus_rest(
    stats: ClassStats,
    kernel: Float[ArrayLike, "d C"] | None = None,
    num_steps: int = 2000,
    tolerance: Float[ArrayLike, ""] | float = 1e-4,
) -> OneVersusRest:
    """Distance of each class's direction u_c from the convex hull of the others. O(C^2 d) a step, no C x C array.

    The directions are those of the centred class means, of length 1. The hull is the choice that is well posed for any
    number of classes: from the span of the others every distance is zero once C > d + 1. A direction is never inside
    the hull of others, as the sphere is curved, so the distance is zero only where two directions coincide. Of a
    simplex frame it is C/(C - 1), of C = 2d directions along the axes 1, both ways.

    Each distance is a quadratic program, solved by accelerated projected gradient with restarts. Each iterate gives a
    point of the hull and a hyperplane that bounds the distance from below: steps end where the two agree.

    Args:
        stats: Statistics, with or without a scatter matrix.
        kernel: [d, C] kernel of the classifier; its columns, not centred, take the place of the centred means.
        num_steps: Steps at most.
        tolerance: Relative difference of the two bounds at which steps end; single precision reaches some 1e-6 over
            the distance.

    Returns:
        The distances and their bounds; not numbers with fewer than two classes, and of means where all coincide.

    Raises:
        ValueError: The kernel does not fit the statistics.

    Source: Jiang, Zhou, Wang, Qu, Mixon, You, Zhu, "Generalized neural collapse for a large number of classes", ICML
    2024, https://arxiv.org/abs/2310.05351

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> axes = jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
        >>> found = one_versus_rest(class_stats(axes, jnp.arange(4), num_classes=4))
        >>> f"{float(found.margin):.4f}"
        '1.0000'
    """
    steps = as_count("num_steps", num_steps)
    high, low = class_vectors(stats, kernel)
    rows = high + low
    lengths = jnp.linalg.norm(rows, axis=1, keepdims=True)
    there = present(stats) & (lengths[:, 0] > 0)
    units = jnp.where(there[:, None], rows / jnp.where(lengths > 0, lengths, 1), 0)
    gram = highest_matmul(units.T, units) if units.shape[1] < units.shape[0] else highest_matmul(units, units.T)
    # The Frobenius norm of a power bounds the largest eigenvalue of a Gram matrix from above, closely.
    scale = jnp.trace(gram)
    powers = gram / scale
    for _ in range(3):
        powers = highest_matmul(powers, powers)
    largest = scale * jnp.sum(powers**2) ** (1 / 16)
    length = max(1, min(stats.num_classes, _WEIGHTS // stats.num_classes))
    blocks = -(-stats.num_classes // length)
    index = jnp.minimum(jnp.arange(blocks * length), stats.num_classes - 1).reshape(blocks, length)
    solve = partial(_distances, units, there, 1 / largest, steps, tolerance)
    upper, lower = (part.reshape(-1)[: stats.num_classes] for part in lax.map(solve, index))
    known = present(stats) & (jnp.sum(present(stats)) >= 2)
    upper = jnp.where(known, jnp.where(there, upper, jnp.nan), jnp.nan)
    lower = jnp.where(known, jnp.where(there, lower, jnp.nan), jnp.nan)
    if kernel is None:
        upper, lower = between_only(stats, upper), between_only(stats, lower)
    # A class without a direction spoils the margin, an absent one does not.
    margin = jnp.min(jnp.where(known, upper, jnp.inf))
    return OneVersusRest(upper, lower, jnp.where(jnp.isfinite(margin), margin, jnp.nan))


def _distances(
    units: Float[Array, "C d"],
    there: Bool[Array, " C"],
    step: Float[Array, ""],
    steps: int,
    tolerance: ArrayLike | float,
    own: Array,
) -> tuple[Float[Array, " rows"], Float[Array, " rows"]]:
    """Bounds on the distances of some classes, all at once."""
    targets = units[own]
    allowed = there[None, :] & (jnp.arange(units.shape[0])[None, :] != own[:, None])
    tiny = jnp.finfo(units.dtype).tiny

    def bounds(weights: Array) -> tuple[Array, Array]:
        total = jnp.sum(weights, axis=1, keepdims=True)
        rest = targets - highest_matmul(weights, units) / jnp.maximum(total, tiny)
        length = jnp.linalg.norm(rest, axis=1)
        # All of the hull lies on the other side of this hyperplane.
        beyond = jnp.max(jnp.where(allowed, highest_matmul(rest, units.T), -jnp.inf), axis=1)
        gap = (jnp.sum(rest * targets, axis=1) - beyond) / jnp.maximum(length, tiny)
        return length, jnp.clip(gap, 0, length)

    def advance(state: Any) -> Any:
        count, weights, ahead, momentum, threshold, upper, lower = state
        slope = highest_matmul(highest_matmul(ahead, units) - targets, units.T)
        moved, threshold = _onto_simplex(jnp.where(allowed, ahead - step * slope, -jnp.inf), threshold)
        # Momentum that points uphill is dropped.
        uphill = jnp.sum((ahead - moved) * (moved - weights), axis=1, keepdims=True) > 0
        momentum = jnp.where(uphill, 1, momentum)
        after = (1 + jnp.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / after * (moved - weights)
        found, bound = bounds(moved)
        return count + 1, moved, ahead, after, threshold, jnp.minimum(upper, found), jnp.maximum(lower, bound)

    def unfinished(state: Any) -> Array:
        upper, lower = state[-2:]
        return (state[0] < steps) & jnp.any(there[own] & (upper - lower > tolerance * upper))

    start = allowed / jnp.maximum(jnp.sum(allowed, axis=1, keepdims=True), 1).astype(units.dtype)
    zero = jnp.zeros((len(own), 1), units.dtype)
    state = (jnp.array(0), start, start, zero + 1, zero, *bounds(start))
    return lax.while_loop(unfinished, advance, state)[-2:]


def _onto_simplex(
    points: Float[Array, "rows C"], threshold: Float[Array, "rows 1"]
) -> tuple[Float[Array, "rows C"], Float[Array, "rows 1"]]:
    """Nearest points whose entries are positive and sum to one, up to a common factor, and what was taken off."""
    # Below the largest entry by one the sum is one at least: from there Newton's steps rise to the root.
    threshold = jnp.maximum(threshold, jnp.max(points, axis=1, keepdims=True) - 1)
    for _ in range(_NEWTON):
        over = points > threshold
        count = jnp.sum(over, axis=1, keepdims=True).astype(points.dtype)
        moved = (jnp.sum(jnp.where(over, points, 0), axis=1, keepdims=True) - 1) / jnp.maximum(count, 1)
        threshold = jnp.where(count > 0, moved, jnp.max(points, axis=1, keepdims=True) - 1)
    positive = jnp.maximum(points - threshold, 0)
    return positive / jnp.sum(positive, axis=1, keepdims=True), threshold
