"""Groups as Ray tasks; the real Ray, where it is installed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ncjax.sweep.launch.ray_tasks import run_sweep_on_ray, task_options
from tests.sweep import kills


@pytest.mark.extras
@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_the_table_is_that_of_a_local_sweep(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed: pip install 'ncjax[ray]'")
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweep.launch.test_ray_tasks", str(tmp_path)],
        cwd=kills.ROOT,
        env={**os.environ, "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed worker" in done.stdout


@pytest.mark.parametrize("resources", ["TPU", "[1]", '{"TPU": -1}', '{"GPU": "1"}'])
def test_resources_that_are_none_are_an_error(resources):
    with pytest.raises(ValueError, match=r"--ray\.resources: got .* expected JSON such as"):
        task_options(resources)


def test_without_ray_the_error_says_how_to_get_it(config, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'ncjax\[ray\]'"):
        run_sweep_on_ray(config, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def workers_of(workdir):
    """Numbers of the processes that have a file below a directory open for a task."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            names = [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(name.startswith(f"{workdir}/checkpoints/lock_") for name in names):
            found.append(int(process.name))
    return found


def main(directory):
    """Runs a sweep on Ray, kills a worker as soon as there are rows, and compares with a local sweep."""
    command = [sys.executable, "-m", "experiments.sweep", "--config=configs/quickstart.py"]
    flags = [f"--config.{name}={value}" for name, value in kills.FLAGS.items() if value is not None]
    flags += ["--config.train.epochs=400.0", "--config.sweep.l2=(0.0,)", "--config.sweep.seed=(0,)"]
    there = Path(directory) / "ray"
    on_ray = [*command, *flags, f"--workdir={there}", "--launcher=ray", '--ray.resources={"CPU": 1}']
    process = subprocess.Popen(on_ray, cwd=kills.ROOT)
    while not list(there.glob("checkpoints/rows_*.jsonl")) or not (workers := workers_of(there)):
        assert process.poll() is None
        time.sleep(0.1)
    time.sleep(1.0)
    os.kill(workers[0], signal.SIGKILL)
    print(f"killed worker {workers[0]}", flush=True)
    assert process.wait() == 0
    here = Path(directory) / "local"
    # A worker of Ray has one device.
    subprocess.run([*command, *flags, f"--workdir={here}", "--cpu_devices=1"], cwd=kills.ROOT, check=True)
    ours, theirs = (
        sorted(kills.rows_without_times(path), key=lambda row: (row["run"], row["step"])) for path in (there, here)
    )
    assert ours == theirs
    print(f"the same {len(ours)} rows")


if __name__ == "__main__":
    main(sys.argv[1])
