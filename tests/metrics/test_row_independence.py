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


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 6, 8, 12])
@pytest.mark.parametrize("far", [False, True])
def test_groups_of_rows_are_found_however_they_lie(stride, far):
    """Ghost batch norm: every row with those beside it, or with those a stride away."""
    images = jnp.tile(IMAGES[:4], (6, 1)) + jnp.arange(24.0)[:, None]

    def grouped(x):
        groups = x.reshape((-1, stride, 5) if far else (stride, -1, 5))
        return (groups - groups.mean(axis=0 if far else 1, keepdims=True)).reshape(-1, 5)

    with pytest.raises(ValueError, match="couples the rows of its batch"):
        metrics.check_row_independence(grouped, images)


@pytest.mark.parametrize("rows", [2, 5])
def test_any_single_pair_of_coupled_rows_is_found(rows):
    images = jnp.ones((rows, 2)) * jnp.arange(1.0, rows + 1)[:, None]
    for source in range(rows):
        for reached in set(range(rows)) - {source}:
            with pytest.raises(ValueError, match="couples"):
                metrics.check_row_independence(
                    lambda x, source=source, reached=reached: x.at[reached].add(x[source]), images
                )


def test_half_precision_passes():
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(5, 7)), jnp.bfloat16)
    metrics.check_row_independence(lambda x: x.astype(jnp.bfloat16) @ weights, IMAGES)


def test_complex_outputs_pass():
    metrics.check_row_independence(jnp.fft.fft, IMAGES)


def test_a_shuffled_batch_is_found():
    with pytest.raises(ValueError, match="couples"):
        metrics.check_row_independence(lambda x: x[::-1], IMAGES)


def test_random_numbers_are_found():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"no function of its input.*turn off dropout"):
        metrics.check_row_independence(lambda x: x * rng.normal(), IMAGES)


def test_dropout_with_a_fixed_key_is_found():
    layer = flax.linen.Dropout(0.5, deterministic=False)

    def drop(x):
        return layer.apply({}, x, rngs={"dropout": jax.random.key(0)})

    with pytest.raises(ValueError, match=r"treats a row by its place.*turn off dropout"):
        metrics.check_row_independence(drop, IMAGES)


def test_the_size_of_the_batch_must_not_matter():
    with pytest.raises(ValueError, match="by the batch's size"):
        metrics.check_row_independence(lambda x: x * x.shape[0], IMAGES)


def test_what_is_not_finite_cannot_tell():
    with pytest.raises(ValueError, match="embed must return finite numbers"):
        metrics.check_row_independence(lambda x: x / 0, IMAGES)


def test_one_row_cannot_tell():
    with pytest.raises(ValueError, match="at least 2 rows"):
        metrics.check_row_independence(lambda x: x, IMAGES[:1])
