"""Trains, measures and transfers a grid of runs.

python -m experiments.sweep --config=quickstart --workdir=DIR [--config.sweep.learning_rate='(0.01, 0.1)']

The same command resumes a sweep that was interrupted; with more values on an axis, or more epochs, it runs what is
missing. SIGTERM and Ctrl-C save at the next step and end the process with status 75, within 20 seconds.

Every value of the config is a flag, as --config.train.epochs=8.0; given several times, the last counts. An axis is
taken off by --config.sweep.l2=None.

Several hosts: the same command on each with --distributed; outside clusters that JAX knows, also
--coordinator=HOST:PORT --num_processes=N --process_id=I. Several machines: --launcher=ray [--ray.address=ADDRESS]
[--ray.resources='{"TPU": 4}'].
"""

import contextlib
import os
import re
import shlex
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from absl import flags

from ncjax.cli import entry as launch
from ncjax.cli.config_flag import asked_config, define_config
from ncjax.cli.help import as_called

CONFIG = define_config()
WORKDIR = flags.DEFINE_string("workdir", None, "Directory or URL (gs://, s3://) for results.", **launch.SHARED)
LAUNCHER = flags.DEFINE_enum("launcher", "local", ["local", "ray"], "Who runs the groups: this process, or Ray's.")
RAY_ADDRESS = flags.DEFINE_string("ray.address", None, "Of a Ray cluster; by default Ray is started on this machine.")
RAY_RESOURCES = flags.DEFINE_string("ray.resources", "{}", "JSON of what each Ray task takes: CPU, GPU, TPU, …")
DISTRIBUTED = flags.DEFINE_boolean("distributed", False, "Run on several hosts; the same command on each.")
COORDINATOR = flags.DEFINE_string("coordinator", None, "With --distributed: HOST:PORT of the first process.")
NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "With --distributed: processes in all.")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "With --distributed: number of this process, from 0.")
HEARTBEAT = flags.DEFINE_integer("heartbeat", 60, "With --distributed: seconds until a silent process counts as dead.")
CPU_DEVICES = flags.DEFINE_integer(
    "cpu_devices", 0, "On CPUs: so many runs train at once; 0 for two where there are two cores.", lower_bound=0
)
PROFILE = flags.DEFINE_integer("profile", 0, "Write a JAX profile of so many steps to profile/.", lower_bound=0)
VERIFY_DATA = flags.DEFINE_boolean("verify_data", False, "Read all data first and compare them with their checksums.")
flags.mark_flags_as_required(["config", "workdir"])


def main() -> None:
    """Runs the sweep that the flags describe and says where its results lie."""
    import jax

    from ncjax.sweep import STOPPED, SweepStopped, call_in_words

    try:
        with _workdir() as workdir, _telling():
            summary = _run(workdir)
    except SweepStopped as stopped:
        _stop(f"{stopped}; the same command goes on", STOPPED)
    except BaseException as error:
        if jax.process_count() == 1:
            raise
        _end_all(error)
    if jax.process_index() > 0:
        return
    print(call_in_words(summary))
    name = str(WORKDIR.value).rstrip("/") or "/"
    print(f"results: {name}/results.jsonl ({summary['rows']} rows)")
    print(as_called(f"next: python -m experiments.report --workdir={shlex.quote(name)}"))


def _workdir() -> contextlib.AbstractContextManager[Path]:
    """The directory of this machine that the sweep works in."""
    import jax

    from ncjax.sweep.launch import bucket_copies as cloud

    name = str(WORKDIR.value)
    if not cloud.is_cloud(name):
        return contextlib.nullcontext(Path(name))
    if LAUNCHER.value == "ray":
        raise ValueError(f"--workdir: got {name}, expected with --launcher=ray a directory that all machines share")
    # The first process alone reads and writes it.
    return cloud.writing(name) if jax.process_index() == 0 else contextlib.nullcontext(cloud.scratch(name) / "workdir")


