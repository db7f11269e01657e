"""A config with the data that it asks for, checked before anything is written."""

import dataclasses
import functools
from pathlib import Path
from typing import Any

import jax
import ml_collections

from ncjax import data
from ncjax.sweep.launch.group import Group, make_group, naming
from ncjax.sweep.plan.config import read_config
from ncjax.sweep.plan.sweep_plan import Run, SweepPlan
from ncjax.sweep.program import hosts
from ncjax.sweep.workdir.directory import check_workdir, was_cut_off
from ncjax.sweep.workdir.environment import device_memory_bytes
from ncjax.sweep.workdir.ledger import Ledger, extend_ledger, from_json, read_ledger
from ncjax.training import RunInputs, TrainedWeights, check_complexity_samples, run_inputs
from ncjax.transfer import check_fits, class_index

_DATA_OPTIONS = tuple(field.name for field in dataclasses.fields(data.DataSpec))


@dataclasses.dataclass(frozen=True)
class View:
    """The data as one or more groups see it.

    Attributes:
        plan: of the sweep, with what only the data can tell.
        dataset: that the groups train on.
        streamed: whether its train images stay on the host.
    """

    plan: SweepPlan
    dataset: data.Dataset
    streamed: bool

    @functools.cached_property
    def inputs(self) -> RunInputs:
        """The data as arrays; on the device from when they are asked for."""
        plan = self.plan
        return run_inputs(self.dataset, plan.complexity_samples, self.streamed, plan.fine_probes, plan.measure.bounds)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A config with the data that it asks for.

    Attributes:
        plan: the config, read.
        dataset: that it names.
        views: of the data, by the options in which they differ from it.
        source: weights that its runs start from; None for fresh ones.
    """

    plan: SweepPlan
    dataset: data.Dataset
    views: dict[tuple[tuple[str, Any], ...], View]
    source: TrainedWeights | None = None

    def view(self, runs: tuple[Run, ...]) -> View:
        """The data as runs of one group see it."""
        return self.views[runs[0].data]

    def group(self, ledger: Ledger, number: int) -> Group:
        """A group of a ledger, ready to run."""
        members, runs = ledger.groups[number], ledger.numbered(self.plan.runs)
        own = tuple(runs[run] for run in members.runs)
        view = self.view(own)
        return make_group(view.plan, own, view.dataset, number, members.size, ledger.epochs, self.source)

    def groups(self, ledger: Ledger) -> list[Group]:
        """All groups of a ledger, in the order in which they run."""
        return [self.group(ledger, number) for number in sorted(ledger.groups)]


def prepare(config: ml_collections.ConfigDict, workdir: Path, verify_data: bool = False) -> Sweep:
    """Reads a config and its data, and finds whatever is wrong with them before anything is written.

    Args:
        config: with the keys of ``default_config``.
        workdir: where it is to run.
        verify_data: read all data and compare them with their checksums. Where the last process in the workdir crashed
            that is done in any case.

    Returns:
        The sweep.

    Raises:
        ValueError: if the config is wrong, or the workdir holds another one.
    """
    plan = read_config(config)
    ledger = from_json(hosts.shared(lambda: dataclasses.asdict(planned_ledger(config, workdir, plan))))
    verify_data = hosts.shared(lambda: verify_data or was_cut_off(workdir))
    dataset = _load(plan.data, verify_data)
    if jax.process_count() > 1:
        ours = dataset.sha256
        if (theirs := hosts.shared(lambda: ours)) != ours:
            raise ValueError(
                f"config.data: {dataset.name} has sha256 {ours[:12]}… on host {jax.process_index()} and {theirs[:12]}… "
                f"on the first; expected the same images and labels on every host"
            )
    views = {
        options: _view(plan, dataset, options, verify_data) for options in dict.fromkeys(run.data for run in plan.runs)
    }
    sweep = Sweep(plan, dataset, views)
    sweep.groups(ledger)
    return sweep


def planned_ledger(config: ml_collections.ConfigDict, workdir: Path, plan: SweepPlan) -> Ledger:
    """What a workdir is to hold: the runs that it holds, and those that a config adds.

    Args:
        config: with the keys of ``default_config``.
        workdir: where it is to run.
        plan: the config, read.

    Returns:
        The runs and their groups.

    Raises:
        ValueError: if the workdir holds another config.
    """
    check_workdir(config, workdir)
    if not (workdir / "config.json").is_file():
        return extend_ledger(None, plan, plan.runs_per_program)
    recorded = read_ledger(workdir)
    if recorded is None:
        raise ValueError(f"--workdir: {workdir} holds a sweep without runs.json; restore it or use a new directory")
    return extend_ledger(recorded, plan, plan.runs_per_program)


def _load(spec: data.DataSpec, verify: bool) -> data.Dataset:
    with naming("config.data", _DATA_OPTIONS):
        return data.load(spec, verify=True) if verify else data.load(spec)


def _view(plan: SweepPlan, dataset: data.Dataset, options: tuple[tuple[str, Any], ...], verify: bool) -> View:
    """The data with other options."""
    if options:
        viewed = _load(dataclasses.replace(plan.data, **dict(options)), verify)
        # Of the same pixels, so that geometric complexity is in the same unit.
        dataset = dataclasses.replace(viewed, mean=dataset.mean, std=dataset.std)
    streamed = plan.stream.applies(dataset.train.images.nbytes, device_memory_bytes())
    check_complexity_samples(dataset, plan.complexity_samples)
    return View(_with_classes(plan, dataset), dataset, streamed)


def _with_classes(plan: SweepPlan, dataset: data.Dataset) -> SweepPlan:
    """The plan with what only the data can tell: fine classes; classes to transfer to, or none and so no transfer."""
    train = dataset.train
    fine = (len(train.fine_class_names) or train.num_classes) if plan.fine_probes else 0
    measure = dataclasses.replace(plan.measure, fine_classes=fine)
    if dataset.target is None:
        return dataclasses.replace(plan, measure=dataclasses.replace(measure, transfer=None))
    if measure.transfer is not None:
        with naming("config.transfer", ("ways",)):
            check_fits(class_index(dataset.target.labels), measure.transfer)
    return dataclasses.replace(plan, measure=dataclasses.replace(measure, target_classes=dataset.target.num_classes))
