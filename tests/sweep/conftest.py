"""A sweep of two runs on the smallest data set; all tests share its compiled program."""

import pytest

from ncjax import data
from tests import small


@pytest.fixture
def smaller_sweep_config(monkeypatch, small_dataset):
    """Without transfer, which is half of the program, and on one device."""
    monkeypatch.setattr(data, "load", lambda _: small_dataset)
    return small.smaller_config()


@pytest.fixture
def small_sweep_config(smaller_sweep_config):
    config = smaller_sweep_config
    config.transfer.ways = 2
    config.transfer.shots = (1,)
    config.transfer.queries = 2
    config.transfer.episodes = 4
    config.mesh.runs = 0
    return config