def _run(workdir: Path) -> dict[str, Any]:
    from ncjax.sweep import run_sweep

    config = asked_config(CONFIG)
    if LAUNCHER.value == "ray":
        from ncjax.sweep.launch.ray_tasks import run_sweep_on_ray

        if DISTRIBUTED.value or PROFILE.value:
            raise ValueError("--launcher: ray goes with neither --distributed nor --profile")
        return run_sweep_on_ray(config, workdir, RAY_ADDRESS.value, str(RAY_RESOURCES.value), bool(VERIFY_DATA.value))
    return run_sweep(config, workdir, int(PROFILE.value or 0), bool(VERIFY_DATA.value))


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Tells the other processes of an error before a last copy of the workdir takes its time."""
    from ncjax.sweep import SweepStopped
    from ncjax.sweep.program import faults

    try:
        yield
    except SweepStopped:
        raise
    except BaseException as error:
        faults.tell(*_line_and_status(error))
        raise


def _end_all(error: BaseException) -> NoReturn:
    """Ends this process because of an error, and the others of the sweep with it."""
    from ncjax.sweep import STOPPED
    from ncjax.sweep.program import faults

    line, status = _line_and_status(error)
    faults.tell(line, status)
    if status == STOPPED:
        _stop(line, status)
    if status == launch.BAD_INPUT:
        print(f"error: {line}", file=sys.stderr)
    else:
        traceback.print_exception(error)
    _leave(status)


def _line_and_status(error: BaseException) -> tuple[str, int]:
    """What an error is in one line, and the status to end with."""
    import jax

    from ncjax.sweep import STOPPED
    from ncjax.sweep.program import faults

    # The runtime's errors come as ValueErrors where a program is handed over, and begin with a status all the same.
    of_runtime = isinstance(error, jax.errors.JaxRuntimeError) or (
        isinstance(error, ValueError) and re.match(r"(UNKNOWN|INTERNAL|UNAVAILABLE|ABORTED|CANCELLED): ", str(error))
    )
    if of_runtime and jax.process_count() > 1:
        # A process that is gone shows as an error of whatever spoke to it; it may have said why.
        if said := faults.heard():
            faults.end_as_told(said)
        reason = str(error).partition("\n")[0]
        return f"another process of the sweep ended ({reason}); the same command on every host goes on", STOPPED
    line = " ".join(str(error).split())
    if isinstance(error, ValueError | OSError) and not launch.raised_by(error, "site-packages"):
        return line, launch.BAD_INPUT
    return ": ".join(filter(None, (type(error).__name__, line))), 1


def _leave(status: int) -> NoReturn:
    """Ends at once: leaving in order would wait for processes that are gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _stop(line: str, status: int) -> NoReturn:
    print(f"stopped: {line}", file=sys.stderr)
    _leave(status)


def join_hosts() -> None:
    """Joins the other processes, if the flags say that there are some."""
    from ncjax.sweep.program import hosts

    given = [COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value]
    if DISTRIBUTED.value:
        hosts.join(COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value, int(HEARTBEAT.value or 60))
    elif any(value is not None for value in given):
        raise ValueError("--coordinator, --num_processes, --process_id: expected --distributed with them")


def divide_cores() -> None:
    """Makes a CPU pass for as many devices as the flags say, unless the environment of JAX or XLA says it."""
    import jax

    asked = int(CPU_DEVICES.value or 0)
    by_environment = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    if by_environment or "JAX_NUM_CPU_DEVICES" in os.environ:
        if asked:
            raise ValueError(f"--cpu_devices: got {asked}, but the environment says how many (JAX_NUM_CPU_DEVICES)")
        return
    # Two halves of a thread pool are busier with small networks than the whole. Other processes of the sweep may be on
    # this machine.
    alone = not DISTRIBUTED.value and LAUNCHER.value == "local"
    jax.config.update("jax_num_cpu_devices", asked or (min(2, _cores()) if alone else 1))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _before_devices() -> None:
    join_hosts()
    divide_cores()


def start() -> None:
    """Runs the command."""
    launch.run(main, first=_before_devices)
