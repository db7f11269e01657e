"""Every group of a sweep compiled for a slice that is not here: does it fit, what do its devices say to each other."""

import dataclasses
import functools
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import ml_collections
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from ncjax import data
from ncjax.hardware.operations import product_operations
from ncjax.hardware.program_text import Collective, collectives, step_traffic
from ncjax.hardware.topology import Chip, Topology
from ncjax.measurement import measure
from ncjax.metrics.platform import tracing_for
from ncjax.sweep.launch.datasets import load_dataset, load_variant
from ncjax.sweep.launch.group import Group, make_group
from ncjax.sweep.plan.config import read_config
from ncjax.sweep.plan.sweep_plan import Run, SweepPlan
from ncjax.sweep.program.group_program import init_group
from ncjax.sweep.program.memory import needed_bytes, runs_that_fit
from ncjax.sweep.program.resident import resident_program
from ncjax.sweep.program.streamed import block_steps, stream_programs
from ncjax.sweep.workdir.ledger import extend_ledger
from ncjax.training import train_steps

_LOG = logging.getLogger(__name__)

ASSUMED_SHARE = 0.3
"""Of a chip's full speed, that programs are taken to reach; networks for small images reach 0.1 to 0.5."""
SECONDS_AN_INSTRUCTION = 2e-6
"""That an instruction is taken to need at least: starting a kernel takes a GPU 2 to 5 µs, a TPU about 1 µs."""


@dataclass(frozen=True)
class GroupForecast:
    """What the compiler says of a group of runs, and what follows from it.

    Attributes:
        number: of the group.
        model: its network.
        batch_size: samples a step.
        runs: of the group.
        fit: runs that fit into one program; the group takes turns if these are fewer.
        mesh: devices along runs and along batches.
        streamed: whether the train images stay on the host.
        argument_bytes: of the largest program on one device, the data and the states.
        temporary_bytes: what it computes with.
        program_bytes: its code.
        available_bytes: memory of one device.
        collectives: messages between devices.
        step_operations: floating-point operations of products in a training step, of all runs of a program on one
            device.
        step_bytes: bytes between a device and its memory in a training step.
        step_instructions: of a training step.
        least_step_seconds: the longest of operations, bytes and messages at the chip's full speed.
        step_seconds: an estimate: so much at `ASSUMED_SHARE` of the full speed, and `SECONDS_AN_INSTRUCTION` for each.
        epoch_seconds: of training, estimated, of all runs of the group.
        measure_seconds: of one measurement of all runs of the group, estimated by the operations of its products.
        total_seconds: of the whole group, estimated.
        compile_seconds: what compiling took here.
    """

    number: int
    model: str
    batch_size: int
    runs: int
    fit: int
    mesh: tuple[int, int]
    streamed: bool
    argument_bytes: int
    temporary_bytes: int
    program_bytes: int
    available_bytes: int
    collectives: tuple[Collective, ...]
    step_operations: float
    step_bytes: int
    step_instructions: int
    least_step_seconds: float
    step_seconds: float
    epoch_seconds: float
    measure_seconds: float
    total_seconds: float
    compile_seconds: float

    @property
    def needed_bytes(self) -> int:
        """Bytes that a device holds at once."""
        return self.argument_bytes + self.temporary_bytes + self.program_bytes


def forecast(
    config: ml_collections.ConfigDict, topology: Topology, numbers: Sequence[int] = ()
) -> Iterator[GroupForecast]:
    """Compiles the groups of a sweep for a slice, one after another.

    Args:
        config: with the keys of ``ncjax.sweep.default_config``. Data that is not prepared is taken to have its
            published sizes.
        topology: of ``find_topology``.
        numbers: of the groups to compile; all if empty.

    Yields:
        A forecast for each group.

    Raises:
        ValueError: if the config is wrong, has no such group, or not a single run fits.
    """
    with tracing_for(topology.chip.platform):
        plan = read_config(config)
        ledger = extend_ledger(None, plan, plan.runs_per_program)
        runs = ledger.numbered(plan.runs)
        dataset = _dataset(plan)
    if unknown := set(numbers) - ledger.groups.keys():
        raise ValueError(f"--groups: got {min(unknown)}, expected numbers from 0 to {max(ledger.groups)}")
    for number in numbers or sorted(ledger.groups):
        own = tuple(runs[run] for run in ledger.groups[number].runs)
        with tracing_for(topology.chip.platform):
            variant = load_variant(plan, dataset, own[0].data) if own[0].data else dataset
            yield _of_group(plan, own, variant, number, ledger.epochs, topology)


def _dataset(plan: SweepPlan) -> data.Dataset:
    try:
        return load_dataset(plan.data)
    except OSError:
        _LOG.info("data set %s: not prepared here, so its published sizes are taken", plan.data.name)
        return data.outline(plan.data)


