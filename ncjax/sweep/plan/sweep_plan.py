"""What a config is read into: a plan, with its runs."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from ncjax.data import DataSpec
from ncjax.measurement import MeasureSpec
from ncjax.options import axis_values, option
from ncjax.training import Hyper, InitSpec, TrainSpec


@dataclass(frozen=True)
class Run:
    """One point of the grid.

    Attributes:
        index: its number in the results table.
        hyper: its traced hyper-parameters, as floats.
        train: its static choices of training; what only the data can tell is filled in later.
        sweeps: names of the rows of a figure that it belongs to, where a config has several.
        data: options of the data set in which it differs from others of its sweep, by name.
    """

    index: int
    hyper: Hyper
    train: TrainSpec
    seed: int = option(
        0,
        "of initial weights and order of samples",
        at_least=0,
        below=2**31,
        expected="a whole number from 0, below 2**31",
        axis=True,
        traced=True,
    )
    sweeps: tuple[str, ...] = ()
    data: tuple[tuple[str, Any], ...] = ()

    def columns(self) -> dict[str, Any]:
        """Its hyper-parameters as they stand in the results table."""
        holders = (self.hyper, self.train, self.train.model, self.train.schedule, self)
        axes = {name: value for holder in holders for name, value in axis_values(holder).items()}
        # A run that several rows share, such as the point where they cross, is one run.
        return {**axes, **dict(self.data), **({"sweep": "+".join(self.sweeps)} if self.sweeps else {})}

    def train_spec(self, num_classes: int) -> TrainSpec:
        """What its training is compiled for, with so many classes to train on."""
        return dataclasses.replace(self.train, num_classes=num_classes)


@dataclass(frozen=True)
class StreamSpec:
    """Whether and how train images are streamed from the host: the same batches and the same results."""

    train: str = option(
        "auto",
        "whether train images are streamed; auto: if they take over half of a device's memory",
        choices=("auto", "always", "never"),
    )
    buffer_mib: int = option(64, "size in MiB of a block of batches of all runs; up to five are under way", at_least=1)
    threads: int = option(2, "that read at once", at_least=1)

    def applies(self, image_bytes: int, device_bytes: int) -> bool:
        """Whether train images of so many bytes are streamed to devices of so much memory.

        Examples:
            >>> StreamSpec("auto", 64, 2).applies(image_bytes=3_932_160_000, device_bytes=16 * 2**30)
            False
        """
        return self.train == "always" or (self.train == "auto" and image_bytes > device_bytes // 2)


@dataclass(frozen=True)
class SweepPlan:
    """A config, read and checked.

    Attributes:
        data: which data set.
        runs: the grid, in order of their indices.
        measure: static choices of measuring; its target classes are filled in when the data is known.
        init: the network that runs start from.
        stream: of train images from the host.
    """

    data: DataSpec
    runs: tuple[Run, ...]
    measure: MeasureSpec
    init: InitSpec
    stream: StreamSpec
    epochs: float = option(30.0, "passes over the train split", above=0, key="train.epochs")
    plugins: tuple[str, ...] = option(
        (),
        "modules of your own to import first, which register few-shot heads, measures or claims; a network or a data "
        "set needs none: its name MODULE:NAME imports it",
        allows=lambda names: all(isinstance(name, str) for name in names),
        expected="a tuple of names of modules",
        key="plugins",
    )
    checkpoints: int = option(
        9, "how often to measure: before training, then log-spaced", at_least=2, key="measure.checkpoints"
    )
    first_epoch: float = option(0.5, "of the second checkpoint", above=0, key="measure.first_epoch")
    complexity_samples: int = option(
        512, "images a split on which geometric complexity is measured", at_least=1, key="measure.complexity_samples"
    )
    fine_probes: bool = option(
        False, "whether features are probed for the classes below the labels", key="measure.fine_probes"
    )
    mesh_runs: int = option(0, "devices over which runs are spread", at_least=0, zero="all", key="mesh.runs")
    mesh_batch: int = option(
        0,
        "devices among which each run divides its batches",
        at_least=0,
        zero="those that runs leave free",
        key="mesh.batch",
    )
    runs_per_program: int = option(
        0, "most runs in one program", at_least=0, zero="as many as memory holds", key="mesh.runs_per_program"
    )
    runs_axis: str = option(
        "auto",
        "how runs share a device: map (one after another), vmap (side by side) or auto",
        choices=("auto", "map", "vmap"),
        key="runs_axis",
    )

    def varying(self) -> frozenset[str]:
        """Names of the settings in which runs differ."""
        settings = [run.columns() for run in self.runs]
        names = {name for each in settings for name in each}
        return frozenset(name for name in names if len({each.get(name) for each in settings}) > 1)
