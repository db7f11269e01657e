"""Array types of the public functions, and the checks that turn a wrong shape into one clear line."""

import operator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

ArrayLike = Array | np.ndarray


def as_array(name: str, value: Any) -> Array:
    """Array of a type that JAX has, with the same numbers.

    Args:
        name: How the caller names the argument, for the message.
        value: Array of JAX, NumPy or a library that NumPy understands.

    Returns:
        The array; foreign byte order becomes the machine's own.

    Raises:
        ValueError: `value` is no array or has a type without a counterpart in JAX; the message says what to pass.

    Examples:
        >>> as_array("features", np.ones(2, ">f4")).tolist()
        [1.0, 1.0]
        >>> as_array("features", np.array(["a"]))
        Traceback (most recent call last):
        ...
        ValueError: features must be an array of numbers, got <U1
    """
    if isinstance(value, jax.Array) or hasattr(value, "__jax_array__"):
        return jnp.asarray(value)
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{name} must not be a masked array: pass its data, and its mask where there is an argument")
    try:
        array = np.asarray(value)
    except Exception as error:
        # PyTorch hands out no array of a tensor that is on a GPU, requires a gradient or is in half precision.
        is_tensor = hasattr(value, "detach")
        advice = f"pass `{name}.detach().float().cpu().numpy()`" if is_tensor else str(error).splitlines()[0]
        raise ValueError(f"{name} cannot be read as an array, got {type(value).__name__}: {advice}") from error
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "m" or not (kind == "b" or jnp.issubdtype(array.dtype, jnp.number)):
        raise ValueError(f"{name} must be an array of numbers, got {'None' if value is None else array.dtype}")
    if size > (16 if kind == "c" else 8):
        raise ValueError(f"{name} must have at most 64 bits a number, got {array.dtype}: pass `{name}.astype(float)`")
    return jnp.asarray(array.astype(array.dtype.newbyteorder("="), copy=False))


def single_or_better(dtype: Any) -> Any:
    """Type in which numbers of another one are computed with: half and eighth precision in single, others as they are.

    Args:
        dtype: Type of floats.

    Returns:
        float32 or float64.
    """
    return jnp.float32 if jnp.dtype(dtype).itemsize < 4 else dtype


def as_images(value: ArrayLike, name: str = "images") -> Array:
    """Images as an array that a derivative can be taken at.

    Args:
        value: [n, *shape] floats.
        name: How the caller names the argument, for the message.

    Returns:
        The array.

    Raises:
        ValueError: There is no row, no second axis or nothing in a row, or the entries are not floats.
    """
    array = as_array(name, value)
    if array.ndim < 2 or array.size == 0:
        raise ValueError(
            f"{name} must have shape (n, ...) with two axes or more and none of length 0, got {array.shape}"
        )
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} must hold floats, as the function receives them, got {array.dtype}")
    return array


def as_count(name: str, value: Any, least: int = 1) -> int:
    """A whole number that fixes shapes.

    Args:
        name: How the caller names the argument, for the message.
        value: Integer of Python, NumPy or JAX.
        least: The smallest that makes sense.

    Returns:
        The number.

    Raises:
        ValueError: It is no whole number, too small, or not known while tracing.

    Examples:
        >>> as_count("num_classes", jnp.int32(3))
        3
    """
    if isinstance(value, jax.core.Tracer):
        raise ValueError(f"{name} fixes shapes and must be known while tracing: make it a static argument")
    try:
        count = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, got {value!r}") from None
    if count < least:
        raise ValueError(f"{name} must be at least {least}, got {count}")
    return count


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
    array = as_array(name, value)
    if array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes, got shape {array.shape}")
    if 0 in array.shape[1:]:
        raise ValueError(f"{name} must have at least one column, got shape {array.shape}")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"{name} must hold floats, got {array.dtype}")
    return array.astype(single_or_better(array.dtype))


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
        # In NumPy: every step on the device would be a program to compile.
        counts = np.asarray(counted)
        found = np.asarray(value)[counts & wrong]
        if found.size:
            raise ValueError(
                f"labels must lie in 0..{num_classes - 1}, got {found[0]}; np.unique(labels, return_inverse=True)[1] "
                f"numbers any labels from 0 in ascending order"
            )
        return jnp.asarray(np.where(counts & ~wrong, wide, np.int32(num_classes)))
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

    Examples:
        >>> dropped_rows(jnp.array([0, 2, -1], jnp.int8), num_classes=2).tolist()
        [False, True, True]
    """
    _, wrong = _widened(value, num_classes)
    return as_mask(mask, wrong.shape[0]) & jnp.asarray(wrong)


def _widened(value: ArrayLike, num_classes: int) -> tuple[ArrayLike, ArrayLike]:
    """Labels as int32, and which of them are out of range, compared before any digit is lost; NumPy unless traced.

    In the labels' own type the number of classes may not fit: 256 is 0 in eight bits. And JAX cuts 64 bits to 32 unless
    told otherwise, so what is still a NumPy array is compared as one.
    """
    labels: Any = value if isinstance(value, jax.core.Tracer) else np.asarray(value)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must hold integers, got {labels.dtype}")
    # Unsigned numbers that do not fit turn negative, which is out of range as well.
    wide = labels.astype(np.int64 if labels.dtype.itemsize == 8 else np.int32)
    wrong = (wide < 0) | (wide >= num_classes)
    return wide.astype(np.int32), wrong


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
        return jnp.asarray(np.ones(rows, bool))
    mask = as_array("mask", value)
    if mask.shape != (rows,):
        raise ValueError(f"mask must have shape ({rows},) to fit the other arguments, got {mask.shape}")
    if mask.dtype != jnp.bool_:
        raise ValueError(f"mask must hold booleans, got {mask.dtype}")
    return mask
