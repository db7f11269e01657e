"""A group of runs that share a compiled program, made from a plan and its data."""

import bisect
import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from ncjax import data, models
from ncjax.measurement import MeasureSpec
from ncjax.sweep.launch.progress import Work
from ncjax.sweep.plan.measuring_times import steps_at
from ncjax.sweep.plan.sweep_plan import Run, SweepPlan
from ncjax.sweep.program.group_program import ProgramSpec
from ncjax.sweep.program.mesh import make_mesh, resolve_batch_devices, resolve_sharing
from ncjax.sweep.workdir.environment import device_memory_bytes
from ncjax.sweep.workdir.network import Network, network_for
from ncjax.training import (
    RunInputs,
    TrainedWeights,
    TrainSpec,
    check_complexity_samples,
    frozen_layers,
    run_inputs,
)
from ncjax.transfer import check_fits, class_index


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Runs that share a program, and when they are measured.

    Attributes:
        number: of its directory of checkpoints.
        runs: by their numbers in the results table.
        size: runs that the program is compiled for.
        plan: of the sweep.
        dataset: that they train on.
        streamed: whether its train images stay on the host.
        spec: what the program is compiled for.
        mesh: over which the runs are spread.
        network: that they train.
        steps: at which they are measured, ascending from 0.
        source: weights that they start from; None for fresh ones.
    """

    number: int
    runs: tuple[Run, ...]
    size: int
    plan: SweepPlan
    dataset: data.Dataset
    streamed: bool
    spec: ProgramSpec
    mesh: Mesh
    network: Network
    steps: tuple[int, ...]
    source: TrainedWeights | None

    @property
    def steps_per_epoch(self) -> int:
        """Steps that these runs take in an epoch."""
        return len(self.dataset.train) // self.spec.train.batch_size

    def samples(self, steps: int) -> int:
        """Training samples that all runs together see in so many steps."""
        return len(self.runs) * steps * self.spec.train.batch_size

    def inputs(self) -> RunInputs:
        """The data of these runs as arrays, on the default device."""
        target = self.dataset.target
        return run_inputs(
            self.dataset,
            self.plan.complexity_samples,
            stream_train=self.streamed,
            fine_labels=self.plan.fine_probes,
            poincare=self.plan.measure.bounds,
            target_index=None if target is None else class_index(target.labels),
        )

    def work(self, steps: int, measured: bool = True) -> Work:
        """What all runs together cost in so many steps, with the measurement that is due then or without it."""
        due = bisect.bisect_right(self.steps, steps) if measured else bisect.bisect_left(self.steps, steps)
        return Work(self.samples(steps), due * len(self.runs))


def make_group(
    plan: SweepPlan,
    runs: tuple[Run, ...],
    dataset: data.Dataset,
    number: int,
    size: int,
    epochs: tuple[float, ...],
    source: TrainedWeights | None = None,
    devices: Sequence[Any] | None = None,
    device_memory: int = 0,
) -> Group:
    """Makes a group of runs, and finds what is wrong with its network, its batch size or what is measured.

    Args:
        plan: of the sweep.
        runs: that share a program.
        dataset: to train on.
        number: of the group.
        size: runs that the program is compiled for.
        epochs: at which to measure.
        source: weights that they start from; None for fresh ones.
        devices: to run on; None for all of JAX's.
        device_memory: bytes of each; 0 to ask the first of JAX's.

    Returns:
        The group.

    Raises:
        ValueError: naming the key of the config that does not fit the data.
    """
    batch_size = runs[0].train.batch_size
    steps_per_epoch = len(dataset.train) // batch_size
    if not steps_per_epoch:
        raise ValueError(
            f"config.train.batch_size: got {batch_size}, expected at most the {len(dataset.train)} training "
            f"samples of {dataset.name}"
        )
    check_complexity_samples(dataset, plan.complexity_samples)
    network = network_for(runs[0].train.model, dataset)
    train, measure = static_training(plan, runs[0], network), static_measuring(plan, dataset)
    there = 0 if devices is None else len(devices)
    batch_devices = resolve_batch_devices(plan.mesh_batch, size, batch_size, plan.mesh_runs, there)
    return Group(
        number=number,
        runs=runs,
        size=size,
        plan=plan,
        dataset=dataset,
        streamed=plan.stream.applies(dataset.train.images.nbytes, device_memory or device_memory_bytes()),
        spec=ProgramSpec(train, measure, network.image_shape, resolve_sharing(plan.runs_axis)),
        mesh=make_mesh(size, plan.mesh_runs, batch_devices, devices),
        network=network,
        steps=steps_at(epochs, steps_per_epoch),
        source=source,
    )


def static_measuring(plan: SweepPlan, dataset: data.Dataset) -> MeasureSpec:
    """What measuring is compiled for: the plan's choices, and what only the data can tell.

    Args:
        plan: of the sweep.
        dataset: to train on.

    Returns:
        The choices with the classes below the labels, and the classes to transfer to: without these no transfer.

    Raises:
        ValueError: naming the key of the config that does not fit the data.
    """
    train, target, measure = dataset.train, dataset.target, plan.measure
    fine = (len(train.fine_class_names) or train.num_classes) if plan.fine_probes else 0
    if target is None:
        return dataclasses.replace(measure, fine_classes=fine, transfer=None)
    if measure.transfer is not None:
        with naming("config.transfer", ("ways",)):
            check_fits(class_index(target.labels), measure.transfer)
    return dataclasses.replace(measure, fine_classes=fine, target_classes=target.num_classes)


def static_training(plan: SweepPlan, run: Run, network: Network) -> TrainSpec:
    """What training a run is compiled for, its network built for the shapes alone.

    Args:
        plan: of the sweep.
        run: one of a group.
        network: of the run.

    Returns:
        The static choices of training.

    Raises:
        ValueError: naming the key of the config that does not fit the network or its images.
    """
    train = run.train_spec(network.num_classes)
    with naming("config.model", ("classifier", "name", "widths", "norm", "lowering")):
        # The shapes alone tell whether the network takes these images.
        model = models.build(network.model, network.num_classes)
        fresh = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), network.image_shape))
    with naming("config.init", ("last_stages",)):
        frozen = frozen_layers(fresh["params"], getattr(model, "stages", ()), plan.init.last_stages)
    return dataclasses.replace(train, model=network.model, frozen=frozen)


@contextlib.contextmanager
def naming(section: str, keys: tuple[str, ...]) -> Iterator[None]:
    """Makes the errors of a ``with`` block begin with the section of the config that they are about.

    Args:
        section: of the config, dotted.
        keys: of the section, by which a message may begin already.

    Raises:
        ValueError: what was raised, with the section before it.
    """
    try:
        yield
    except ValueError as error:
        first_word = str(error).partition(" ")[0].rstrip(":")
        raise ValueError(f"{section}.{error}" if first_word in keys else f"{section}: {error}") from None
