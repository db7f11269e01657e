"""One run spread over several devices: each takes a part of every batch."""

from typing import Any

import jax
from jax import lax
from jax.sharding import PartitionSpec

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
    devices = _batch_devices()

    def split(leaf: Any) -> Any:
        if devices == 1 or leaf.shape[0] % devices:
            return leaf
        return lax.with_sharding_constraint(leaf, PartitionSpec(BATCH_AXIS))

    return jax.tree.map(split, batch)


def on_every_device(state: Any) -> Any:
    """Keeps a pytree whole on every device of the mesh's ``batch`` axis, if the program has one.

    Args:
        state: pytree of arrays.

    Returns:
        The same arrays.
    """
    if _batch_devices() == 1:
        return state
    return jax.tree.map(lambda leaf: lax.with_sharding_constraint(leaf, PartitionSpec()), state)


def _batch_devices() -> int:
    shape = jax.sharding.get_abstract_mesh().shape
    return shape.get(BATCH_AXIS, 1)
