"""Means over pairs of many classes, a block of pairs at a time: no array of C x C numbers is held."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

# Up to so many classes all pairs are one block, of 16 MiB in single precision, and no loop is needed.
ONE_BLOCK = 2048
# A block of so many pairs and what is made of it stay in the cache of a CPU core.
_ROWS, _COLUMNS = 256, 1024
# Squared distances above this share of the squared lengths lose no more than three bits to cancellation.
_FAR = 1 / 8


def pair_moments(
    there: Bool[Array, " C"],
    operands: Any,
    values: Callable[[Any, Any, Bool[Array, "rows columns"]], Float[Array, "rows columns"]],
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Mean and variance of a quantity over the ordered pairs of distinct classes.

    The moments of each block are about its own mean, and are joined without cancellation.

    Args:
        there: [C] which classes take part.
        operands: Arrays [C, ...] that the quantity is made of.
        values: Function of the operands of some rows and of some columns, and of which pairs count; the others' values
            are not used.

    Returns:
        Two scalars; not a number where no pair counts.

    Examples:
        >>> mean, variance = pair_moments(jnp.ones(3, bool), jnp.arange(3.0), lambda a, b, _: abs(a[:, None] - b[None]))
        >>> f"{float(mean):.4f} {float(variance):.4f}"
        '1.3333 0.2222'
    """
    numbered = (there, jnp.arange(there.shape[0]), operands)

    @jax.checkpoint
    def moments(rows: Any, columns: Any) -> tuple[Array, Array, Array]:
        pairs = rows[0][:, None] & columns[0][None, :] & (rows[1][:, None] != columns[1][None, :])
        block = jnp.where(pairs, values(rows[2], columns[2], pairs), 0)
        count = jnp.sum(pairs).astype(block.dtype)
        mean = jnp.sum(block) / jnp.maximum(count, 1)
        return count, mean, jnp.sum(jnp.where(pairs, (block - mean) ** 2, 0))

    columns = _blocks(numbered, _COLUMNS)
    parts = lax.map(lambda rows: lax.map(lambda those: moments(rows, those), columns), _blocks(numbered, _ROWS))
    counts, means, squares = parts
    total = jnp.sum(counts)
    mean = jnp.sum(counts * means) / total
    return mean, (jnp.sum(squares) + jnp.sum(counts * (means - mean) ** 2)) / total


def block_squares(
    rows: tuple[Float[Array, "rows d"], Float[Array, "rows d"]],
    columns: tuple[Float[Array, "columns d"], Float[Array, "columns d"]],
    pairs: Bool[Array, "rows columns"],
) -> Float[Array, "rows columns"]:
    """Squared distances between the rows of two pairs of a high-order and a low-order part.

    By one matrix product where all pairs that count are far apart, some fifty times faster on a CPU; a block with a
    close pair is done by differences, which keep its digits.

    Args:
        rows: High-order and low-order part.
        columns: High-order and low-order part.
        pairs: Which pairs count; the others' distances are not used, and are 1.

    Returns:
        [rows, columns] squared distances.
    """
    lengths = jnp.sum(rows[0] ** 2, axis=-1)[:, None] + jnp.sum(columns[0] ** 2, axis=-1)[None, :]
    far = lengths - 2 * jnp.matmul(rows[0], columns[0].T, precision=lax.Precision.HIGHEST)

    def by_differences() -> Array:
        difference = rows[0][:, None, :] - columns[0][None, :, :]
        return jnp.sum((difference + (rows[1][:, None, :] - columns[1][None, :, :])) ** 2, axis=-1)

    squares = lax.cond(jnp.any(pairs & (far < _FAR * lengths)), by_differences, lambda: far)
    return jnp.where(pairs, squares, 1)


def _blocks(operands: Any, length: int) -> Any:
    """Arrays cut into blocks along their first axis; what the last one lacks is zero, and not there."""

    def cut(leaf: Array) -> Array:
        lacking = -leaf.shape[0] % length
        return jnp.pad(leaf, ((0, lacking),) + ((0, 0),) * (leaf.ndim - 1)).reshape(-1, length, *leaf.shape[1:])

    return jax.tree.map(cut, operands)