def _of_group(
    plan: SweepPlan,
    runs: Sequence[Run],
    dataset: data.Dataset,
    number: int,
    epochs: tuple[float, ...],
    topology: Topology,
) -> GroupForecast:
    fit, began = len(runs), time.perf_counter()
    while True:
        group = make_group(
            plan, tuple(runs[:fit]), dataset, number, fit, epochs, None, topology.devices, topology.chip.memory
        )
        described = _described(group)
        programs = _programs(group, described)
        if programs is None:
            fewer = fit // 2
        else:
            needed = max(needed_bytes(program) + beside for program, beside in programs)
            fixed = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(described[3]))
            along_runs = group.mesh.shape["runs"]
            on_one = -(-fit // along_runs)
            fewer = runs_that_fit(needed, fixed, on_one, topology.chip.memory) * along_runs
        if programs is not None and (fewer >= fit or fit == 1):
            return _summary(group, len(runs), programs, described, topology.chip, time.perf_counter() - began)
        if fit == 1:
            raise ValueError(f"--topology: not one run of group {number} fits into the memory of {topology.name}")
        fit = max(1, min(fewer, fit - 1))


def _described(group: Group) -> tuple[Any, Any, Any, Any]:
    """Hyper-parameters, seeds, states and data of a group as shapes on its mesh."""
    by_run = NamedSharding(group.mesh, PartitionSpec("runs"))
    size = -(-group.size // group.mesh.shape["runs"]) * group.mesh.shape["runs"]
    hyper = jax.tree.map(lambda _: jax.ShapeDtypeStruct((size,), np.float32, sharding=by_run), group.runs[0].hyper)
    seeds = jax.ShapeDtypeStruct((size,), np.int32, sharding=by_run)
    state = jax.eval_shape(functools.partial(init_group, group.spec, group.mesh), hyper, seeds)
    inputs = jax.eval_shape(group.inputs)
    everywhere = NamedSharding(group.mesh, PartitionSpec())
    return hyper, seeds, _placed(state, by_run), _placed(inputs, everywhere)


def _placed(tree: Any, sharding: NamedSharding) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree)


def _programs(group: Group, described: tuple[Any, Any, Any, Any]) -> list[tuple[Any, int]] | None:
    """The group's programs, each with what a device holds beside its arguments; None if they are too large."""
    hyper, seeds, state, inputs = described
    try:
        if not group.streamed:
            return [(resident_program(group.spec, group.mesh, hyper, seeds, state, inputs), 0)]
        train, batch_size = group.dataset.train, group.spec.train.batch_size
        steps = block_steps(seeds.shape[0], batch_size, train, group.plan.stream, group.steps[-1])
        shape = (seeds.shape[0], steps, batch_size, *train.images.shape[1:])
        return stream_programs(group.spec, group.mesh, hyper, seeds, state, inputs, train, shape)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" in str(error):
            return None
        if "RET_CHECK" not in str(error):
            raise
        mesh = " × ".join(map(str, group.mesh.devices.shape))
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"--topology: its compiler refuses a mesh of {mesh} devices; expected another config.mesh.runs or "
            f"config.mesh.batch, such that all devices are used ({reason})"
        ) from None


def _summary(
    group: Group,
    runs: int,
    programs: list[tuple[Any, int]],
    described: tuple[Any, Any, Any, Any],
    chip: Chip,
    compile_seconds: float,
) -> GroupForecast:
    program, beside = max(programs, key=lambda each: needed_bytes(each[0]) + each[1])
    memory = program.memory_analysis()
    over_runs = group.spec.sharing == "map"
    texts = [each.as_text() for each, _ in programs]
    messages = [message for text in texts for message in collectives(text, over_runs)]
    along_runs, along_batch = (group.mesh.shape[name] for name in ("runs", "batch"))
    on_one = described[1].shape[0] // along_runs
    step, measuring = (on_one / along_batch * each for each in _operations(group, described, chip.highest))
    # Where runs take turns, the text has the step of one.
    turns_inside = on_one if over_runs else 1
    instructions, moved = (turns_inside * each for each in step_traffic(texts[0], over_runs))
    said = turns_inside * sum(each.bytes for each in messages if each.place == "training")
    least = max(step / chip.operations, moved / chip.bandwidth, said / chip.links)
    step_seconds = least / ASSUMED_SHARE + instructions * SECONDS_AN_INSTRUCTION
    turns = -(-runs // len(group.runs))
    measure_seconds = turns * measuring / chip.operations / ASSUMED_SHARE
    train_seconds = turns * group.steps[-1] * step_seconds
    return GroupForecast(
        number=group.number,
        model=group.spec.train.model.name,
        batch_size=group.spec.train.batch_size,
        runs=runs,
        fit=len(group.runs),
        mesh=(along_runs, along_batch),
        streamed=group.streamed,
        argument_bytes=memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes
        + beside,
        temporary_bytes=memory.temp_size_in_bytes,
        program_bytes=memory.generated_code_size_in_bytes,
        available_bytes=chip.memory,
        collectives=tuple(messages),
        step_operations=step,
        step_bytes=moved,
        step_instructions=instructions,
        least_step_seconds=least,
        step_seconds=step_seconds,
        epoch_seconds=turns * group.steps_per_epoch * step_seconds,
        measure_seconds=measure_seconds,
        total_seconds=train_seconds + len(group.steps) * measure_seconds,
        compile_seconds=compile_seconds,
    )


def _operations(group: Group, described: tuple[Any, Any, Any, Any], highest: float) -> tuple[float, float]:
    """Of products, in a training step and in a measurement of one run."""
    hyper, seeds, state, inputs = described
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), (hyper, seeds, state))
    hyper, seed, state = one
    inputs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), inputs)
    # Where the train images stay on the host, their shapes are all that is wanted here.
    if group.streamed:
        images = group.dataset.train.images
        inputs = dataclasses.replace(inputs, train_images=jax.ShapeDtypeStruct(images.shape, images.dtype))
    number = jax.ShapeDtypeStruct((), np.int32)
    # Convolutions as such, however they are written for the chip: what is counted is the work, not the way.
    train = dataclasses.replace(group.spec.train, model=dataclasses.replace(group.spec.train.model, lowering="xla"))
    step = jax.make_jaxpr(functools.partial(train_steps, train))(hyper, seed, state, inputs, number, number)
    measuring = jax.make_jaxpr(functools.partial(measure, train, group.spec.measure))(state, inputs)
    return product_operations(step, highest), product_operations(measuring, highest)
