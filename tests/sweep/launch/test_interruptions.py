"""What a sweep does when it is stopped, killed, damaged or runs out of disk: real processes and real files."""

import errno
import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import pytest

from ncjax.results import append_rows, read_rows
from ncjax.sweep import GroupCheckpoints, SweepStopped, run_sweep
from ncjax.sweep.program.compiled_group import CompiledGroup
from tests.sweep import kills

pytestmark = pytest.mark.structure


@pytest.mark.slow
def test_a_sweep_killed_at_random_ends_with_the_table_of_an_uninterrupted_one():
    # Each phase is struck once; ``python -m tests.sweep.kills`` kills 25 times. It is a process of its own
    # because lives are forked, and a process that runs JAX must not fork.
    command = [sys.executable, "-m", "tests.sweep.kills", "--kills=5", "--cold=0", "--report=0"]
    done = subprocess.run(command, cwd=kills.ROOT, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 kills" in done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_between_checkpoints_and_the_same_call_goes_on(config, finished, tmp_path, monkeypatch, number):
    workdir = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(CompiledGroup, "train", signalling_at_step(4, number))
        with pytest.raises(SweepStopped, match=rf"{number.name}: group 0 saved at step 5 of 12"):
            run_sweep(config, workdir)
    # Measured at 0, 2 and 4.
    assert len(read_rows(workdir / "results.jsonl")) == 6
    run_sweep(config, workdir)
    assert kills.rows_without_times(workdir) == finished


def signalling_at_step(step, number):
    """Training in slices of one step that sends this process a signal."""
    train = CompiledGroup.train

    def one_step(self, state, start, size):
        state = train(self, state, start, size)
        self.slice_steps = 1
        if start == step:
            signal.raise_signal(number)
        return state

    return one_step


@pytest.mark.slow
def test_sigterm_ends_a_command_with_its_own_status_and_in_time(tmp_path):
    flags = [f"--config.{name}={value}" for name, value in kills.FLAGS.items() if value is not None]
    command = [sys.executable, "-m", "experiments.sweep", "--config=configs/quickstart.py", f"--workdir={tmp_path}"]
    environment = {**os.environ, "XLA_FLAGS": ""}
    process = subprocess.Popen(
        [*command, *flags, "--config.train.epochs=100000.0"],
        cwd=kills.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "results.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    began = time.monotonic()
    _, errors = process.communicate(timeout=60)
    assert time.monotonic() - began < 25
    assert process.returncode == 75
    assert "stopped: SIGTERM: group 0 saved at step" in errors


@pytest.mark.parametrize("harm", ["truncate", "garbage", "missing"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before_it(config, finished, tmp_path, capsys, harm):
    whole = tmp_path / "whole"
    newest = whole / "checkpoints" / "group_000" / "12"
    if harm == "missing":
        shutil.rmtree(newest / "default")
    for path in newest.rglob("*"):
        if path.is_file() and path.stat().st_size > 0:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if harm == "truncate" else b"\x5a" * 64)
    # Otherwise a finished group is not read at all.
    config.train.epochs = 8.0
    run_sweep(config, whole)
    assert "group 0: the checkpoint at step 12 is damaged; going on from step 4" in capsys.readouterr().err
    rows = kills.rows_without_times(whole)
    assert rows[: len(finished)] == finished
    assert rows[-1]["step"] == 24


def test_two_damaged_checkpoints_are_an_error_and_left_alone(config, finished, tmp_path):
    config.train.epochs = 8.0
    for path in (tmp_path / "whole" / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"no checkpoint in .*group_000 can be read"):
        run_sweep(config, tmp_path / "whole")
    assert {path.name for path in (tmp_path / "whole" / "checkpoints" / "group_000").iterdir()} >= {"4", "12"}


@pytest.fixture
def small_disk(tmp_path):
    """A directory in which little fits, and a function that makes room."""
    directory, room = tmp_path / "disk", tmp_path / "disk" / "filler"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(directory)], capture_output=True, check=False
    )
    if mounted.returncode == 0:
        room.write_bytes(b"\0" * 2_000_000)
        yield directory, room.unlink
        subprocess.run(["umount", "-l", str(directory)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    yield directory, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_full_disk_is_one_line_and_the_sweep_goes_on_when_there_is_room(config, finished, small_disk, capfd):
    directory, make_room = small_disk
    workdir = directory / "sweep"
    with pytest.raises(OSError, match=r"--workdir: no space left for .*; free some"):
        run_sweep(config, workdir)
    # Futures that Orbax left behind with the same error.
    gc.collect()
    assert "Traceback" not in capfd.readouterr().err
    make_room()
    run_sweep(config, workdir)
    assert kills.rows_without_times(workdir) == finished


def test_a_row_cut_off_by_a_full_disk_is_written_again(config, finished, tmp_path, monkeypatch):
    workdir, calls = tmp_path / "cut", []

    def half_of_the_third(path, rows):
        calls.append(path)
        rows = list(rows)
        if len(calls) == 3:
            append_rows(path, rows[:1])
            with path.open("a") as file:
                file.write(json.dumps({"run": 1, "step": 4}))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append_rows(path, rows)

    with monkeypatch.context() as patch:
        patch.setattr("ncjax.sweep.launch.run_group.results.append_rows", half_of_the_third)
        with pytest.raises(OSError, match="no space left"):
            run_sweep(config, workdir)
    run_sweep(config, workdir)
    assert kills.rows_without_times(workdir) == finished


def test_a_checkpoint_that_was_not_completed_is_not_seen(tmp_path):
    with GroupCheckpoints(tmp_path) as checkpoints:
        checkpoints.save(3, {"weights": [1.0]})
    (tmp_path / "5.orbax-checkpoint-tmp").mkdir()
    with GroupCheckpoints(tmp_path) as checkpoints:
        assert checkpoints.latest_step() == 3
