"""A group whose train images stay on the host: batches and measuring chunks are streamed to the devices."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int, UInt8

from ncjax.data import BatchBlocks, Split, stream
from ncjax.data.streaming import BLOCKS_AHEAD
from ncjax.measurement import measure, outputs_of
from ncjax.sweep.plan.sweep_plan import StreamSpec
from ncjax.sweep.program import hosts
from ncjax.sweep.program.compiled_group import CompiledGroup, compiled
from ncjax.sweep.program.group_program import ProgramSpec, over_runs
from ncjax.sweep.program.memory import halving_when_out_of_memory
from ncjax.training import Hyper, RunInputs, RunState, on_every_device, sample_order, train_block

_MOST_STEPS = 1024


class StreamedGroup(CompiledGroup):
    """Trains and measures a group on the same batches as `ResidentGroup`, with the train images on the host."""

    def __init__(
        self,
        spec: ProgramSpec,
        mesh: Mesh,
        hyper: Any,
        seeds: Any,
        state: Any,
        inputs: RunInputs,
        num_runs: int,
        train: Split,
        options: StreamSpec,
        total_steps: int,
    ) -> None:
        """Takes what `CompiledGroup` takes, the data without its train images, and where these come from.

        Args:
            spec: what to compile for.
            mesh: over which the runs are spread.
            hyper: on the mesh, with a leading runs axis.
            seeds: likewise.
            state: likewise.
            inputs: the data, on every device, without the train images.
            num_runs: of the group, those that fill it up left out.
            train: the train split on the host.
            options: in what portions it is read.
            total_steps: of a run.

        Raises:
            TooLarge: if the programs would not fit into memory.
        """
        self._split, self._threads = train, options.threads
        batch_size, all_seeds = spec.train.batch_size, np.asarray(hosts.gather(seeds))
        steps = block_steps(len(all_seeds), batch_size, train, options, total_steps)

        def order(seed: int, epoch: int) -> np.ndarray:
            return np.asarray(sample_order(jnp.int32(seed), jnp.int32(epoch), len(train)))

        self._blocks = BatchBlocks(train, order, tuple(all_seeds.tolist()), batch_size, steps)
        self._count = -(-total_steps // steps)
        self._under_way: Any = None
        self._number = -1
        self._outputs = _outputs(spec, mesh, state, inputs, train)
        super().__init__(spec, mesh, hyper, seeds, state, inputs, num_runs)

    def _compile(self, state: Any) -> Sequence[tuple[Any, int]]:
        programs = stream_programs(*self._group, state, self._inputs, self._split, self._blocks.shape)
        (self._train, _), (self._add, _), (self._measure, _) = programs
        return programs

    def _call(self, state: Any, start: int, size: int, measuring: bool) -> Any:
        with halving_when_out_of_memory(self._num_runs):
            if measuring:
                return jax.block_until_ready((state, self._measured(state)))
            return jax.block_until_ready(self._trained(state, start, size)), {}

    def _trained(self, state: RunState, start: int, size: int) -> RunState:
        until = start + size
        while start < until:
            number, length = start // self._blocks.steps, self._blocks.steps
            part = min(until, (number + 1) * length) - start
            images, labels = self._block(number)
            state = self._train(*self._group[2:], state, self._inputs, images, labels, _int32(start), _int32(part))
            start += part
        return state

    def _measured(self, state: RunState) -> dict[str, Array]:
        images, shape = self._split.images, _chunk_shape(self._group[0], self._split)
        outputs = {
            name: jnp.zeros(described.shape, described.dtype, device=described.sharding)
            for name, described in self._outputs.items()
        }
        chunk = shape[0]
        for start in range(0, len(images), chunk):
            # The last chunk is filled up with blank images, whose outputs are dropped.
            portion = np.zeros(shape, images.dtype)
            read = images[start : start + chunk]
            portion[: len(read)] = read
            outputs = self._add(state, self._inputs, outputs, portion, _int32(start))
            # No further ahead than the chunk in work: images waiting on the device would fill it.
            jax.block_until_ready(outputs)
        measured: dict[str, Array] = self._measure(state, self._inputs, outputs)
        return measured

    def _block(self, number: int) -> tuple[Array, Array]:
        """The block of that number; the next ones are read and copied meanwhile."""
        if self._under_way is None:
            sharding = NamedSharding(self._group[1], PartitionSpec("runs"))
            self._under_way = stream(self._blocks, sharding, number, self._count, self._threads)
            self._number = number - 1
        while self._number < number:
            self._current = next(self._under_way)
            self._number += 1
        return self._current


def block_steps(runs: int, batch_size: int, train: Split, options: StreamSpec, total_steps: int) -> int:
    """Steps whose batches are copied to the devices together.

    Args:
        runs: of the program.
        batch_size: samples a step.
        train: the train split.
        options: in what portions it is read.
        total_steps: of a run.

    Returns:
        At least 1.
    """
    step_bytes = runs * batch_size * train.images[0].size
    return max(1, min(options.buffer_mib * 2**20 // step_bytes, _MOST_STEPS, total_steps))


def stream_programs(
    spec: ProgramSpec,
    mesh: Mesh,
    hyper: Any,
    seeds: Any,
    state: Any,
    inputs: Any,
    train: Split,
    shape: tuple[int, ...],
) -> list[tuple[Any, int]]:
    """Compiles what trains on a block of batches, passes a chunk through the networks, and measures.

    Args:
        spec: what to compile for.
        mesh: over which the runs are spread.
        hyper: on the mesh, with a leading runs axis, or what describes it.
        seeds: likewise.
        state: likewise.
        inputs: the data without train images, on every device, or what describes it.
        train: the train split on the host.
        shape: of a block's images, [runs, steps, batch, height, width, channels].

    Returns:
        The three programs, each with the bytes that a device holds beside its arguments.
    """
    sharding = NamedSharding(mesh, PartitionSpec("runs"))
    block = (
        jax.ShapeDtypeStruct(shape, train.images.dtype, sharding=sharding),
        jax.ShapeDtypeStruct(shape[:3], train.labels.dtype, sharding=sharding),
    )
    chunk, zero = np.zeros(_chunk_shape(spec, train), train.images.dtype), _int32(0)
    outputs = _outputs(spec, mesh, state, inputs, train)
    waiting = (BLOCKS_AHEAD + 1) * sum(part.size * part.dtype.itemsize for part in block) // mesh.shape["runs"]
    in_use = waiting // (BLOCKS_AHEAD + 1)
    # Measuring has chunks ahead of it too: one is copied while another is in work.
    return [
        (compiled(_train_on_block, spec, mesh, hyper, seeds, state, inputs, *block, zero, zero), waiting),
        (compiled(_add_outputs, spec, mesh, state, inputs, outputs, chunk, zero), waiting + in_use + chunk.nbytes),
        (compiled(_measure_outputs, spec, mesh, state, inputs, outputs), waiting + in_use),
    ]


def _chunk_shape(spec: ProgramSpec, split: Split) -> tuple[int, ...]:
    """Of the images that are measured at once."""
    return (min(spec.measure.chunk, len(split)), *split.images.shape[1:])


def _outputs(
    spec: ProgramSpec, mesh: Mesh, state: RunState, inputs: RunInputs, split: Split
) -> dict[str, jax.ShapeDtypeStruct]:
    """Describes the outputs for a whole split, its last chunk filled up, of all runs."""
    shape = _chunk_shape(spec, split)
    chunk = jax.ShapeDtypeStruct(shape, split.images.dtype)
    one_run = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), state)
    widths = jax.eval_shape(functools.partial(outputs_of, spec.train), one_run, inputs, chunk)
    runs, filled = jax.tree.leaves(state)[0].shape[0], -(-len(split) // shape[0]) * shape[0]
    sharding = NamedSharding(mesh, PartitionSpec("runs"))
    return {
        name: jax.ShapeDtypeStruct((runs, filled, width.shape[1]), width.dtype, sharding=sharding)
        for name, width in widths.items()
    }


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
        state = train_block(spec.train, hyper, seed, state, inputs, images, labels, start, num_steps)
        return on_every_device(state)

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
