"""The mesh of devices over which a group's runs are spread, and what is put on it."""

from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import Array, Int

from ncjax.metrics.platform import platform as traced_platform
from ncjax.sweep.program.hosts import place
from ncjax.training import Hyper, RunInputs

Sharing = Literal["map", "vmap"]


def resolve_sharing(runs_axis: str, platform: str | None = None) -> Sharing:
    """Turns ``auto`` into the way of sharing a device that suits the platform.

    A CPU's cores are kept busy by one run, and the cache by one run's arrays; an accelerator needs several small runs
    side by side.

    Args:
        runs_axis: ``auto``, ``map`` or ``vmap``.
        platform: ``cpu``, ``gpu`` or ``tpu``; that for which programs are traced if None.

    Returns:
        ``map`` or ``vmap``.

    Examples:
        >>> resolve_sharing("auto", "cpu"), resolve_sharing("auto", "tpu")
        ('map', 'vmap')
    """
    if runs_axis == "auto":
        return "map" if (platform or traced_platform()) == "cpu" else "vmap"
    return "vmap" if runs_axis == "vmap" else "map"


# Samples of a batch below which a device more is not worth the communication that it costs each step.
_WORTH_SAMPLES = 32


def make_mesh(
    num_runs: int, max_devices: int = 0, batch_devices: int = 1, devices: Sequence[Any] | None = None
) -> Mesh:
    """The mesh over which a group's runs are spread.

    Args:
        num_runs: runs in the group; no more devices than runs are used along the first axis, but on TPUs all: their
            compilers refuse programs for a part of a large slice, and the rest compute copies of the last run.
        max_devices: at most so many devices along the first axis; 0 for all there are.
        batch_devices: devices along the second axis: among them each run divides its batches.
        devices: to use; None for all of JAX's.

    Returns:
        A mesh with the axes ``runs`` and ``batch``.

    Raises:
        ValueError: if more devices are asked for than there are.

    Examples:
        >>> dict(make_mesh(num_runs=1).shape)
        {'runs': 1, 'batch': 1}
    """
    devices = jax.devices() if devices is None else devices
    if max_devices > len(devices):
        raise ValueError(f"config.mesh.runs: got {max_devices}, expected at most {len(devices)}, the devices there are")
    if batch_devices * (max_devices or 1) > len(devices):
        raise ValueError(
            f"config.mesh.batch: got {batch_devices}{f' (times mesh.runs={max_devices})' if max_devices else ''}, "
            f"expected at most {len(devices)}, the devices there are"
        )
    most = max_devices or len(devices) // batch_devices
    used = most if devices[0].platform == "tpu" and not max_devices else min(num_runs, most)
    at_work = {device.process_index for device in devices[: used * batch_devices]}
    if len(at_work) < jax.process_count():
        raise ValueError(
            f"config.mesh: {num_runs} runs on {used * batch_devices} of {len(devices)} devices leave "
            f"{jax.process_count() - len(at_work)} of {jax.process_count()} hosts idle; expected more runs in a group, "
            f"a larger mesh.batch or fewer hosts"
        )
    shape, names, kinds = (used, batch_devices), ("runs", "batch"), (AxisType.Auto, AxisType.Auto)
    if used * batch_devices < len(devices):
        # JAX orders whole slices by their links, and refuses those parts of a TPU slice that are no rectangle.
        return Mesh(np.array(devices[: used * batch_devices]).reshape(shape), names, axis_types=kinds)
    return jax.make_mesh(shape, names, axis_types=kinds, devices=devices)


def resolve_batch_devices(
    batch_devices: int,
    num_runs: int,
    batch_size: int,
    max_devices: int = 0,
    num_devices: int = 0,
    platform: str | None = None,
) -> int:
    """Among how many devices each run divides its batches.

    Args:
        batch_devices: as asked for, or 0 to use the devices that runs leave free, as long as each has work to do. On
            one machine's CPU that is none: its devices are parts of one pool of cores, which one run keeps busy.
        num_runs: runs in the group.
        batch_size: samples a step.
        max_devices: at most so many devices along the axis of runs; 0 for all there are.
        num_devices: devices there are; 0 for all of JAX's.
        platform: ``cpu``, ``gpu`` or ``tpu``; that for which programs are traced if None.

    Returns:
        A divisor of the batch size.

    Raises:
        ValueError: if what is asked for does not divide the batch size.

    Examples:
        >>> resolve_batch_devices(2, num_runs=1, batch_size=32)
        2
    """
    if batch_devices:
        if batch_size % batch_devices:
            raise ValueError(
                f"config.mesh.batch: got {batch_devices}, expected a divisor of the batch size {batch_size}"
            )
        return batch_devices
    if (platform or traced_platform()) == "cpu" and jax.process_count() == 1:
        return 1
    # More devices than there are, which make_mesh refuses, leave none free.
    there = num_devices or len(jax.devices())
    free = there // min(num_runs, max_devices or there)
    most = min(max(free, 1), max(1, batch_size // _WORTH_SAMPLES))
    return max(devices for devices in range(1, most + 1) if batch_size % devices == 0)


def stack_runs(mesh: Mesh, hypers: list[Hyper], seeds: list[int], size: int = 0) -> tuple[Hyper, Int[Array, " runs"]]:
    """Puts a group's hyper-parameters and seeds on the mesh's devices.

    The last run is repeated until the runs divide evenly among the devices; drop what comes back for the copies.

    Args:
        mesh: of ``make_mesh``.
        hypers: of each run.
        seeds: of each run.
        size: runs to fill up to at least.

    Returns:
        Both with a leading runs axis.

    Examples:
        >>> hyper, seeds = stack_runs(make_mesh(2, 1), [Hyper(learning_rate=0.1), Hyper(learning_rate=0.5)], [0, 0])
        >>> hyper.learning_rate.tolist(), seeds.tolist()
        ([0.10000000149011612, 0.5], [0, 0])
    """
    stacked = jax.tree.map(lambda *values: np.array(values, np.float32), *hypers)
    return spread_runs(mesh, (stacked, np.array(seeds, np.int32)), size)


def spread_runs(mesh: Mesh, runs: Any, size: int = 0) -> Any:
    """Puts a pytree with a leading runs axis on the mesh's devices, the last run repeated until it divides evenly.

    Args:
        mesh: of ``make_mesh``.
        runs: arrays [runs, ...].
        size: runs to fill up to at least.

    Returns:
        The same, with as many runs as fill the mesh.

    Examples:
        >>> spread_runs(make_mesh(2, 1), np.arange(2)).tolist()
        [0, 1]
    """

    def fill(leaf: Any) -> np.ndarray:
        wanted = max(size, leaf.shape[0])
        missing = wanted - leaf.shape[0] + -wanted % mesh.shape["runs"]
        return np.concatenate([leaf, np.repeat(leaf[-1:], missing, axis=0)]) if missing else np.asarray(leaf)

    return place(mesh, PartitionSpec("runs"), jax.tree.map(fill, runs))


def replicate(mesh: Mesh, inputs: RunInputs) -> RunInputs:
    """Puts the data on every device of a mesh, once.

    Args:
        mesh: of ``make_mesh``.
        inputs: on any device.

    Returns:
        The same arrays.
    """
    return place(mesh, PartitionSpec(), inputs)
