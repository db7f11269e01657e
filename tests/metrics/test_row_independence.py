import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(6, 5)), jnp.float32)


def batch_norm(stored: bool):
    layer = flax.linen.BatchNorm(use_running_average=stored)
    state = layer.init(jax.random.key(0), IMAGES)
    return lambda x: layer.apply(state, x, mutable=["batch_stats"])[0]


def test_batch_statistics_are_found():
    with pytest.raises(ValueError, match="couples the rows of its batch"):
        metrics.check_row_independence(batch_norm(stored=False), IMAGES)


def test_stored_averages_pass():
    metrics.check_row_independence(batch_norm(stored=True), IMAGES)


def test_half_precision_passes():
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(5, 7)), jnp.bfloat16)
    metrics.check_row_independence(lambda x: x.astype(jnp.bfloat16) @ weights, IMAGES)


def test_a_shuffled_batch_is_found():
    with pytest.raises(ValueError, match="couples"):
        metrics.check_row_independence(lambda x: x[::-1], IMAGES)


def test_one_row_cannot_tell():
    with pytest.raises(ValueError, match="at least 2 rows"):
        metrics.check_row_independence(lambda x: x, IMAGES[:1])
