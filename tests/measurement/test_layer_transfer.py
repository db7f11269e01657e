"""How each layer serves the classes trained on and new ones; all tests share one compiled program of a tiny network."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import transfer
from ncjax.measurement import MeasureSpec, measure, outputs_of
from ncjax.measurement.checkpoint import checkpoint
from ncjax.measurement.collapse import collapse
from ncjax.measurement.few_shot import few_shot
from ncjax.measurement.layer_transfer import layer_transfer
from ncjax.training import Hyper, init_run
from ncjax.transfer import EpisodeSpec

EPISODES = EpisodeSpec(ways=2, shots=(1, 2), queries=3, episodes=40)
OPTIONS = MeasureSpec(chunk=4, complexity_probes=0, transfer=EPISODES, target_classes=2, layer_transfer=True)
TAPS = ("dense1", "embedding")


@pytest.fixture(scope="module")
def small_inputs(small_inputs):
    """Train labels that are not those of the test images: class means of test would give another error."""
    return dataclasses.replace(small_inputs, train_labels=(small_inputs.train_labels + 1) % 3)


@pytest.fixture(scope="module")
def state(small_spec):
    return init_run(small_spec, Hyper(), jnp.int32(0), (4, 4, 1))


@pytest.fixture(scope="module")
def rows(small_spec, small_inputs, state):
    """What was known before, what the layers add, and what they add where the nearest mean is not among the heads."""
    other = dataclasses.replace(OPTIONS, transfer=dataclasses.replace(EPISODES, heads=("ridge",)))

    @jax.jit
    def of(state, inputs):
        at = checkpoint(small_spec, OPTIONS, state, inputs)
        known = collapse(at, {})
        known |= few_shot(at, known)
        return known, layer_transfer(at, known), layer_transfer(dataclasses.replace(at, options=other), known)

    return of(state, small_inputs)


def activations(small_spec, small_inputs, state, split, tap):
    images = getattr(small_inputs, f"{split}_images")
    return np.asarray(outputs_of(small_spec, state, small_inputs, images)[tap], np.float64)


def test_the_columns_are_those_of_each_layer(rows):
    names = {f"target_layer/{tap}/accuracy_{shots}shot" for tap in TAPS for shots in (1, 2)}
    assert rows[1].keys() == names | {f"test_layer/{tap}/ncc_error" for tap in TAPS}


@pytest.mark.parametrize("shots", [1, 2])
def test_accuracy_at_the_embedding_is_that_of_the_target_classes(rows, shots):
    known, row, _ = rows
    assert row[f"target_layer/embedding/accuracy_{shots}shot"] == known[f"target/accuracy_{shots}shot"]


def test_the_error_at_the_embedding_is_that_of_test(rows):
    known, row, _ = rows
    assert row["test_layer/embedding/ncc_error"] == known["test/ncc_error"]


@pytest.mark.parametrize("tap", TAPS)
@pytest.mark.parametrize("shots", [1, 2])
def test_accuracy_is_that_of_the_nearest_mean_in_the_same_episodes(rows, small_spec, small_inputs, state, tap, shots):
    features = activations(small_spec, small_inputs, state, "target", tap)
    key = jax.random.split(jax.random.key(OPTIONS.seed))[1]
    drawn = transfer.sample_episodes(transfer.class_index(small_inputs.target_labels), key, EPISODES)
    means = features[np.asarray(drawn.support)[:, :, :shots]].mean(axis=2)
    queries = features[np.asarray(drawn.query)]
    nearest = np.square(queries[:, :, :, None] - means[:, None, None]).sum(axis=-1).argmin(axis=-1)
    expected = np.mean(nearest == np.arange(2)[None, :, None])
    np.testing.assert_allclose(rows[1][f"target_layer/{tap}/accuracy_{shots}shot"], expected, rtol=1e-5)


@pytest.mark.parametrize("tap", TAPS)
def test_the_error_is_that_of_the_class_means_of_train(rows, small_spec, small_inputs, state, tap):
    train, test = (activations(small_spec, small_inputs, state, split, tap) for split in ("train", "test"))
    means = np.stack([train[np.asarray(small_inputs.train_labels) == c].mean(axis=0) for c in range(3)])
    nearest = np.square(test[:, None] - means[None]).sum(axis=2).argmin(axis=1)
    expected = np.mean(nearest != np.asarray(small_inputs.test_labels))
    np.testing.assert_allclose(rows[1][f"test_layer/{tap}/ncc_error"], expected, atol=1e-6)


@pytest.mark.parametrize("tap", TAPS)
def test_the_heads_of_the_episodes_change_nothing(rows, tap):
    _, row, of_other_heads = rows
    name = f"target_layer/{tap}/accuracy_2shot"
    np.testing.assert_allclose(of_other_heads[name], row[name], rtol=1e-6)


def test_a_row_of_the_table_has_the_columns(rows, small_spec, small_inputs, state):
    row = jax.eval_shape(functools.partial(measure, small_spec, OPTIONS), state, small_inputs)
    assert rows[1].keys() <= row.keys()


def names_of(small_spec, small_inputs, state, **options):
    """Columns of a checkpoint with other options, without computing them."""

    def of(state, inputs):
        known = dict.fromkeys(("test/ncc_error", "target/accuracy_1shot", "target/accuracy_2shot"), jnp.float32(0))
        return layer_transfer(checkpoint(small_spec, dataclasses.replace(OPTIONS, **options), state, inputs), known)

    return jax.eval_shape(of, state, small_inputs).keys()


def test_what_is_off_is_not_there(small_spec, small_inputs, state):
    assert names_of(small_spec, small_inputs, state, layer_transfer=False) == set()


def test_without_episodes_the_classes_trained_on_are_measured_alone(small_spec, small_inputs, state):
    assert names_of(small_spec, small_inputs, state, transfer=None) == {f"test_layer/{tap}/ncc_error" for tap in TAPS}
