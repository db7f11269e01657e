"""Several processes that run one sweep together: all compute, the first alone reads and writes the workdir."""

import pickle
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

HEARTBEAT_SECONDS = 60
"""A process that is silent for so long counts as dead, unless another time is asked for."""

_Value = TypeVar("_Value")


def join(
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    heartbeat_seconds: int = HEARTBEAT_SECONDS,
) -> None:
    """Joins the processes of a sweep, before anything else is asked of JAX.

    Args:
      coordinator: address and port of the first process, or None to read all three from the cluster's environment
        (TPU VMs, SLURM, Open MPI, Kubernetes).
      num_processes: in all.
      process_id: of this one, from 0.
      heartbeat_seconds: after which a silent process counts as dead and JAX aborts the others. Those that speak to one
        that is dead notice at once.

    Raises:
      ValueError: if the environment does not say and neither do the arguments, or only some of them do.
    """
    given = [value is not None for value in (coordinator, num_processes, process_id)]
    if any(given) and not all(given):
        raise ValueError("--distributed: expected --coordinator, --num_processes and --process_id together, or none")
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            heartbeat_timeout_seconds=heartbeat_seconds,
            initialization_timeout=120,
        )
    except ValueError as error:
        raise ValueError(f"--distributed: {error}; expected a known cluster, or --coordinator and so on") from None


def is_writer() -> bool:
    """Whether this process reads and writes the workdir.

    Example:
      >>> is_writer()
      True
    """
    return jax.process_index() == 0


def shared(make: Callable[[], _Value]) -> _Value:
    """What the first process makes, on all of them; where it fails, all do.

    Args:
      make: called in the first process only; its value can be pickled.

    Returns:
      The value.

    Raises:
      ValueError: in all processes, if it was raised in the first. OSError likewise.

    Example:
      >>> shared(lambda: 3)
      3
    """
    if jax.process_count() == 1:
        return make()
    error: Exception | None = None
    content = b""
    if is_writer():
        try:
            content = pickle.dumps(("value", make()))
        except (ValueError, OSError) as raised:
            error = raised
            content = pickle.dumps(("error", type(raised), str(raised)))
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(content))))
    padded = np.frombuffer(content.ljust(length, b"\0"), np.uint8) if content else np.zeros(length, np.uint8)
    kind, *rest = pickle.loads(np.asarray(multihost_utils.broadcast_one_to_all(padded)).tobytes())
    if error is not None:
        raise error
    if kind == "error":
        raise rest[0](rest[1])
    value: _Value = rest[0]
    return value


def place(mesh: Mesh, spec: PartitionSpec, tree: Any) -> Any:
    """Puts arrays that every process has on the devices of a mesh.

    Args:
      mesh: of devices of all processes.
      spec: how the first axes are divided.
      tree: arrays of the host, equal in all processes.

    Returns:
      The same as global arrays.
    """
    sharding = NamedSharding(mesh, spec)
    if jax.process_count() == 1:
        return jax.device_put(tree, sharding)

    def put(leaf: Any) -> Any:
        whole = np.asarray(leaf)
        return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

    return jax.tree.map(put, tree)


def gather(tree: Any) -> Any:
    """Brings global arrays to the host.

    Args:
      tree: arrays on the devices of all processes.

    Returns:
      NumPy arrays, the same in every process.

    Example:
      >>> gather(jax.numpy.arange(2))
      array([0, 1], dtype=int32)
    """
    return jax.device_get(tree) if jax.process_count() == 1 else multihost_utils.process_allgather(tree, tiled=True)


def agree(*numbers: int) -> tuple[int, ...]:
    """The smallest value that any process gives, for each number; processes must come here together.

    Args:
      numbers: of this process.

    Returns:
      As many numbers, the same in all processes.

    Example:
      >>> agree(3, 1)
      (3, 1)
    """
    if jax.process_count() == 1:
        return numbers
    gathered = np.asarray(multihost_utils.process_allgather(np.array(numbers, np.int32)))
    return tuple(int(least) for least in gathered.reshape(-1, len(numbers)).min(axis=0))
