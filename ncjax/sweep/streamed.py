"""A group whose train images stay on the host: batches and measuring chunks are streamed to the devices."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, UInt8

from ncjax.data import BatchBlocks, Split, stream
from ncjax.sweep.program import ProgramSpec, over_runs
from ncjax.training import Hyper, RunInputs, RunState, measure, outputs_of, sample_order, train_block

_MOST_STEPS = 1024


class StreamedProgram:
    """Trains and measures a group as ``advance_group`` does, on the same batches, with the train images on the host."""

    def __init__(
        self,
        spec: ProgramSpec,
        mesh: Mesh,
        hyper: Hyper,
        seeds: Int[Array, " runs"],
        inputs: RunInputs,
        train: Split,
        buffer_bytes: int,
        total_steps: int,
        threads: int,
    ) -> None:
        """Takes what the group's programs take, and from where and in what portions train images come.

        Args:
          spec: what to compile for.
          mesh: over which the runs are spread.
          hyper: with a leading runs axis.
          seeds: one a run.
          inputs: the data, on every device, without the train images.
          train: the train split on the host.
          buffer_bytes: of a block of batches of all runs; a few blocks are under way at once.
          total_steps: of a run.
          threads: that read at once.
        """
        self._programs = (spec, mesh, hyper, seeds)
        self._inputs, self._train, self._threads = inputs, train, threads
        batch_size = spec.train.batch_size
        step_bytes = len(seeds) * batch_size * train.images[0].size
        steps = max(1, min(buffer_bytes // step_bytes, _MOST_STEPS, total_steps))

        def order(seed: int, epoch: int) -> np.ndarray:
            return np.asarray(sample_order(jnp.int32(seed), jnp.int32(epoch), len(train)))

        self._blocks = BatchBlocks(train, order, tuple(np.asarray(seeds).tolist()), batch_size, steps)
        self._count = -(-total_steps // steps)
        self._under_way: Any = None
        self._number = -1

    def train(self, state: RunState, start: int, size: int) -> RunState:
        """The states after ``size`` more steps."""
        until = start + size
        while start < until:
            number, length = start // self._blocks.steps, self._blocks.steps
            part = min(until, (number + 1) * length) - start
            images, labels = self._block(number)
            state = _train_on_block(*self._programs, state, self._inputs, images, labels, _int32(start), _int32(part))
            start += part
        return state

    def measure(self, state: RunState, step: int) -> tuple[RunState, dict[str, Array]]:  # noqa: ARG002
        """The states and the measurements [runs] by name."""
        spec, mesh, _, seeds = self._programs
        images, chunk = self._train.images, min(spec.measure.chunk, len(self._train))
        shape = jax.ShapeDtypeStruct((chunk, *images.shape[1:]), images.dtype)
        one_run = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), state)
        widths = jax.eval_shape(functools.partial(outputs_of, spec.train), one_run, self._inputs, shape)
        filled = -(-len(images) // chunk) * chunk
        sharding = NamedSharding(mesh, PartitionSpec("runs"))
        outputs = {
            name: jnp.zeros((len(seeds), filled, width.shape[1]), width.dtype, device=sharding)
            for name, width in widths.items()
        }
        for start in range(0, filled, chunk):
            # The last chunk is filled up with blank images, whose outputs are dropped.
            portion = np.zeros(shape.shape, shape.dtype)
            read = images[start : start + chunk]
            portion[: len(read)] = read
            outputs = _add_outputs(spec, mesh, state, self._inputs, outputs, portion, _int32(start))
            # No further ahead than the chunk in work: images waiting on the device would fill it.
            jax.block_until_ready(outputs)
        return state, _measure_outputs(spec, mesh, state, self._inputs, outputs)

    def _block(self, number: int) -> tuple[Array, Array]:
        """The block of that number; the next ones are read and copied meanwhile."""
        if self._under_way is None:
            sharding = NamedSharding(self._programs[1], PartitionSpec("runs"))
            self._under_way = stream(self._blocks, sharding, number, self._count, self._threads)
            self._number = number - 1
        while self._number < number:
            self._current = next(self._under_way)
            self._number += 1
        return self._current


def _int32(value: int) -> np.ndarray:
    return np.asarray(value, np.int32)


@functools.partial(jax.jit, static_argnames=("spec", "mesh"), donate_argnames=("state",))
def _train_on_block(
    spec: ProgramSpec,
    mesh: Mesh,
    hyper: Hyper,
    seeds: Int[Array, " runs"],
    state: RunState,
    inputs: RunInputs,
    images: UInt8[Array, "runs steps batch h w c"],
    labels: Int[Array, "runs steps batch"],
    start: Int[Array | np.ndarray, ""],
    num_steps: Int[Array | np.ndarray, ""],
) -> RunState:
    def one_run(run: tuple[Any, ...], shared: tuple[Any, ...]) -> RunState:
        hyper, seed, state, images, labels = run
        inputs, start, num_steps = shared
        return train_block(spec.train, hyper, seed, state, inputs, images, labels, start, num_steps)

    return over_runs(spec, mesh, one_run, num_shared=1)(
        (hyper, seeds, state, images, labels), (inputs, start, num_steps)
    )


@functools.partial(jax.jit, static_argnames=("spec", "mesh"), donate_argnames=("outputs",))
def _add_outputs(
    spec: ProgramSpec,
    mesh: Mesh,
    state: RunState,
    inputs: RunInputs,
    outputs: dict[str, Array],
    images: UInt8[Array | np.ndarray, "n h w c"],
    start: Int[Array | np.ndarray, ""],
) -> dict[str, Array]:
    """Writes the outputs for a chunk of images into those of the whole split."""

    def one_run(run: tuple[Any, ...], shared: tuple[Any, ...]) -> dict[str, Array]:
        state, outputs = run
        inputs, images, start = shared
        new = outputs_of(spec.train, state, inputs, images)
        return {
            name: jax.lax.dynamic_update_slice_in_dim(whole, new[name], start, axis=0)
            for name, whole in outputs.items()
        }

    return over_runs(spec, mesh, one_run, num_shared=1)((state, outputs), (inputs, images, start))


@functools.partial(jax.jit, static_argnames=("spec", "mesh"))
def _measure_outputs(
    spec: ProgramSpec, mesh: Mesh, state: RunState, inputs: RunInputs, outputs: dict[str, Array]
) -> dict[str, Array]:
    def one_run(run: tuple[Any, ...], shared: tuple[Any, ...]) -> dict[str, Array]:
        state, outputs = run
        (inputs,) = shared
        num_images = inputs.train_labels.shape[0]
        return measure(spec.train, spec.measure, state, inputs, {name: o[:num_images] for name, o in outputs.items()})

    return over_runs(spec, mesh, one_run, num_shared=1)((state, outputs), (inputs,))
