"""Sweeps: a grid of runs, advanced by compiled programs, measured into one results table."""

import warnings
from typing import Any

from ncjax.results import read_table
from ncjax.sweep.launch.loop import call_in_words, run_sweep
from ncjax.sweep.launch.signals import STOPPED, SweepStopped
from ncjax.sweep.launch.trained_runs import TrainedRun, read_run, read_runs, recorded_plugins
from ncjax.sweep.plan.config import SWEEP_AXES, default_config, read_config
from ncjax.sweep.plan.grid import expand, groups, swept_axes
from ncjax.sweep.plan.measuring_times import checkpoint_steps
from ncjax.sweep.plan.options import AXES
from ncjax.sweep.plan.sweep_plan import Run, SweepPlan
from ncjax.sweep.program.group_program import ProgramSpec, advance_group, init_group
from ncjax.sweep.program.mesh import make_mesh, replicate, resolve_batch_devices, resolve_sharing, stack_runs
from ncjax.sweep.workdir.checkpoints import GroupCheckpoints
from ncjax.sweep.workdir.environment import count_compilations, environment, peak_memory_bytes
from ncjax.sweep.workdir.ledger import Ledger
from ncjax.sweep.workdir.lock import is_running
from ncjax.sweep.workdir.workdir import Workdir

__all__ = [
    "AXES",
    "STOPPED",
    "SWEEP_AXES",
    "GroupCheckpoints",
    "Ledger",
    "ProgramSpec",
    "Run",
    "SweepPlan",
    "SweepStopped",
    "TrainedRun",
    "Workdir",
    "advance_group",
    "call_in_words",
    "checkpoint_steps",
    "count_compilations",
    "default_config",
    "environment",
    "expand",
    "groups",
    "init_group",
    "is_running",
    "make_mesh",
    "peak_memory_bytes",
    "read_config",
    "read_run",
    "read_runs",
    "read_table",
    "recorded_plugins",
    "replicate",
    "resolve_batch_devices",
    "resolve_sharing",
    "run_sweep",
    "stack_runs",
    "swept_axes",
]

_RENAMED: dict[str, tuple[str, Any]] = {
    "check_workdir": ("Workdir.check", lambda config, workdir: Workdir(workdir).check(config)),
    "claim_workdir": ("Workdir.claim", lambda config, workdir, *rest: Workdir(workdir).claim(config, *rest)),
    "read_ledger": ("Workdir.ledger", lambda workdir: Workdir(workdir).ledger()),
}


def __getattr__(name: str) -> Any:
    """Names of the version before."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new, function = _RENAMED[name]
    warnings.warn(f"ncjax.sweep.{name} is now ncjax.sweep.{new}", DeprecationWarning, stacklevel=2)
    return function
