"""Calls a group's compiled program, in slices short enough for the host to look up between them."""

import functools
import time
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from ncjax import models
from ncjax.sweep import hosts
from ncjax.sweep.memory import TooLarge, available_bytes, halving_when_out_of_memory, needed_bytes, runs_that_fit
from ncjax.sweep.program import ProgramSpec, advance_group
from ncjax.training import RunInputs

# Seconds of training between two looks at the clock, the progress bar and requests to stop.
_SLICE_SECONDS = 1.0


class Execution:
    """A group's program, compiled for its mesh, and how long its slices may be.

    Attributes:
      slice_steps: steps of the next slice.
      is_warm: whether it has run before, so that a profile shows nothing of its beginning.
    """

    def __init__(
        self, spec: ProgramSpec, mesh: Mesh, hyper: Any, seeds: Any, state: Any, inputs: RunInputs, num_runs: int
    ) -> None:
        """Compiles, unless an equal group was compiled before.

        Args:
          spec: what to compile for.
          mesh: over which the runs are spread.
          hyper: on the mesh, with a leading runs axis.
          seeds: likewise.
          state: likewise.
          inputs: the data, on every device.
          num_runs: of the group, those that fill it up left out.

        Raises:
          TooLarge: if the program would not fit into memory.
        """
        self._num_runs = num_runs
        self._shared = (hyper, seeds)
        self._inputs = inputs
        self.slice_steps = 1
        self.is_warm = False
        with halving_when_out_of_memory(num_runs):
            self._program = compile_group(spec, mesh, hyper, seeds, state, inputs)
        data_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(inputs))
        each = -(-seeds.shape[0] // mesh.shape["runs"])
        needed, available = needed_bytes(self._program), available_bytes(mesh.local_mesh.devices.flat[0])
        fit = hosts.agree(runs_that_fit(needed, data_bytes, each, available))[0] * mesh.shape["runs"]
        if fit < num_runs:
            raise TooLarge(
                fit,
                f"{num_runs} runs in a program would need {needed / 2**30:.1f} GiB a device of "
                f"{(available or 0) / 2**30:.1f}",
            )

    def train(self, state: Any, start: int, size: int) -> Any:
        """Takes ``size`` steps and adapts the next slice to how long they took."""
        began = time.perf_counter()
        state, _ = self._call(state, start, size, measuring=False)
        self.is_warm = True
        per_step = (time.perf_counter() - began) / size
        # At most doubling: the first call of all may have been slow.
        self.slice_steps = max(1, min(2 * size, round(_SLICE_SECONDS / per_step)))
        return state

    def measure(self, state: Any, step: int) -> tuple[Any, dict[str, Any]]:
        """Measures every run."""
        state, measured = self._call(state, step, 0, measuring=True)
        return state, {**measured, "diverged": state.diverged}

    def _call(self, state: Any, start: int, size: int, measuring: bool) -> Any:
        with halving_when_out_of_memory(self._num_runs):
            return jax.block_until_ready(
                self._program(*self._shared, state, self._inputs, np.int32(start), np.int32(size), np.bool_(measuring))
            )


def compile_group(spec: ProgramSpec, mesh: Mesh, hyper: Any, seeds: Any, state: Any, inputs: RunInputs) -> Any:
    """Compiles ``advance_group`` for arrays of these shapes, once for all groups that are alike.

    Args:
      spec: what to compile for.
      mesh: over which the runs are spread.
      hyper: on the mesh, with a leading runs axis.
      seeds: likewise.
      state: likewise.
      inputs: the data, on every device.

    Returns:
      The compiled program: it is called without ``spec`` and ``mesh``, and says how much memory it needs.
    """
    described = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), (hyper, seeds, state, inputs)
    )
    leaves, structure = jax.tree.flatten(described)
    return _compiled(spec, mesh, structure, tuple(leaves))


@functools.lru_cache(maxsize=8)
def _compiled(spec: ProgramSpec, mesh: Mesh, structure: Any, leaves: tuple[Any, ...]) -> Any:
    hyper, seeds, state, inputs = jax.tree.unflatten(structure, leaves)
    arguments = (hyper, seeds, state, inputs, np.int32(0), np.int32(0), np.bool_(False))
    return advance_group.lower(spec, mesh, *arguments).compile()


def step_flops(spec: ProgramSpec) -> float:
    """Floating-point operations of one training step of one run, as model FLOPs are counted: thrice the forward pass.

    Args:
      spec: of the run.

    Returns:
      The number; 0 if it cannot be told. Penalties and measuring come on top and are not counted.

    Example:
      >>> from ncjax.training import MeasureSpec, TrainSpec
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
