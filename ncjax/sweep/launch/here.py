"""Runs groups one after the other in this process."""

import contextlib
from collections.abc import Iterator

from ncjax.sweep.launch.group import Group
from ncjax.sweep.launch.preparation import Sweep
from ncjax.sweep.launch.progress import Progress
from ncjax.sweep.launch.run_group import run_group
from ncjax.sweep.launch.signals import StopRequest
from ncjax.sweep.program.memory import TooLarge, agreed_runs
from ncjax.sweep.workdir.workdir import Workdir


class Here:
    """The launcher that needs nothing."""

    def __init__(self, profile_steps: int = 0) -> None:
        """Takes the steps of training of which to write a profile; 0 for none."""
        self._profile_steps = profile_steps

    @contextlib.contextmanager
    def running(
        self, sweep: Sweep, workdir: Workdir, progress: Progress, stop: StopRequest
    ) -> Iterator["_RunningHere"]:
        """Begins, for a ``with`` block; see ``Launcher``."""
        yield _RunningHere(sweep, workdir, progress, stop, self._profile_steps)


class _RunningHere:
    def __init__(
        self,
        sweep: Sweep,
        workdir: Workdir,
        progress: Progress,
        stop: StopRequest,
        profile_steps: int,
    ) -> None:
        self._sweep, self._workdir, self._progress = sweep, workdir, progress
        self._stop, self._profile_steps = stop, profile_steps
        self._waiting: list[Group] = []

    def submit(self, groups: list[Group]) -> None:
        self._waiting = [*groups, *self._waiting]

    def next(self) -> tuple[Group, TooLarge | None] | None:
        if not self._waiting:
            return None
        group, done = self._waiting.pop(0), self._progress.done
        try:
            run_group(group, self._sweep.inputs(group), self._workdir, self._progress, self._stop, self._profile_steps)
        except TooLarge as answer:
            self._progress.done = done
            return group, TooLarge(agreed_runs(answer, group.number), answer.reason)
        return group, None
