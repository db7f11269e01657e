import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import models
from ncjax.measurement import MeasureSpec, collapse, measure
from ncjax.training import Hyper, init_run, map_chunks
from ncjax.transfer import EpisodeSpec

OPTIONS = MeasureSpec(
    chunk=4,
    complexity_probes=0,
    transfer=EpisodeSpec(ways=2, shots=(1, 2), queries=3, episodes=5, heads=("ncm", "ridge", "logistic")),
    target_classes=2,
)


@pytest.fixture(scope="module")
def state(small_spec):
    return init_run(small_spec, Hyper(), jnp.int32(0), (4, 4, 1))


@pytest.fixture(scope="module")
def row(small_spec, small_inputs, state):
    return jax.jit(functools.partial(measure, small_spec, OPTIONS))(state, small_inputs)


@pytest.fixture(scope="module")
def embed(small_spec, state):
    model = models.build(small_spec.model, 3)
    return lambda x: model.apply(state.variables, x)[1]["embedding"]


def normalised(images, inputs):
    return jnp.asarray((np.asarray(images) / 255.0 - np.asarray(inputs.mean)) / np.asarray(inputs.std), jnp.float32)


def test_every_promised_column_is_there_and_finite(row):
    collapse = ["cdnv", "nc1", "variance_ratio", "vci", "nc2_equinorm", "nc2_equiangularity", "nc2_maxangle", "nc2_etf"]
    complexity = ["geometric_complexity", "geometric_complexity_stderr"]
    complexity += ["geometric_collapse_tight", "geometric_collapse_pooled"]
    both = [*collapse, *complexity, "nc3", "nc4", "ncc_error", "loss", "error", "nc2_equinorm_classifier"]
    expected = {f"{split}/{name}" for split in ("train", "test") for name in both}
    expected |= {f"target/{name}" for name in [*collapse, *complexity]} | {"test/strong_variance", "test/weak_variance"}
    expected |= {f"target/accuracy{head}_{shots}shot" for head in ("", "_ridge", "_logistic") for shots in (1, 2)}
    expected |= {f"target/{name}_{shots}shot" for name in ("nearest_mean_bound",) for shots in (1, 2)}
    expected |= {"target/accuracy_logistic_2shot_gradient_norm"}
    expected |= {
        f"{layer}/{tap}/variance_ratio" for layer in ("layer", "test_layer") for tap in ("dense1", "embedding")
    }
    assert expected <= row.keys()
    assert all(np.isfinite(value) for value in row.values())


def test_error_and_cdnv_are_those_of_the_whole_split(row, embed, small_inputs, small_spec, state):
    images = normalised(small_inputs.test_images, small_inputs)
    labels = np.asarray(small_inputs.test_labels)
    logits, taps = models.build(small_spec.model, 3).apply(state.variables, images)
    np.testing.assert_allclose(row["test/error"], np.mean(logits.argmax(axis=1) != labels), rtol=1e-6)
    h = np.asarray(taps["embedding"], np.float64)
    means = np.stack([h[labels == c].mean(axis=0) for c in range(3)])
    variances = [np.square(h[labels == c] - means[c]).sum(axis=1).mean() for c in range(3)]
    pairs = [(i, j) for i in range(3) for j in range(3) if i != j]
    cdnv = np.mean([(variances[i] + variances[j]) / (2 * np.sum((means[i] - means[j]) ** 2)) for i, j in pairs])
    np.testing.assert_allclose(row["test/cdnv"], cdnv, rtol=1e-4)


def test_nearest_means_on_the_test_split_are_those_of_train(row, small_inputs, small_spec, state):
    model = models.build(small_spec.model, 3)
    apply = functools.partial(model.apply, state.variables)
    train = np.asarray(apply(normalised(small_inputs.train_images, small_inputs))[1]["embedding"], np.float64)
    means = np.stack([train[np.asarray(small_inputs.train_labels) == c].mean(axis=0) for c in range(3)])
    logits, taps = apply(normalised(small_inputs.test_images, small_inputs))
    test = np.asarray(taps["embedding"], np.float64)
    nearest = np.square(test[:, None] - means[None]).sum(axis=2).argmin(axis=1)
    np.testing.assert_allclose(row["test/nc4"], np.mean(nearest != logits.argmax(axis=1)), atol=1e-6)
    np.testing.assert_allclose(row["test/ncc_error"], np.mean(nearest != small_inputs.test_labels), atol=1e-6)


@pytest.mark.parametrize("split", ["train", "test", "target"])
def test_geometric_complexity_is_the_mean_squared_jacobian_on_the_sample(row, embed, small_inputs, split):
    images, sample = (np.asarray(getattr(small_inputs, f"{split}_{part}")) for part in ("images", "sample"))
    jacobians = jax.vmap(jax.jacrev(lambda x: embed(x[None])[0]))(normalised(images[sample], small_inputs))
    squares = np.square(np.asarray(jacobians, np.float64)).sum(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(row[f"{split}/geometric_complexity"], squares.mean(), rtol=1e-4)
    stderr = squares.std(ddof=1) / np.sqrt(len(sample))
    np.testing.assert_allclose(row[f"{split}/geometric_complexity_stderr"], stderr, rtol=1e-3)


def test_the_nearest_mean_bound_is_that_of_the_episodes_ways_and_shots(row):
    for shots in (1, 2):
        bound = 16 * (2 - 1) * (1 + 2 / shots) * row["target/cdnv"]
        np.testing.assert_allclose(row[f"target/nearest_mean_bound_{shots}shot"], bound, rtol=1e-6)


def test_complexity_by_probes_agrees_with_the_exact_value_within_its_error(small_spec, small_inputs, state, row):
    options = MeasureSpec(chunk=4, complexity_probes=400, target_classes=2)
    estimated = jax.jit(functools.partial(measure, small_spec, options))(state, small_inputs)
    # 400 Rademacher probes: the relative error of a sample's estimate is below √(2/400); 5 of these are never reached.
    exact = row["train/geometric_complexity"]
    assert abs(estimated["train/geometric_complexity"] - exact) < 5 * np.sqrt(2 / 400) * exact
    assert "target/accuracy_1shot" not in estimated


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_chunks_change_nothing(chunk):
    images = jnp.arange(7 * 4, dtype=jnp.uint8).reshape(7, 2, 2, 1)
    sums = map_chunks(lambda x: {"sum": x.sum(axis=(1, 2, 3))}, images, chunk)["sum"]
    np.testing.assert_array_equal(sums, np.asarray(images).sum(axis=(1, 2, 3)))


def test_stages_stand_from_input_to_output():
    taps = ["block10", "block2", "embedding", "stem", "block1"]
    assert sorted(taps, key=collapse._depth) == ["stem", "block1", "block2", "block10", "embedding"]
