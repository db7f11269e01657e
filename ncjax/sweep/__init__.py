"""Sweeps: a grid of runs, advanced by compiled programs, measured into one results table."""

from ncjax.sweep.config import SWEEP_AXES, SweepPlan, default_config, read_config
from ncjax.sweep.environment import count_compilations, environment, peak_memory_bytes
from ncjax.sweep.grid import Run, expand, groups
from ncjax.sweep.local import run_sweep
from ncjax.sweep.program import ProgramSpec, advance_group, init_group, make_mesh, resolve_sharing, stack_runs
from ncjax.sweep.restored import RestoredRun, read_workdir, restore_run
from ncjax.sweep.results import append_rows, keep_rows, read_rows, read_table
from ncjax.sweep.schedule import checkpoint_steps
from ncjax.sweep.workdir import check_workdir, claim_workdir

__all__ = [
    "SWEEP_AXES",
    "ProgramSpec",
    "RestoredRun",
    "Run",
    "SweepPlan",
    "advance_group",
    "append_rows",
    "check_workdir",
    "checkpoint_steps",
    "claim_workdir",
    "count_compilations",
    "default_config",
    "environment",
    "expand",
    "groups",
    "init_group",
    "keep_rows",
    "make_mesh",
    "peak_memory_bytes",
    "read_config",
    "read_rows",
    "read_table",
    "read_workdir",
    "resolve_sharing",
    "restore_run",
    "run_sweep",
    "stack_runs",
]
