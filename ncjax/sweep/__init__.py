"""Sweeps: a grid of runs, advanced by compiled programs, measured into one results table."""

from ncjax.sweep.axes import AXES
from ncjax.sweep.checkpoints import GroupCheckpoints
from ncjax.sweep.config import SWEEP_AXES, SweepPlan, default_config, read_config
from ncjax.sweep.environment import count_compilations, environment, peak_memory_bytes
from ncjax.sweep.grid import Run, expand, groups, swept_axes
from ncjax.sweep.ledger import Ledger, read_ledger
from ncjax.sweep.local import call_in_words, run_sweep
from ncjax.sweep.program import (
    ProgramSpec,
    advance_group,
    init_group,
    make_mesh,
    replicate,
    resolve_batch_devices,
    resolve_sharing,
    stack_runs,
)
from ncjax.sweep.results import append_rows, keep_rows, read_rows, read_table
from ncjax.sweep.schedule import checkpoint_steps
from ncjax.sweep.signals import STOPPED, SweepStopped
from ncjax.sweep.states import TrainedRun, read_run, read_runs
from ncjax.sweep.workdir import check_workdir, claim_workdir, is_running

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
    "advance_group",
    "append_rows",
    "call_in_words",
    "check_workdir",
    "checkpoint_steps",
    "claim_workdir",
    "count_compilations",
    "default_config",
    "environment",
    "expand",
    "groups",
    "init_group",
    "is_running",
    "keep_rows",
    "make_mesh",
    "peak_memory_bytes",
    "read_config",
    "read_ledger",
    "read_rows",
    "read_run",
    "read_runs",
    "read_table",
    "replicate",
    "resolve_batch_devices",
    "resolve_sharing",
    "run_sweep",
    "stack_runs",
    "swept_axes",
]
