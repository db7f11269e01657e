"""A group whose train images lie on the devices: one program trains and measures."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from ncjax.sweep.program.compiled_group import CompiledGroup, compiled
from ncjax.sweep.program.group_program import advance_group
from ncjax.sweep.program.memory import halving_when_out_of_memory


class ResidentGroup(CompiledGroup):
    """Trains and measures a group on data that lies on the devices."""

    def _compile(self, state: Any) -> Sequence[tuple[Any, int]]:
        never = (np.int32(0), np.int32(0), np.bool_(False))
        spec, mesh, hyper, seeds = self._group
        self._program = compiled(advance_group, spec, mesh, hyper, seeds, state, self._inputs, *never)
        return [(self._program, 0)]

    def _call(self, state: Any, start: int, size: int, measuring: bool) -> Any:
        with halving_when_out_of_memory(self._num_runs):
            return jax.block_until_ready(
                self._program(
                    *self._group[2:], state, self._inputs, np.int32(start), np.int32(size), np.bool_(measuring)
                )
            )
