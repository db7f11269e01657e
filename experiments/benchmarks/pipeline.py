"""A sweep's first group taken apart: its compiled program and what goes into it, to be timed call by call."""

from dataclasses import dataclass
from typing import Any

import jax
import ml_collections
import numpy as np

from ncjax import data, measurement, training, transfer
from ncjax.sweep.plan.config import read_config
from ncjax.sweep.plan.grid import groups
from ncjax.sweep.program.group_program import ProgramSpec, advance_group, init_group
from ncjax.sweep.program.mesh import make_mesh, replicate, resolve_sharing, stack_runs


@dataclass
class Pipeline:
    """The runs of a group, ready to advance.

    Attributes:
        spec: what the program is compiled for.
        mesh: of its devices.
        dataset: as loaded.
        hyper: of every run.
        seeds: of every run.
        inputs: the data, on the devices.
        state: of every run.
    """

    spec: ProgramSpec
    mesh: Any
    dataset: data.Dataset
    hyper: Any
    seeds: Any
    inputs: Any
    state: Any

    @property
    def num_runs(self) -> int:
        """Runs of the group."""
        return len(self.seeds)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which a run sees the train split once."""
        return len(self.dataset.train) // self.spec.train.batch_size

    def advance(self, start: int, steps: int, measuring: bool) -> Any:
        """Takes steps, measures if asked to, waits, and returns the measurements."""
        self.state, measured = advance_group(
            self.spec,
            self.mesh,
            self.hyper,
            self.seeds,
            self.state,
            self.inputs,
            np.asarray(start, np.int32),
            np.asarray(steps, np.int32),
            np.bool_(measuring),
        )
        return jax.block_until_ready((self.state, measured))[1]


def first_group(config: ml_collections.ConfigDict) -> Pipeline:
    """Prepares the first group of a config's runs as a sweep does."""
    plan = read_config(config)
    dataset = data.load(plan.data)
    index = None if dataset.target is None else transfer.class_index(dataset.target.labels)
    inputs = training.run_inputs(dataset, plan.complexity_samples, target_index=index)
    runs = groups(plan.runs)[0]
    spec = ProgramSpec(
        train=runs[0].train_spec(dataset.train.num_classes),
        measure=measurement.MeasureSpec(
            **{
                **vars(plan.measure),
                "target_classes": 0 if dataset.target is None else dataset.target.num_classes,
                "transfer": None if dataset.target is None else plan.measure.transfer,
            }
        ),
        image_shape=tuple(dataset.train.images.shape[1:]),
        sharing=resolve_sharing(plan.runs_axis),
    )
    mesh = make_mesh(len(runs), plan.mesh_runs)
    hyper, seeds = stack_runs(mesh, [run.hyper for run in runs], [run.seed for run in runs])
    state = init_group(spec, mesh, hyper, seeds)
    return Pipeline(spec, mesh, dataset, hyper, seeds, replicate(mesh, inputs), state)
