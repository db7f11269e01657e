"""Google's own compiler, which runs without a TPU."""

from collections import Counter

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from ncjax.hardware import collectives, find_topology, forecast
from ncjax.sweep import default_config, make_mesh
from ncjax.training import split_batch

pytestmark = pytest.mark.extras


@pytest.fixture(scope="module")
def topology():
    pytest.importorskip("libtpu", reason="needs the compiler of TPUs: pip install 'jax[tpu]'")
    return find_topology("v5e:2x2")


def test_a_gradient_over_a_divided_batch_is_one_sum(topology):
    mesh = make_mesh(1, 1, 4, topology.devices)
    everywhere = NamedSharding(mesh, PartitionSpec())

    def step(weights, images):
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            images = split_batch(images)
            first, second = jax.grad(lambda w: jnp.sum(jnp.tanh(jnp.tanh(images @ w[0]) @ w[1])))(weights)
        return weights[0] - first, weights[1] - second

    shapes = [
        jax.ShapeDtypeStruct(shape, jnp.float32, sharding=everywhere) for shape in ((64, 128), (128, 16), (32, 64))
    ]
    text = jax.jit(step, out_shardings=everywhere).lower(tuple(shapes[:2]), shapes[2]).compile().as_text() or ""
    assert [message.kind for message in collectives(text)] == ["all-reduce"]


@pytest.mark.parametrize(("runs", "batch"), [(1, 1), (3, 1), (9, 1), (1, 2), (1, 4)])
def test_a_slice_is_used_whole(topology, runs, batch):
    mesh = make_mesh(runs, 0, batch, topology.devices)
    assert mesh.devices.shape == (4 // batch, batch)
    assert len({device.id for device in mesh.devices.flat}) == 4


def test_a_part_of_a_slice_that_is_asked_for_need_be_no_rectangle(topology):
    assert make_mesh(3, 3, 1, topology.devices).devices.shape == (3, 1)


@pytest.mark.slow
def test_a_sweep_for_a_slice_says_sums_in_training_and_gathers_in_measuring(topology):
    config = default_config()
    config.data.name, config.data.target_classes = "digits", ("8", "9")
    config.model.name, config.model.widths = "mlp", (16, 8)
    config.train.batch_size, config.mesh.batch = 128, 4
    config.measure.complexity_samples = 16
    config.transfer.ways, config.transfer.shots, config.transfer.queries, config.transfer.episodes = 2, (1,), 5, 40
    (group,) = forecast(config, topology)
    said = Counter((message.place, message.kind) for message in group.collectives)
    assert {kind for place, kind in said if place == "training"} == {"all-reduce"}
    # Beside the outputs some indices, which the compiler divides though they are known beforehand.
    sums = [message.bytes for message in group.collectives if message.place == "measuring" and "reduce" in message.kind]
    assert {kind for place, kind in said if place == "measuring"} <= {"all-gather", "all-reduce"}
    assert sum(sums) < 1024
    assert {place for place, _ in said} == {"training", "measuring"}
    assert group.fit == group.runs
    assert 0 < group.needed_bytes < group.available_bytes
