"""What a workdir promises to hold: which runs, known by their hyper-parameters, in which groups, measured when."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from ncjax.sweep.plan.grid import groups
from ncjax.sweep.plan.measuring_times import checkpoint_epochs
from ncjax.sweep.plan.sweep_plan import Run, SweepPlan


@dataclasses.dataclass(frozen=True)
class Members:
    """The runs that advance together, whose state lies in ``checkpoints/group_<number>``.

    Attributes:
        runs: their numbers.
        size: runs that their program is compiled for, at least as many; the last run fills the rest. Groups of one size
            share a program.
    """

    runs: tuple[int, ...]
    size: int


@dataclasses.dataclass(frozen=True)
class Ledger:
    """Runs, groups and epochs of measuring; what is there stays when a sweep is extended.

    Attributes:
        epochs: at which runs are measured, ascending from 0.
        runs: hyper-parameters of each run, as in the results table; the position is the run's number there.
        groups: by number.
    """

    epochs: tuple[float, ...]
    runs: tuple[dict[str, Any], ...]
    groups: dict[int, Members]

    def numbered(self, runs: Sequence[Run]) -> dict[int, Run]:
        """The runs of a grid by their numbers here.

        Args:
            runs: of a grid that this ledger knows.

        Returns:
            Runs whose ``index`` is their number.
        """
        numbers = {_identity(settings): number for number, settings in enumerate(self.runs)}
        placed = {numbers[_identity(run.columns())]: run for run in runs}
        return {number: dataclasses.replace(run, index=number) for number, run in sorted(placed.items())}

    def divided(self, number: int, limit: int) -> "tuple[Ledger, list[int]]":
        """The same with one group divided into equal parts.

        Args:
            number: of the group.
            limit: most runs in a part.

        Returns:
            The new ledger, and the numbers of the parts, new ones.
        """
        rest = {other: members for other, members in self.groups.items() if other != number}
        first = max(self.groups) + 1
        parts = dict(enumerate(_parts(self.groups[number].runs, limit), start=first))
        return dataclasses.replace(self, groups={**rest, **parts}), list(parts)


def _parts(runs: Sequence[int], limit: int) -> list[Members]:
    """Runs in as few parts as a limit allows, of one size, so that they share a program."""
    size = -(-len(runs) // -(-len(runs) // limit))
    return [Members(tuple(runs[first : first + size]), size) for first in range(0, len(runs), size)]


def extend_ledger(ledger: Ledger | None, plan: SweepPlan, limit: int = 0) -> Ledger:
    """Enters the runs of a plan that a ledger lacks, and the epochs beyond its end.

    Args:
        ledger: of the workdir, or None if the sweep is new.
        plan: of the sweep; all runs of the ledger are among its runs.
        limit: most runs in one new group; 0 for no limit.

    Returns:
        The ledger with what it held unchanged, and with new runs in groups of their own.

    Raises:
        ValueError: if the ledger holds a run that the plan lacks.

    Examples:
        >>> from ncjax.sweep import default_config, read_config
        >>> config = default_config()
        >>> ledger = extend_ledger(None, read_config(config))
        >>> config.sweep.seed = (1, 0)
        >>> extend_ledger(ledger, read_config(config)).groups
        {0: Members(runs=(0,), size=1), 1: Members(runs=(1,), size=1)}
    """
    planned = checkpoint_epochs(plan.epochs, plan.checkpoints, plan.first_epoch)
    ledger = ledger or Ledger(planned, (), {})
    asked = {_identity(run.columns()) for run in plan.runs}
    for settings in ledger.runs:
        if _identity(settings) not in asked:
            raise ValueError(
                f"--workdir: it holds a run with {_words(settings)}, which this config lacks; expected a config with "
                f"all its runs, or a new directory"
            )
    known = {_identity(settings) for settings in ledger.runs}
    new = [run for run in plan.runs if _identity(run.columns()) not in known]
    placed = [dataclasses.replace(run, index=len(ledger.runs) + place) for place, run in enumerate(new)]
    divided = dict(ledger.groups)
    for group in groups(placed):
        for members in _parts([run.index for run in group], limit or len(group)):
            divided[max(divided, default=-1) + 1] = members
    return Ledger(
        epochs=(*ledger.epochs, *(epoch for epoch in planned if epoch > ledger.epochs[-1])),
        runs=(*ledger.runs, *(_plain(run.columns()) for run in new)),
        groups=divided,
    )


def from_json(content: dict[str, Any]) -> Ledger:
    """A ledger from what its file holds, every part of which is checked.

    Args:
        content: of ``dataclasses.asdict``, as it comes back from JSON.

    Returns:
        The ledger.

    Raises:
        ValueError: if it is none.
    """
    epochs, runs, found = (content.get(name) for name in ("epochs", "runs", "groups"))
    if not isinstance(epochs, list) or not epochs or not all(isinstance(each, int | float) for each in epochs):
        raise ValueError("epochs is no list of numbers")
    if not isinstance(runs, list) or not all(isinstance(each, dict) for each in runs):
        raise ValueError("runs is no list of objects")
    if not isinstance(found, dict):
        raise ValueError("groups is no object")
    divided = {}
    for number, group in found.items():
        members = group.get("runs") if isinstance(group, dict) else None
        if not number.isdecimal() or not isinstance(members, list) or type(group.get("size")) is not int:
            raise ValueError(f"groups: {number} is no group")
        if not members or not all(type(run) is int and 0 <= run < len(runs) for run in members):
            raise ValueError(f"groups: {number} has runs that are not among the {len(runs)}")
        divided[int(number)] = Members(tuple(members), group["size"])
    return Ledger(tuple(epochs), tuple(runs), divided)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as they come back from JSON."""
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain


def _identity(settings: dict[str, Any]) -> str:
    """What makes a run the run that it is; in which sweeps of a config it takes part does not."""
    return json.dumps({name: value for name, value in settings.items() if name != "sweep"}, sort_keys=True)


def _words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in settings.items())
