"""A config with the data that it asks for, checked before anything is written."""

import dataclasses
import functools
from typing import Any

import jax
import ml_collections

from ncjax import data
from ncjax.sweep.launch.datasets import load_dataset, load_variant
from ncjax.sweep.launch.group import Group, make_group
from ncjax.sweep.launch.source_weights import read_source
from ncjax.sweep.plan.config import read_config
from ncjax.sweep.plan.sweep_plan import SweepPlan
from ncjax.sweep.program import hosts
from ncjax.sweep.workdir.ledger import Ledger, from_json
from ncjax.sweep.workdir.workdir import Workdir
from ncjax.training import RunInputs, TrainedWeights


@dataclasses.dataclass(frozen=True, eq=False)
class Sweep:
    """A config with the data that it asks for.

    Attributes:
        plan: the config, read.
        dataset: that it names.
        variants: of the data set, by the options in which they differ from it.
        source: weights that its runs start from; None for fresh ones.
    """

    plan: SweepPlan
    dataset: data.Dataset
    variants: dict[tuple[tuple[str, Any], ...], data.Dataset]
    source: TrainedWeights | None = None

    def group(self, ledger: Ledger, number: int) -> Group:
        """A group of a ledger, ready to run."""
        members, runs = ledger.groups[number], ledger.numbered(self.plan.runs)
        own = tuple(runs[run] for run in members.runs)
        dataset = self.variants[own[0].data]
        return make_group(self.plan, own, dataset, number, members.size, ledger.epochs, self.source)

    def groups(self, ledger: Ledger) -> list[Group]:
        """All groups of a ledger, in the order in which they run."""
        return [self.group(ledger, number) for number in sorted(ledger.groups)]

    def inputs(self, group: Group) -> RunInputs:
        """The data of a group as arrays, which groups on the same data share; on the device from when asked for."""
        options = group.runs[0].data
        if options not in self._inputs:
            self._inputs[options] = group.inputs()
        return self._inputs[options]

    @functools.cached_property
    def _inputs(self) -> dict[tuple[tuple[str, Any], ...], RunInputs]:
        return {}


def prepare(config: ml_collections.ConfigDict, workdir: Workdir, verify_data: bool = False) -> Sweep:
    """Reads a config and its data, and finds whatever is wrong with them before anything is written.

    Args:
        config: with the keys of ``default_config``.
        workdir: where it is to run.
        verify_data: read all data and compare them with their checksums. Where the last process in the workdir crashed
            that is done in any case.

    Returns:
        The sweep, with the weights that its runs start from: those that it began with, or else the newest of the run
        that the config names.

    Raises:
        ValueError: if the config is wrong, or the workdir holds another one.
        OSError: if there is no run to start from, or nothing of it is saved yet.
    """
    plan = read_config(config)
    ledger = from_json(hosts.shared(lambda: dataclasses.asdict(workdir.planned_ledger(config, plan))))
    verify_data = hosts.shared(lambda: verify_data or workdir.was_cut_off())
    dataset = load_dataset(plan.data, verify_data)
    if jax.process_count() > 1:
        ours = dataset.sha256
        if (theirs := hosts.shared(lambda: ours)) != ours:
            raise ValueError(
                f"config.data: {dataset.name} has sha256 {ours[:12]}… on host {jax.process_index()} and {theirs[:12]}… "
                f"on the first; expected the same images and labels on every host"
            )
    variants = {
        options: load_variant(plan, dataset, options, verify_data)
        for options in dict.fromkeys(run.data for run in plan.runs)
    }
    sweep = Sweep(plan, dataset, variants, read_source(plan, dataset, workdir))
    sweep.groups(ledger)
    return sweep
