"""The built wheel in an empty environment, far from the clone: metrics first, then a sweep and its report."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.extras, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[1]
METRICS = """
import numpy as np, jax, ncjax, sys
features, labels = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32), np.arange(40) % 2
stats = ncjax.metrics.class_stats(features, labels, 2)
options = dict(ways=2, shots=1, queries=2, episodes=5, head="logistic")
shots = ncjax.transfer.few_shot(features, labels, jax.random.key(0), **options)
print(ncjax.__file__, float(ncjax.metrics.cdnv(stats)) > 0, 0 <= float(shots.mean) <= 1)
"""
SWEEP = [
    "--config=quickstart",
    "--config.data.name=digits",
    '--config.data.target_classes=("7", "8", "9")',
    "--config.model.name=mlp",
    "--config.model.widths=(8,)",
    "--config.train.epochs=1.0",
    "--config.measure.checkpoints=2",
    "--config.measure.complexity_samples=8",
    "--config.sweep.l2=(0.0,)",
    "--config.sweep.seed=None",
    "--config.transfer.ways=3",
    "--config.transfer.episodes=4",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with an environment that holds the wheel alone."""
    place = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", place, ROOT], check=True, cwd=place)
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    install(place, "")
    return place


def install(place, extra):
    (wheel,) = place.glob("ncjax-*.whl")
    pip = [place / "venv" / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", f"{wheel}{extra}"], check=True, cwd=place)


def call(place, program, *arguments):
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "XLA_FLAGS")}
    command = [place / "venv" / "bin" / program, *arguments]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_alone_measures(place):
    done = call(place, "python", "-c", METRICS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1:] == ["True", "True"]
    assert Path(done.stdout.split()[0]).is_relative_to(place)
    there = call(place, "python", "-m", "pip", "list", "--format=freeze").stdout.lower()
    assert not any(f"{name}==" in there for name in ("flax", "pandas", "matplotlib", "tensorflow-datasets"))


def test_a_command_without_the_extra_says_what_to_install(place):
    done = call(place, "ncjax", "sweep", "--help")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not installed; pip install 'ncjax[experiments]'" in done.stderr


def test_with_the_extra_a_sweep_runs_and_is_reported(place):
    install(place, "[experiments]")
    swept = call(place, "ncjax", "sweep", "--workdir=runs/tiny", *SWEEP)
    assert swept.returncode == 0, swept.stderr
    reported = call(place, "ncjax", "report", "--workdir=runs/tiny")
    assert reported.returncode == 0, reported.stderr
    assert (place / "runs" / "tiny" / "report" / "report.html").is_file()
    listed = call(place, "ncjax", "runs", "--workdir=runs/tiny", "--where=learning_rate>0.03", "--csv=picked.csv")
    assert "2 of 3 runs" in listed.stdout, listed.stderr
    assert len((place / "picked.csv").read_text().splitlines()) == 3
