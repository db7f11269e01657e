"""Sweeps: a grid of runs, advanced by compiled programs, measured into one results table."""

from ncjax.results import read_table
from ncjax.sweep.launch.local import call_in_words, run_sweep
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
from ncjax.sweep.workdir.directory import check_workdir, claim_workdir, is_running
from ncjax.sweep.workdir.environment import count_compilations, environment, peak_memory_bytes
from ncjax.sweep.workdir.ledger import Ledger, read_ledger

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
    "make_mesh",
    "peak_memory_bytes",
    "read_config",
    "read_ledger",
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
