"""Runs a sweep's groups as Ray tasks, on this machine or on a cluster. Ray schedules; nothing here does."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import ml_collections

from ncjax.paths import StrPath
from ncjax.sweep.launch.group import Group
from ncjax.sweep.launch.loop import run_sweep
from ncjax.sweep.launch.preparation import Sweep, prepare
from ncjax.sweep.launch.progress import Progress
from ncjax.sweep.launch.run_group import run_group
from ncjax.sweep.launch.signals import StopRequest, SweepStopped
from ncjax.sweep.program.memory import TooLarge
from ncjax.sweep.workdir.workdir import Workdir

# Seconds between two gatherings of rows.
_GATHER_SECONDS = 5.0
_RETRIES = 5


def run_sweep_on_ray(
    config: ml_collections.ConfigDict,
    workdir: StrPath,
    address: str | None = None,
    resources: str = "{}",
    verify_data: bool = False,
) -> dict[str, Any]:
    """Runs what ``run_sweep`` runs, each group of the grid as a Ray task.

    A task whose worker dies is tried again, and goes on from its group's last checkpoint.

    Args:
        config: with the keys of ``default_config``.
        workdir: a directory that all machines of the cluster see under the same name.
        address: of a Ray cluster, or None to start Ray here for as long as the sweep runs.
        resources: JSON of what each task takes, ``CPU``, ``GPU``, or a name that the cluster knows, such as ``TPU``.
        verify_data: read all data first and compare them with their checksums, here and in each task; where a process
            crashed, what goes on after it does so in any case.

    Returns:
        What ``run_sweep`` returns.

    Raises:
        ValueError: if Ray is not installed, the resources are no JSON, or what ``run_sweep`` raises it for.
        OSError: if the disk is full.
        SweepStopped: if SIGTERM or SIGINT came.
    """
    options = task_options(resources)
    try:
        import ray
    except ImportError:
        raise ValueError("--launcher: ray is not installed; expected pip install 'ncjax[ray]'") from None
    launcher = _OnRay(ray, config.to_dict(), address, options, verify_data)
    return run_sweep(config, workdir, verify_data=verify_data, launcher=launcher)


def task_options(resources: str) -> dict[str, Any]:
    """What each task asks of Ray.

    Args:
        resources: JSON, from names to amounts.

    Returns:
        Options of ``ray.remote``.

    Raises:
        ValueError: if it is not JSON, not an object, or an amount is not a number above 0.

    Examples:
        >>> task_options('{"CPU": 2, "TPU": 4}')
        {'max_retries': 5, 'num_cpus': 2, 'resources': {'TPU': 4}}
    """
    wrong = f"--ray.resources: got {resources!r}, expected JSON such as '{{\"TPU\": 4}}'"
    try:
        amounts = json.loads(resources)
    except json.JSONDecodeError as error:
        raise ValueError(f"{wrong} ({error.msg})") from None
    if not isinstance(amounts, dict):
        raise ValueError(wrong)
    for name, amount in amounts.items():
        if not isinstance(amount, int | float) or isinstance(amount, bool) or amount <= 0:
            raise ValueError(f"{wrong} (an amount above 0 for {name})")
    options: dict[str, Any] = {"max_retries": _RETRIES}
    for name, option in (("CPU", "num_cpus"), ("GPU", "num_gpus")):
        if name in amounts:
            options[option] = amounts.pop(name)
    return {**options, "resources": amounts} if amounts else options


class _OnRay:
    def __init__(
        self, ray: Any, config: dict[str, Any], address: str | None, options: dict[str, Any], verify_data: bool
    ) -> None:
        self._ray, self._config, self._address = ray, config, address
        self._options, self._verify_data = options, verify_data

    @contextlib.contextmanager
    def running(
        self, sweep: Sweep, workdir: Workdir, progress: Progress, stop: StopRequest
    ) -> Iterator["_RunningOnRay"]:
        """Begins, for a ``with`` block; see ``Launcher``."""
        del sweep  # Every task prepares its own, on its own machine.
        started = not self._ray.is_initialized()
        if started:
            self._ray.init(address=self._address, log_to_driver=False, configure_logging=False)
        task = self._ray.remote(**self._options)(_run_group)
        try:
            progress.say(f"ray: tasks, each with {json.dumps(self._options)}")
            yield _RunningOnRay(
                self._ray,
                lambda number: task.remote(self._config, str(workdir.path), number, self._verify_data),
                workdir,
                progress,
                stop,
            )
        finally:
            if started:
                self._ray.shutdown()


class _RunningOnRay:
    def __init__(
        self, ray: Any, start: Callable[[int], Any], workdir: Workdir, progress: Progress, stop: StopRequest
    ) -> None:
        self._ray, self._start = ray, start
        self._workdir, self._progress, self._stop = workdir, progress, stop
        self._tasks: dict[Any, Group] = {}

    def submit(self, groups: list[Group]) -> None:
        self._tasks |= {self._start(group.number): group for group in groups}

    def next(self) -> tuple[Group, TooLarge | None] | None:
        ended: list[Any] = []
        while self._tasks and not ended:
            ended, _ = self._ray.wait(list(self._tasks), timeout=_GATHER_SECONDS)
            ledger = self._workdir.ledger()
            if ledger is not None:
                self._workdir.gather_rows(ledger)
            if self._stop.signal is not None:
                raise SweepStopped(f"{self._stop.signal}: tasks end, what they have not saved is done again")
        if not ended:
            return None
        group = self._tasks.pop(ended[0])
        too_large = _result(self._ray, ended[0], group.number)
        if too_large is None:
            self._progress.skip(group.work(group.steps[-1]))
            self._progress.say(f"group {group.number}: finished")
            return group, None
        return group, TooLarge(*too_large)


def _result(ray: Any, task: Any, number: int) -> tuple[int, str] | None:
    """What a task returned; what it found wrong is bad input here too."""
    try:
        answer: tuple[int, str] | None = ray.get(task)
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, ValueError | OSError):
            raise
        raise ValueError(f"group {number}: {error.cause}") from None
    return answer


def _run_group(config: dict[str, Any], path: str, number: int, verify_data: bool) -> tuple[int, str] | None:
    """The task: one group from its last checkpoint to its end; runs that would fit and why, if so many do not."""
    workdir = Workdir(path, group=number)
    verify_data = verify_data or workdir.was_cut_off(number)
    ledger = workdir.ledger()
    if ledger is None:
        raise ValueError(f"--workdir: {path} is not to be seen from a machine of the cluster; expected a shared one")
    sweep = prepare(ml_collections.ConfigDict(config), Workdir(path), verify_data)
    group = sweep.group(ledger, number)
    # Its predecessor may still be dying.
    with workdir.locked_group(number):
        workdir.begin_group_table(ledger.groups[number].runs)
        progress = Progress(None, group.work(group.steps[-1]), len(group.runs))
        try:
            run_group(group, sweep.inputs(group), workdir, progress, StopRequest())
        except TooLarge as answer:
            return answer.runs, answer.reason
        return None
