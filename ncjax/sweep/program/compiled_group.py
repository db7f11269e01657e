"""A group's compiled programs, called in slices short enough for the host to look up between them."""

import abc
import functools
import time
from collections.abc import Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from ncjax.sweep.program.group_program import ProgramSpec
from ncjax.sweep.program.memory import ensure_fits, halving_when_out_of_memory
from ncjax.training import RunInputs

# Seconds of training between two looks at the clock, the progress bar and requests to stop.
_SLICE_SECONDS = 1.0


class CompiledGroup(abc.ABC):
    """The compiled programs of a group, and how long the slices may be in which they train.

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
        self._group = (spec, mesh, hyper, seeds)
        self._inputs = inputs
        self.slice_steps = 1
        self.is_warm = False
        with halving_when_out_of_memory(num_runs):
            programs = self._compile(state)
        data_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(inputs))
        ensure_fits(programs, data_bytes, -(-seeds.shape[0] // mesh.shape["runs"]), num_runs, mesh)

    @abc.abstractmethod
    def _compile(self, state: Any) -> Sequence[tuple[Any, int]]:
        """Compiles what the group runs: each program, and what a device holds beside its arguments."""

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

    @abc.abstractmethod
    def _call(self, state: Any, start: int, size: int, measuring: bool) -> Any:
        """Takes ``size`` steps or, if asked to, measures; returns the new state and what was measured."""


def compiled(function: Any, spec: ProgramSpec, mesh: Mesh, *arguments: Any) -> Any:
    """Compiles a function of a group for arrays of these shapes, once for all groups that are alike.

    Args:
        function: jitted, with ``spec`` and ``mesh`` static.
        spec: what to compile for.
        mesh: over which the runs are spread.
        *arguments: arrays, or what describes them.

    Returns:
        The compiled program: it is called without ``spec`` and ``mesh``, and says how much memory it needs.
    """
    leaves, structure = jax.tree.flatten(arguments)
    shapes = (jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=getattr(x, "sharding", None)) for x in leaves)
    return _compiled(function, spec, mesh, structure, tuple(shapes))


# As many as groups of a few kinds have programs.
@functools.lru_cache(maxsize=24)
def _compiled(function: Any, spec: ProgramSpec, mesh: Mesh, structure: Any, leaves: tuple[Any, ...]) -> Any:
    return function.lower(spec, mesh, *jax.tree.unflatten(structure, leaves)).compile()
