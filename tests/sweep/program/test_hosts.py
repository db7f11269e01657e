"""Two real processes that make one JAX runtime run one sweep."""

import os
import socket
import subprocess
import sys
import time

import pytest

from ncjax.sweep import STOPPED
from ncjax.sweep.program import hosts
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
    both[1].communicate()
    began = time.monotonic()
    _, errors = both[0].communicate(timeout=WAIT_SECONDS)
    assert time.monotonic() - began < 60
    assert both[0].returncode == STOPPED, errors
    (last,) = [line for line in errors.splitlines() if line.startswith("stopped: ")]
    assert last.startswith("stopped: another process of the sweep ended (")
    assert last.endswith("the same command on every host goes on")
    assert "Traceback" not in errors

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


def ends(case, folder):
    """Statuses and the last lines of what both processes of a case say, within a minute of their start."""
    port = free_port()
    environment = {**os.environ, "XLA_FLAGS": "", "NCJAX_CACHE_DIR": str(folder)}
    command = [sys.executable, "-m", "tests.sweep.two_hosts", str(port)]
    both = [
        subprocess.Popen(
            [*command, str(number), case], cwd=kills.ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
        for number in (0, 1)
    ]
    said = [process.communicate(timeout=WAIT_SECONDS)[1].splitlines() for process in both]
    return [process.returncode for process in both], [lines[-1] if lines else "" for lines in said], said


@pytest.mark.parametrize("case", ["sharing", pytest.param("large", marks=pytest.mark.slow)])
def test_what_the_first_process_has_the_other_gets_to_the_bit_and_both_fail_alike(case, tmp_path):
    statuses, _, said = ends(case, tmp_path)
    assert statuses == [0, 0], said


@pytest.mark.parametrize(
    ("case", "failing", "status", "line"),
    [
        ("bad_input_second", 1, 2, "no file"),
        ("fault_first", 0, 1, "ZeroDivisionError: a fault"),
        pytest.param("bad_input_first", 0, 2, "--flag: got 1, expected 2", marks=pytest.mark.slow),
        pytest.param("fault_second", 1, 1, "TypeError: a fault", marks=pytest.mark.slow),
        pytest.param("interrupted_second", 1, 1, "KeyboardInterrupt", marks=pytest.mark.slow),
        pytest.param("late", 0, 2, "one host alone; expected at most 2", marks=pytest.mark.slow),
    ],
)
def test_any_exception_in_one_process_ends_both_with_a_line(case, failing, status, line, tmp_path):
    statuses, last, said = ends(case, tmp_path)
    assert statuses == [status, status], said
    assert last[failing].endswith(line)
    (told,) = [each for each in said[1 - failing] if "Gloo" not in each]
    assert told.startswith(f"stopped: process {failing} of the sweep: ")
    assert told.endswith(line)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "status"), [("bad_input_both", 2), ("stopped", STOPPED)])
def test_what_ends_both_alike_is_said_by_each(case, status, tmp_path):
    statuses, last, said = ends(case, tmp_path)
    assert statuses == [status, status], said
    assert last[0] == last[1] != ""


def test_facts_are_what_json_can_hold():
    with pytest.raises(TypeError, match="not JSON serializable"):
        hosts.shared(lambda: object())


def test_half_of_an_address_is_an_error():
    with pytest.raises(ValueError, match="expected --coordinator, --num_processes and --process_id together"):
        hosts.join(coordinator="localhost:1")


def test_one_process_is_all_processes():
    assert hosts.is_writer()
    assert hosts.agree(4, 0) == (4, 0)
    with pytest.raises(OSError, match="full"):
        hosts.shared(lambda: (_ for _ in ()).throw(OSError("full")))
