import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from ncjax.sweep import make_mesh
from ncjax.training.sharding import batch_devices, divide, take_divided

ROWS = jnp.arange(15.0).reshape(5, 3)


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
def test_rows_that_do_not_divide_evenly_get_the_results_of_one_device(devices):
    def double(rows, factor):
        return {"rows": rows * factor, "sums": rows.sum(axis=1)}

    with jax.sharding.set_mesh(make_mesh(1, 1, devices)):
        results = jax.jit(lambda rows, factor: divide(double, rows, factor))(ROWS, 2.0)
    np.testing.assert_array_equal(results["rows"], 2 * ROWS)
    np.testing.assert_array_equal(results["sums"], ROWS.sum(axis=1))


def test_each_device_sees_its_part_alone():
    seen = []

    def note(rows):
        seen.append(rows.shape)
        return rows

    with jax.sharding.set_mesh(make_mesh(1, 1, 4)):
        assert batch_devices() == 4
        jax.jit(lambda rows: divide(note, rows))(ROWS)
    assert seen == [(2, 3)]


def test_a_batch_is_taken_without_a_message():
    index = jnp.array([4, 0, 2, 2])
    with jax.sharding.set_mesh(make_mesh(1, 1, 4)):
        program = jax.jit(take_divided).lower(ROWS, index).compile()
        taken = program(ROWS, index)
    np.testing.assert_array_equal(taken, ROWS[index])
    assert taken.sharding.shard_shape(taken.shape) == (1, 3)
    text = program.as_text() or ""
    assert text
    assert not any(word in text for word in ("all-reduce", "all-gather", "collective-permute"))


@pytest.mark.parametrize("distribution", ["rademacher", "gaussian", "orthogonal"])
def test_an_image_draws_the_same_probes_in_a_part_and_in_the_whole(distribution):
    matrix = jax.random.normal(jax.random.key(1), (3, 4))
    options = {"method": "probes", "num_probes": 2, "probe_distribution": distribution, "key": jax.random.key(0)}
    whole = metrics.geometric_complexity(lambda x: jnp.sin(x) @ matrix, ROWS, **options)
    part = metrics.geometric_complexity(lambda x: jnp.sin(x) @ matrix, ROWS[2:], first=2, **options)
    np.testing.assert_allclose(part.per_sample, whole.per_sample[2:], rtol=1e-6)
    other = metrics.geometric_complexity(lambda x: jnp.sin(x) @ matrix, ROWS[2:], **options)
    assert not np.allclose(other.per_sample, whole.per_sample[2:], rtol=1e-3)
