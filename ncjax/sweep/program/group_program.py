"""A group of runs as one compiled program: all advance together along a leading axis, spread over devices."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, PartitionSpec
from jaxtyping import Array, Bool, Int

from ncjax.measurement import MeasureSpec, measure
from ncjax.sweep.program.hosts import place
from ncjax.training import Hyper, RunInputs, RunState, TrainSpec, init_run, on_every_device, train_steps

Sharing = Literal["map", "vmap"]


@dataclass(frozen=True)
class ProgramSpec:
    """All that a program is compiled for, other than array shapes; frozen and hashable.

    Attributes:
      train: static choices of training.
      measure: static choices of measuring.
      image_shape: of one image, [height, width, channels].
      sharing: how runs share a device: ``map``, one after another inside the program, or ``vmap``, side by side.
    """

    train: TrainSpec
    measure: MeasureSpec
    image_shape: tuple[int, int, int]
    sharing: Sharing = "map"


def resolve_sharing(runs_axis: str, platform: str | None = None) -> Sharing:
    """Turns ``auto`` into the way of sharing a device that suits the platform.

    A CPU's cores are kept busy by one run, and the cache by one run's arrays; an accelerator needs several small runs
    side by side.

    Args:
      runs_axis: ``auto``, ``map`` or ``vmap``.
      platform: ``cpu``, ``gpu`` or ``tpu``; JAX's default backend if None.

    Returns:
      ``map`` or ``vmap``.

    Example:
      >>> resolve_sharing("auto", "cpu"), resolve_sharing("auto", "tpu")
      ('map', 'vmap')
    """
    if runs_axis == "auto":
        return "map" if (platform or jax.default_backend()) == "cpu" else "vmap"
    return "vmap" if runs_axis == "vmap" else "map"


# Samples of a batch below which a device more is not worth the communication that it costs each step.
_WORTH_SAMPLES = 32


def make_mesh(num_runs: int, max_devices: int = 0, batch_devices: int = 1) -> Mesh:
    """The mesh over which a group's runs are spread.

    Args:
      num_runs: runs in the group; no more devices than runs are used along the first axis.
      max_devices: at most so many devices along the first axis; 0 for all there are.
      batch_devices: devices along the second axis: among them each run divides its batches.

    Returns:
      A mesh with the axes ``runs`` and ``batch``.

    Raises:
      ValueError: if more devices are asked for than there are.

    Example:
      >>> dict(make_mesh(num_runs=1).shape)
      {'runs': 1, 'batch': 1}
    """
    devices = jax.devices()
    if max_devices > len(devices):
        raise ValueError(f"config.mesh.runs: got {max_devices}, expected at most {len(devices)}, the devices there are")
    if batch_devices * (max_devices or 1) > len(devices):
        raise ValueError(
            f"config.mesh.batch: got {batch_devices}{f' (times mesh.runs={max_devices})' if max_devices else ''}, "
            f"expected at most {len(devices)}, the devices there are"
        )
    used = min(num_runs, max_devices or len(devices) // batch_devices)
    at_work = {device.process_index for device in devices[: used * batch_devices]}
    if len(at_work) < jax.process_count():
        raise ValueError(
            f"config.mesh: {num_runs} runs on {used * batch_devices} of {len(devices)} devices leave "
            f"{jax.process_count() - len(at_work)} of {jax.process_count()} hosts idle; expected more runs in a group, "
            f"a larger mesh.batch or fewer hosts"
        )
    return jax.make_mesh(
        (used, batch_devices),
        ("runs", "batch"),
        axis_types=(AxisType.Auto, AxisType.Auto),
        devices=devices[: used * batch_devices],
    )


def resolve_batch_devices(batch_devices: int, num_runs: int, batch_size: int, max_devices: int = 0) -> int:
    """Among how many devices each run divides its batches.

    Args:
      batch_devices: as asked for, or 0 to use the devices that runs leave free, as long as each has work to do.
      num_runs: runs in the group.
      batch_size: samples a step.
      max_devices: at most so many devices along the axis of runs; 0 for all there are.

    Returns:
      A divisor of the batch size.

    Raises:
      ValueError: if what is asked for does not divide the batch size.

    Example:
      >>> resolve_batch_devices(2, num_runs=1, batch_size=32)
      2
    """
    if batch_devices:
        if batch_size % batch_devices:
            raise ValueError(
                f"config.mesh.batch: got {batch_devices}, expected a divisor of the batch size {batch_size}"
            )
        return batch_devices
    # More devices than there are, which make_mesh refuses, leave none free.
    free = len(jax.devices()) // min(num_runs, max_devices or len(jax.devices()))
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

    Example:
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

    Example:
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


@functools.partial(jax.jit, static_argnames=("spec", "mesh"))
def init_group(spec: ProgramSpec, mesh: Mesh, hyper: Hyper, seeds: Int[Array, " runs"]) -> RunState:
    """The states of a group's runs before the first step.

    Args:
      spec: what to compile for.
      mesh: over which the runs are spread.
      hyper: with a leading runs axis.
      seeds: one a run.

    Returns:
      States with a leading runs axis.
    """

    def one_run(run: tuple[Hyper, Any]) -> RunState:
        return init_run(spec.train, run[0], run[1], spec.image_shape)

    return over_runs(spec, mesh, one_run, num_shared=0)((hyper, seeds))


# Compiled by itself only in name: JAX then traces it once for its shapes and for the program.
_measure = jax.jit(measure, static_argnums=(0, 1))


@functools.partial(jax.jit, static_argnames=("spec", "mesh"), donate_argnames=("state",))
def advance_group(
    spec: ProgramSpec,
    mesh: Mesh,
    hyper: Hyper,
    seeds: Int[Array, " runs"],
    state: RunState,
    inputs: RunInputs,
    start: Int[Array | np.ndarray, ""],
    num_steps: Int[Array | np.ndarray, ""],
    measuring: Bool[Array | np.ndarray | np.generic, ""],
) -> tuple[RunState, dict[str, Array]]:
    """Trains every run of a group for some steps and then, if asked to, measures it.

    How many steps, from where, and whether to measure are traced: one compiled program serves a whole sweep.

    Args:
      spec: what to compile for.
      mesh: over which the runs are spread.
      hyper: with a leading runs axis.
      seeds: one a run.
      state: of every run; its memory is reused for the result.
      inputs: the data, on every device.
      start: steps already taken.
      num_steps: steps to take, possibly 0.
      measuring: whether to measure.

    Returns:
      The new states, and the measurements [runs] by name: zeros where ``measuring`` is False.
    """

    def one_run(run: tuple[Any, ...], shared: tuple[Any, ...]) -> tuple[RunState, dict[str, Array]]:
        hyper, seed, state = run
        inputs, start, num_steps, measuring = shared
        state = on_every_device(train_steps(spec.train, hyper, seed, state, inputs, start, num_steps))

        measured = functools.partial(_measure, spec.train, spec.measure)
        blank = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(measured, state, inputs))
        return state, lax.cond(measuring, measured, lambda *_: blank, state, inputs)

    shared = (inputs, start, num_steps, measuring)
    return over_runs(spec, mesh, one_run, num_shared=1)((hyper, seeds, state), shared)


def over_runs(spec: ProgramSpec, mesh: Mesh, one_run: Callable[..., Any], num_shared: int) -> Callable[..., Any]:
    """Makes a function of one run into one of many: spread over devices, and on each device mapped or vmapped.

    Args:
      spec: says how runs share a device.
      mesh: over which the runs are spread.
      one_run: from a tuple of what belongs to one run, and what all runs share, to a pytree.
      num_shared: how many arguments all runs share.

    Returns:
      The same function of arrays with a leading runs axis.
    """

    def on_one_device(runs: Any, *shared: Any) -> Any:
        each = functools.partial(_apply, one_run, shared)
        return lax.map(each, runs) if spec.sharing == "map" else jax.vmap(each)(runs)

    runs, everywhere = PartitionSpec("runs"), PartitionSpec()
    in_specs = (runs, *[everywhere] * num_shared)
    # Along "runs" each device has its own. Along "batch" the devices compute one run together, and what they tell each
    # other is the compiler's business: it is the program of one device, divided.
    manual = {"runs"} if mesh.shape["batch"] > 1 else {"runs", "batch"}
    # Runs never talk to each other, so there is nothing for the check of varying axes to find.
    return jax.shard_map(
        on_one_device, mesh=mesh, in_specs=in_specs, out_specs=runs, axis_names=manual, check_vma=False
    )


def _apply(one_run: Callable[..., Any], shared: tuple[Any, ...], run: Any) -> Any:
    return one_run(run, *shared)
