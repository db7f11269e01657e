"""Several processes that run one sweep together: all compute, the first alone reads and writes the workdir."""

import builtins
import json
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from orbax.checkpoint import multihost

from ncjax.sweep.program import faults

HEARTBEAT_SECONDS = 60
"""A process that is silent for so long counts as dead, unless another time is asked for."""

# Bytes of one broadcast: what a device holds of it, however large the arrays are.
_PIECE_BYTES = 2**26
_SMALLEST_PIECE = 2**12


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
        heartbeat_seconds: after which a silent process counts as dead and JAX aborts the others. Those that speak to
            one that is dead notice at once.

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
    faults.listen()


def is_writer() -> bool:
    """Whether this process reads and writes the workdir.

    Examples:
        >>> is_writer()
        True
    """
    return jax.process_index() == 0


def shared(make: Callable[[], Any]) -> Any:
    """What the first process makes, on all of them; where it fails, all do.

    Args:
        make: called in the first process only; its value is what JSON can hold.

    Returns:
        The value as it comes back from JSON: lists for tuples, text for keys.

    Raises:
        Exception: in all processes, if ``make`` raised one; of its kind, if that is one of Python's own.

    Examples:
        >>> shared(lambda: {"runs": (0, 1)})
        {'runs': [0, 1]}
    """
    return shared_arrays(lambda: (make(), ()))[0]


def shared_arrays(make: Callable[[], tuple[Any, Sequence[np.ndarray]]]) -> tuple[Any, list[np.ndarray]]:
    """Facts and arrays that the first process has, on all of them, to the bit; where it fails, all do.

    Args:
        make: called in the first process only; returns what JSON can hold, and arrays of any size.

    Returns:
        Both; the facts as they come back from JSON.

    Raises:
        Exception: as ``shared`` does.

    Examples:
        >>> shared_arrays(lambda: ("weights", [np.ones(2)]))
        ('weights', [array([1., 1.])])
    """
    error: Exception | None = None
    arrays: list[np.ndarray] = []
    said = b""
    if is_writer():
        try:
            facts, made = make()
            arrays = [np.asarray(array) for array in made]
            shapes = [[array.dtype.name, array.shape] for array in arrays]
            said = json.dumps({"facts": facts, "arrays": shapes}).encode()
        except Exception as raised:
            if jax.process_count() == 1:
                raise
            error = raised
            said = json.dumps({"error": [type(raised).__name__, str(raised)]}).encode()
    if jax.process_count() == 1:
        return json.loads(said)["facts"], arrays
    length = _broadcast(np.frombuffer(len(said).to_bytes(8, "big"), np.uint8), 8).tobytes()
    told = json.loads(_broadcast(np.frombuffer(said, np.uint8), int.from_bytes(length, "big")).tobytes())
    if error is not None:
        raise error
    if "error" in told:
        raise _raised_there(*told["error"])
    if not is_writer():
        arrays = [np.empty(shape, np.dtype(name)) for name, shape in told["arrays"]]
    return told["facts"], [_shared_array(array) for array in arrays]


def _raised_there(name: str, text: str) -> Exception:
    """An exception of the first process, in another one."""
    kind = getattr(builtins, name, None)
    # A library's own exception, and one that takes more than words (UnicodeError), cannot be made again.
    if isinstance(kind, type) and issubclass(kind, OSError | ValueError) and not issubclass(kind, UnicodeError):
        return kind(text)
    return RuntimeError(f"the first process: {name}: {text}")


def _shared_array(array: np.ndarray) -> np.ndarray:
    """An array of the first process; in another one, an array of its shape and type to begin with."""
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    received = _broadcast(flat, flat.size).view(array.dtype).reshape(array.shape)
    return array if is_writer() else received


def _broadcast(content: np.ndarray, length: int) -> np.ndarray:
    """Bytes of the first process, in pieces of few sizes, since each size is a program to compile."""
    whole = np.empty(length, np.uint8)
    for start in range(0, length, _PIECE_BYTES):
        size = min(_PIECE_BYTES, length - start)
        piece = np.zeros(min(_PIECE_BYTES, max(_SMALLEST_PIECE, 1 << (size - 1).bit_length())), np.uint8)
        if is_writer():
            piece[:size] = content[start : start + size]
        whole[start : start + size] = np.asarray(multihost_utils.broadcast_one_to_all(piece))[:size]
    return whole


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

    Examples:
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

    Examples:
        >>> agree(3, 1)
        (3, 1)
    """
    if jax.process_count() == 1:
        return numbers
    gathered = np.asarray(multihost_utils.process_allgather(np.array(numbers, np.int32)))
    return tuple(int(least) for least in gathered.reshape(-1, len(numbers)).min(axis=0))


def meet(name: str, seconds: float = 30.0) -> bool:
    """Waits for the other processes, but not for ever.

    Args:
        name: of the occasion, another one each time.
        seconds: to wait.

    Returns:
        Whether all came.

    Examples:
        >>> meet("after the first group")
        True
    """
    if jax.process_count() == 1:
        return True
    try:
        multihost.get_jax_distributed_client().wait_at_barrier(f"ncjax/{name}", int(1000 * seconds))
    except jax.errors.JaxRuntimeError:
        return False
    return True
