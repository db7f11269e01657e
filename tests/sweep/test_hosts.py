"""Two real processes that make one JAX runtime run one sweep."""

import os
import socket
import subprocess
import sys
import time

import pytest

from ncjax.sweep import STOPPED, hosts
from tests.sweep import kills

WAIT_SECONDS = 300
FLAGS = [
    f"--config.{name}={value}"
    for name, value in kills.FLAGS.items()
    if value is not None and name != "sweep.batch_size"
]
CLEARED = ["--config.sweep.batch_size=(10,)", "--config.sweep.l2=(0.0,)", "--config.sweep.seed=(0,)"]


def launch(workdir, cache, number=None, port=None):
    command = [sys.executable, "-m", "experiments.sweep", "--config=configs/quickstart.py", f"--workdir={workdir}"]
    flags = [*FLAGS, *CLEARED, "--config.train.epochs=1000.0"]
    if number is not None:
        flags += ["--distributed", f"--coordinator=localhost:{port}", "--num_processes=2"]
        # Nothing here is to be taken for dead because the machine is busy.
        flags += [f"--process_id={number}", "--heartbeat=600"]
    environment = {**os.environ, "XLA_FLAGS": "", "NCJAX_CACHE_DIR": str(cache)}
    return subprocess.Popen(
        [*command, *flags], cwd=kills.ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def launch_both(folder):
    port = free_port()
    return [launch(folder / "two", folder / "cache", number, port) for number in (0, 1)]


def free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@pytest.mark.slow
def test_two_processes_give_the_results_of_one_and_outlive_a_killed_one(tmp_path):
    both = launch_both(tmp_path)
    # They are at work: the beginning is saved, and three seconds of training are ahead.
    saved = tmp_path / "two" / "checkpoints" / "group_000" / "0"
    while not saved.exists():
        assert all(process.poll() is None for process in both), both[0].communicate()
        time.sleep(0.01)
    both[1].kill()
    began = time.monotonic()
    _, errors = both[0].communicate(timeout=WAIT_SECONDS)
    assert time.monotonic() - began < 60
    assert both[0].returncode == STOPPED, errors
    (last,) = [line for line in errors.splitlines() if line.startswith("stopped: ")]
    assert last.startswith("stopped: another process of the sweep ended (")
    assert last.endswith("the same command on every host goes on")
    assert "Traceback" not in errors
    both[1].communicate()

    for process in launch_both(tmp_path):
        _, errors = process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode == 0, errors
    one = launch(tmp_path / "one", tmp_path / "cache")
    _, errors = one.communicate(timeout=WAIT_SECONDS)
    assert one.returncode == 0, errors
    ours, theirs = (kills.rows_without_times(tmp_path / name) for name in ("two", "one"))
    assert [(row["run"], row["step"]) for row in ours] == [(row["run"], row["step"]) for row in theirs]
    for row, other in zip(ours, theirs, strict=True):
        assert row["train/loss"] == pytest.approx(other["train/loss"], rel=1e-3, abs=1e-5)


def test_half_of_an_address_is_an_error():
    with pytest.raises(ValueError, match="expected --coordinator, --num_processes and --process_id together"):
        hosts.join(coordinator="localhost:1")


def test_one_process_is_all_processes():
    assert hosts.is_writer()
    assert hosts.agree(4, 0) == (4, 0)
    with pytest.raises(OSError, match="full"):
        hosts.shared(lambda: (_ for _ in ()).throw(OSError("full")))
