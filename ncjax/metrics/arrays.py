"""Array types of the public functions, and the checks that turn a wrong shape into one clear line."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

ArrayLike = Array | np.ndarray


def as_float(name: str, value: ArrayLike, ndim: int) -> Array:
    """Array of floats with `ndim` axes; half precision becomes single, other types stay.

    Args:
        name: How the caller names the argument, for the message.
        value: Array of floats.
        ndim: Number of axes that it must have.

    Returns:
        The array in single or double precision.

    Raises:
        ValueError: `value` has another number of axes or does not hold floats.
    """
    array = jnp.asarray(value)
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes, got shape {array.shape}")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} must hold floats, got {array.dtype}")
    return array.astype(jnp.promote_types(array.dtype, jnp.float32))


def as_labels(value: ArrayLike, rows: int, num_classes: int, mask: ArrayLike | None = None) -> Array:
    """Labels as int32, where `num_classes` marks every row that does not count.

    Args:
        value: [n] integers of any type.
        rows: The n that the other arguments have.
        num_classes: Labels run from 0 to `num_classes` - 1.
        mask: [n] booleans; rows where it is false do not count and may hold any label.

    Returns:
        [n] integers from 0 to `num_classes`. Under a trace no value can be looked at: a label out of range there
        becomes `num_classes` too, which drops its row; `dropped_rows` tells which.

    Raises:
        ValueError: Wrong shape or type, or a concrete label of a row that counts is out of range.
    """
    if jnp.shape(value) != (rows,):
        raise ValueError(f"labels must have shape ({rows},) to fit the other arguments, got {jnp.shape(value)}")
    wide, wrong = _widened(value, num_classes)
    counted = as_mask(mask, rows)
    if not isinstance(wrong, jax.core.Tracer) and not isinstance(counted, jax.core.Tracer):
        found = np.asarray(value)[np.asarray(counted) & np.asarray(wrong)]
        if found.size:
            raise ValueError(
                f"labels must lie in 0..{num_classes - 1}, got {found[0]}; np.unique(labels, return_inverse=True)[1] "
                f"numbers any labels from 0 in ascending order"
            )
    return jnp.where(counted & ~wrong, wide, num_classes)


def dropped_rows(value: ArrayLike, num_classes: int, mask: ArrayLike | None = None) -> Array:
    """Which rows count by the mask and are dropped all the same, as their label is out of range.

    Under a trace no label can be looked at, so there a function drops such a row where it would raise an error
    elsewhere. `ClassStats.dropped` counts them; this tells it for functions that return a number alone.

    Args:
        value: [n] integers of any type.
        num_classes: Labels run from 0 to `num_classes` - 1.
        mask: [n] booleans; rows where it is false do not count.

    Returns:
        [n] booleans.

    Raises:
        ValueError: The labels do not hold integers, or the mask does not fit.

    Example:
        >>> dropped_rows(jnp.array([0, 2, -1], jnp.int8), num_classes=2).tolist()
        [False, True, True]
    """
    _, wrong = _widened(value, num_classes)
    return as_mask(mask, wrong.shape[0]) & wrong


def _widened(value: ArrayLike, num_classes: int) -> tuple[Array, Array]:
    """Labels as int32, and which of them are out of range, compared before any digit is lost.

    In the labels' own type the number of classes may not fit: 256 is 0 in eight bits. And JAX cuts 64 bits to 32 unless
    told otherwise, so what is still a NumPy array is compared as one.
    """
    labels: Any = value if isinstance(value, jax.Array) else np.asarray(value)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must hold integers, got {labels.dtype}")
    # Unsigned numbers that do not fit turn negative, which is out of range as well.
    wide = labels.astype(np.int64 if labels.dtype.itemsize == 8 else np.int32)
    wrong = (wide < 0) | (wide >= num_classes)
    return jnp.asarray(wide.astype(np.int32)), jnp.asarray(wrong)


def as_mask(value: ArrayLike | None, rows: int) -> Array:
    """Mask as [n] booleans, all true when there is none.

    Args:
        value: [n] booleans or None.
        rows: The n that the other arguments have.

    Returns:
        [n] booleans.

    Raises:
        ValueError: Wrong shape or type.
    """
    if value is None:
        return jnp.ones(rows, bool)
    mask = jnp.asarray(value)
    if mask.shape != (rows,):
        raise ValueError(f"mask must have shape ({rows},) to fit the other arguments, got {mask.shape}")
    if mask.dtype != jnp.bool_:
        raise ValueError(f"mask must hold booleans, got {mask.dtype}")
    return mask
