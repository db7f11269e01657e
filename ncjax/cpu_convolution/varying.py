"""Types under ``shard_map``: over which axes of the mesh an array varies."""

from typing import Any

import jax
from jax import lax
from jaxtyping import Array


def varying_alike(*arrays: Array) -> tuple[Array, ...]:
    """The same arrays, each declared to vary over the mesh axes that any of them varies over.

    Args:
        *arrays: parts of the same computation.

    Returns:
        The arrays.

    Examples:
        >>> import jax.numpy as jnp
        >>> [int(array) for array in varying_alike(jnp.array(1), jnp.array(2))]
        [1, 2]
    """
    varying = [_varying_axes(array) for array in arrays]
    every = frozenset[Any]().union(*varying)
    return tuple(
        lax.pcast(array, tuple(every - its), to="varying") if every - its else array
        for array, its in zip(arrays, varying, strict=True)
    )


def _varying_axes(array: Array) -> frozenset[Any]:
    kind = jax.typeof(array)
    # Newer versions of JAX hold it inside the type of manual axes.
    mesh_axes: Any = kind.vma if hasattr(kind, "vma") else getattr(getattr(kind, "mat", None), "varying", ())
    return frozenset(mesh_axes)
