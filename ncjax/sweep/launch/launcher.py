"""What the loop over a sweep's groups asks of a launcher: this process, Ray, or one of yours."""

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from ncjax.sweep.launch.group import Group
from ncjax.sweep.launch.preparation import Sweep
from ncjax.sweep.launch.progress import Progress
from ncjax.sweep.launch.signals import StopRequest
from ncjax.sweep.program.memory import TooLarge
from ncjax.sweep.workdir.workdir import Workdir


@runtime_checkable
class Running(Protocol):
    """Groups under way."""

    def submit(self, groups: list[Group]) -> None:
        """Takes groups on; those that were submitted last may run first."""

    def next(self) -> tuple[Group, TooLarge | None] | None:
        """Waits for a group to end: it is finished, or too large for one program. None when none is left.

        Raises:
            SweepStopped: if a stop was requested.
        """


@runtime_checkable
class Launcher(Protocol):
    """A place where groups run."""

    def running(
        self, sweep: Sweep, workdir: Workdir, progress: Progress, stop: StopRequest
    ) -> AbstractContextManager[Running]:
        """Begins, for a ``with`` block.

        Args:
            sweep: prepared.
            workdir: of the sweep, locked.
            progress: to tell.
            stop: to ask whether to stop.
        """
