"""One run spread over several devices: each takes a part of every batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec
from jaxtyping import Array, Int

BATCH_AXIS = "batch"


def split_batch(batch: Any) -> Any:
    """Divides the samples of a batch among the devices of the mesh's ``batch`` axis, if the program has one.

    Nothing but where it is computed changes: whatever is reduced over samples afterwards (the loss and its gradient,
    statistics of batch normalisation, class statistics) is reduced over devices by the compiler.

    Args:
        batch: pytree of arrays whose first axis is the sample.

    Returns:
        The same arrays. Those whose first axis does not divide evenly are left to every device.

    Examples:
        >>> split_batch(jax.numpy.arange(3)).tolist()
        [0, 1, 2]
    """
    devices = batch_devices()

    def split(leaf: Any) -> Any:
        if devices == 1 or leaf.shape[0] % devices:
            return leaf
        return lax.with_sharding_constraint(leaf, PartitionSpec(BATCH_AXIS))

    return jax.tree.map(split, batch)


def take_divided(arrays: Any, index: Int[Array, " n"]) -> Any:
    """Takes the samples of a batch from arrays that every device has, each device its part, without a word to others.

    Args:
        arrays: pytree of arrays whose first axis is the sample, on every device.
        index: of the batch.

    Returns:
        The samples, divided as by `split_batch`.

    Examples:
        >>> take_divided(jnp.array([3, 5, 7]), jnp.array([2, 0])).tolist()
        [7, 3]
    """

    def take(index: Int[Array, " _"], arrays: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0), arrays)

    if batch_devices() == 1 or index.shape[0] % batch_devices():
        return take(index, arrays)
    return _own_part(take)(index, arrays)


def divide(function: Callable[..., Any], rows: Any, *shared: Any) -> Any:
    """Applies a function of rows to a part of them on each device of the ``batch`` axis, and tells all devices all.

    Left to the compiler, a loop over rows that are divided among devices is full of messages: it does not see that the
    devices have nothing to tell each other before the end.

    Args:
        function: of rows and of what is shared, to a pytree of arrays with an entry for each row, which depends on no
            other row.
        rows: pytree of arrays of equal, non-zero length.
        *shared: pytrees that every device has.

    Returns:
        The function's results for all rows, on every device.

    Examples:
        >>> divide(lambda rows, factor: rows * factor, jnp.arange(3), 2).tolist()
        [0, 2, 4]
    """
    devices = batch_devices()
    if devices == 1:
        return function(rows, *shared)
    number = jax.tree.leaves(rows)[0].shape[0]
    # The last row again, until all devices have as many.
    index = np.minimum(np.arange(-(-number // devices) * devices), number - 1)

    def of_own(index: Int[Array, " _"], rows: Any, shared: Any) -> Any:
        return function(jax.tree.map(lambda leaf: jnp.take(leaf, index, axis=0), rows), *shared)

    results = on_every_device(_own_part(of_own)(jnp.asarray(index), rows, shared))
    return jax.tree.map(lambda leaf: leaf[:number], results)


def on_every_device(state: Any) -> Any:
    """Keeps a pytree whole on every device of the mesh's ``batch`` axis, if the program has one.

    Args:
        state: pytree of arrays.

    Returns:
        The same arrays.
    """
    if batch_devices() == 1:
        return state
    return jax.tree.map(lambda leaf: lax.with_sharding_constraint(leaf, PartitionSpec()), state)


def batch_devices() -> int:
    """Devices among which the program that is traced divides a batch.

    Examples:
        >>> batch_devices()
        1
    """
    shape = jax.sharding.get_abstract_mesh().shape
    return int(shape.get(BATCH_AXIS, 1))


def _own_part(function: Callable[..., Any]) -> Callable[..., Any]:
    """Of an index that is divided, and of what every device has."""

    def call(index: Any, *shared: Any) -> Any:
        specs = (PartitionSpec(BATCH_AXIS), *[PartitionSpec()] * len(shared))
        inside = partial(jax.shard_map, in_specs=specs, out_specs=specs[0], axis_names={BATCH_AXIS}, check_vma=False)
        return inside(function)(index, *shared)

    return call
