"""Forecasts, for devices of this machine in the place of a slice: the compiler divides programs among them alike."""

import dataclasses
from collections import Counter

import jax
import pytest

from ncjax import data
from ncjax.hardware import Chip, Topology, forecast
from ncjax.sweep import default_config

CHIP = Chip("cpu", memory=2**30, bandwidth=1e9, operations=1e12, highest=1.0, links=1e9)


def slice_of(number, **changes):
    return Topology(f"cpu:{number}", dataclasses.replace(CHIP, **changes), jax.devices()[:number])


@pytest.fixture
def config(monkeypatch, small_dataset):
    monkeypatch.setattr(data, "load", lambda _: small_dataset)
    config = default_config()
    config.model.name, config.model.widths, config.model.norm = "mlp", (6, 5), "batch"
    config.train.epochs, config.train.batch_size = 4.0, 8
    config.sweep.learning_rate = (0.05, 0.2)
    config.measure.checkpoints, config.measure.complexity_samples = 4, 9
    config.runs_axis = "vmap"
    config.transfer.ways, config.transfer.shots, config.transfer.queries, config.transfer.episodes = 2, (1,), 2, 10
    return config


def messages(group):
    return Counter((message.place, message.kind) for message in group.collectives)


def test_along_runs_devices_have_nothing_to_tell_each_other(config):
    (group,) = forecast(config, slice_of(2))
    assert (group.mesh, group.runs, group.fit) == ((2, 1), 2, 2)
    assert group.collectives == ()


def test_along_a_batch_training_says_sums_and_measuring_gathers_each_output_once(config):
    config.mesh.batch = 4
    (group,) = forecast(config, slice_of(8))
    assert group.mesh == (2, 4)
    said = messages(group)
    assert {kind for place, kind in said if place == "training"} == {"all-reduce"}
    # One for each output of the networks, one for complexity, one for the episodes.
    assert {kind for place, kind in said if place == "measuring"} == {"all-gather"}
    assert said["measuring", "all-gather"] <= 6
    assert not any(place == "outside" for place, _ in said)


@pytest.mark.slow
def test_too_many_runs_take_turns(config):
    config.sweep.seed = tuple(range(32))
    (whole,) = forecast(config, slice_of(1))
    assert whole.fit == whole.runs == 64
    (group,) = forecast(config, slice_of(1, memory=whole.needed_bytes))
    assert 1 <= group.fit < 64
    assert group.needed_bytes * 1.25 <= whole.needed_bytes
    turns = -(-64 // group.fit)
    assert group.measure_seconds >= turns * whole.measure_seconds / 64


def test_data_that_do_not_fit_are_streamed(config, small_dataset):
    config.stream.train = "always"
    (group,) = forecast(config, slice_of(2))
    assert group.streamed
    assert group.step_operations > 0
    assert messages(group) == {}


@pytest.mark.slow
def test_data_that_is_not_here_has_its_published_sizes(config, monkeypatch):
    def missing(_):
        raise data.NotPreparedError("not here")

    monkeypatch.setattr(data, "load", missing)
    config.data.name, config.model.widths = "cifar10", (3,)
    config.measure.complexity_samples = 20
    (group,) = forecast(config, slice_of(2))
    # 50,000 and 10,000 images of 3,072 bytes lie on each device.
    assert group.argument_bytes > 60_000 * 3072


def test_groups_are_chosen_by_number(config):
    config.sweep.batch_size = (4, 8)
    assert [group.batch_size for group in forecast(config, slice_of(2), [1])] == [8]
    with pytest.raises(ValueError, match="--groups: got 7, expected numbers from 0 to 1"):
        list(forecast(config, slice_of(2), [7]))


@pytest.mark.slow
def test_the_operations_of_convolutions_do_not_depend_on_how_they_are_written(config):
    config.model.name, config.model.widths, config.model.norm = "convnet4", (4, 8), "none"
    counted = {}
    for config.model.lowering in ("xla", "matmul"):
        (group,) = forecast(config, slice_of(1))
        counted[config.model.lowering] = group.step_operations, group.measure_seconds
    assert counted["xla"] == counted["matmul"]
    assert counted["xla"][0] > 0
