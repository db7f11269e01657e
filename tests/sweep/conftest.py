"""A sweep of two runs on the smallest data set; all tests share its compiled program."""

import pytest

from ncjax import data
from ncjax.sweep import default_config


@pytest.fixture
def small_sweep_config(monkeypatch, small_dataset):
    monkeypatch.setattr(data, "load", lambda _: small_dataset)
    config = default_config()
    config.model.name = "mlp"
    config.model.widths = (6, 5)
    config.train.epochs = 4.0
    config.train.batch_size = 4
    config.sweep.learning_rate = (0.05, 0.2)
    config.measure.checkpoints = 4
    config.measure.complexity_samples = 9
    config.transfer.ways = 2
    config.transfer.shots = (1,)
    config.transfer.queries = 2
    config.transfer.episodes = 4
    return config


@pytest.fixture
def smaller_sweep_config(small_sweep_config):
    """Without transfer, which is half of the program, and on one device."""
    small_sweep_config.transfer.episodes = 0
    small_sweep_config.mesh.runs = 1
    return small_sweep_config
