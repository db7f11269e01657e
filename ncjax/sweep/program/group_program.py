"""A group of runs as one compiled program: all advance together along a leading axis, spread over devices."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Int

from ncjax import models
from ncjax.measurement import MeasureSpec, measure
from ncjax.sweep.program.mesh import Sharing
from ncjax.training import Hyper, RunInputs, RunState, TrainSpec, init_run, on_every_device, train_steps


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


def step_flops(spec: ProgramSpec) -> float:
    """Floating-point operations of one training step of one run, as model FLOPs are counted: thrice the forward pass.

    Args:
        spec: of the run.

    Returns:
        The number; 0 if it cannot be told. Penalties and measuring come on top and are not counted.

    Examples:
        >>> train = TrainSpec(models.ModelSpec("mlp", widths=(100,)), num_classes=10, batch_size=2)
        >>> step_flops(ProgramSpec(train, MeasureSpec(), (8, 8, 1))) > 3 * 2 * 2 * 100 * (64 + 10)
        True
    """
    train = spec.train
    model = models.build(train.model, train.num_classes)
    variables = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), spec.image_shape))
    images = jax.ShapeDtypeStruct((train.batch_size, *spec.image_shape), np.float32)
    costs = (
        jax.jit(lambda variables, images: model.apply(variables, images)[0]).lower(variables, images).cost_analysis()
    )
    return 3.0 * float((costs or {}).get("flops", 0.0))
