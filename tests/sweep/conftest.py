"""A sweep of two runs on the smallest data set; all tests share its compiled program, and many its finished workdir."""

import shutil

import fsspec
import pytest

from ncjax import data
from ncjax.sweep import default_config, run_sweep
from tests.sweep.kills import rows_without_times


def make_config():
    """On one device and without transfer, which is half of the program."""
    config = default_config()
    config.model.name = "mlp"
    config.model.widths = (6, 5)
    config.train.epochs = 4.0
    config.train.batch_size = 4
    config.sweep.learning_rate = (0.05, 0.2)
    config.measure.checkpoints = 4
    config.measure.complexity_samples = 9
    config.mesh.runs = 1
    config.transfer.ways = 2
    config.transfer.shots = (1,)
    config.transfer.queries = 2
    config.transfer.episodes = 0
    return config


@pytest.fixture
def config(monkeypatch, small_dataset):
    monkeypatch.setattr(data, "load", lambda _: small_dataset)
    return make_config()


@pytest.fixture(scope="session")
def finished_workdir(tmp_path_factory, small_dataset):
    workdir = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", lambda _: small_dataset)
        run_sweep(make_config(), workdir)
    return workdir


@pytest.fixture
def finished(finished_workdir, tmp_path):
    """The rows of the finished sweep, a copy of which lies in ``whole``."""
    shutil.copytree(finished_workdir, tmp_path / "whole")
    return rows_without_times(tmp_path / "whole")


@pytest.fixture
def url(tmp_path):
    yield f"memory://bucket/{tmp_path.name}"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Goes to a machine of a name."""
    return lambda name: monkeypatch.setenv("NCJAX_SCRATCH_DIR", str(tmp_path / name))
