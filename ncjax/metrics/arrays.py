"""Array types of the public functions, and the checks that turn a wrong shape into one clear line."""

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
    """Labels as integers, where `num_classes` marks every row that does not count.

    Args:
        value: [n] integers.
        rows: The n that the other arguments have.
        num_classes: Labels run from 0 to `num_classes` - 1.
        mask: [n] booleans; rows where it is false do not count and may hold any label.

    Returns:
        [n] integers from 0 to `num_classes`. Under a trace no value can be looked at: a label out of range there
        becomes `num_classes` too, which drops its row.

    Raises:
        ValueError: Wrong shape or type, or a concrete label of a row that counts is out of range.
    """
    labels = jnp.asarray(value)
    if labels.shape != (rows,):
        raise ValueError(f"labels must have shape ({rows},) to fit the other arguments, got {labels.shape}")
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must hold integers, got {labels.dtype}")
    counted = as_mask(mask, rows)
    if not isinstance(labels, jax.core.Tracer) and not isinstance(counted, jax.core.Tracer):
        wrong = np.asarray(labels)[np.asarray(counted & ((labels < 0) | (labels >= num_classes)))]
        if wrong.size:
            raise ValueError(f"labels must lie in 0..{num_classes - 1}, got {wrong[0]}")
    return jnp.where(counted & (labels >= 0) & (labels < num_classes), labels, num_classes)


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
