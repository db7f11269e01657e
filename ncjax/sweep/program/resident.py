"""A group whose train images lie on the devices: one program trains and measures."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from ncjax.sweep.program.compiled_group import CompiledGroup, compiled
from ncjax.sweep.program.group_program import ProgramSpec, advance_group
from ncjax.sweep.program.memory import halving_when_out_of_memory


class ResidentGroup(CompiledGroup):
    """Trains and measures a group on data that lies on the devices."""

    def _compile(self, state: Any) -> Sequence[tuple[Any, int]]:
        self._program = resident_program(*self._group, state, self._inputs)
        return [(self._program, 0)]

    def _call(self, state: Any, start: int, size: int, measuring: bool) -> Any:
        with halving_when_out_of_memory(self._num_runs):
            return jax.block_until_ready(
                self._program(
                    *self._group[2:], state, self._inputs, np.int32(start), np.int32(size), np.bool_(measuring)
                )
            )


def resident_program(spec: ProgramSpec, mesh: Mesh, hyper: Any, seeds: Any, state: Any, inputs: Any) -> Any:
    """Compiles what trains and measures a group.

    Args:
        spec: what to compile for.
        mesh: over which the runs are spread.
        hyper: on the mesh, with a leading runs axis, or what describes it.
        seeds: likewise.
        state: likewise.
        inputs: the data, on every device, or what describes it.

    Returns:
        The compiled program.
    """
    never = (np.int32(0), np.int32(0), np.bool_(False))
    return compiled(advance_group, spec, mesh, hyper, seeds, state, inputs, *never)
