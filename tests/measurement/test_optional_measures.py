"""Measures that single claims need; all tests share one compiled program of a tiny network."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import measurement, metrics, models, training, transfer
from ncjax.measurement import MeasureSpec, measure
from ncjax.training import Hyper, init_run, sample_losses

pytestmark = pytest.mark.slow

OPTIONS = MeasureSpec(
    chunk=4, complexity_probes=0, target_classes=2, flatness_samples=6, hessian_probes=4, sam_radius=0.1,
    first_layer=True, estimator_sizes=(1, 3, 7), bounds=True, directional=True, ranks=True, layers=True, fine_classes=3,
    scores=True,
)  # fmt: skip
PREFIXES = ("estimate/", "fine/")
NAMES = {
    *(f"train/{name}" for name in ("loss_gradient_norm", "sam_sharpness", "hessian_trace", "hessian_trace_stderr")),
    *("train/first_layer_slope", "train/first_layer_bound", "train/poincare_lower_bound"),
    *(f"{split}/{name}" for split in ("train", "test") for name in ("nearest_mean_bound", "complexity_bound")),
    *("train/chain_slack", "test/chain_slack"),
    *("train/directional_geometric_collapse", "train/directional_complexity_bound", "train/nc0"),
    *(
        f"{split}/{name}"
        for split in ("train", "test", "target")
        for name in (
            *("rankme", "effective_rank", "stable_rank", "participation_ratio", "spectrum_slope", "top_variance"),
            "class_separation",
        )
    ),
    *(f"layer/{tap}/{name}" for tap in ("dense1", "embedding") for name in ("effective_rank", "nc1")),
    *(f"target/{name}" for name in ("log_me", "h_score", "h_score_shrunk", "gbc", "trans_rate", "leep")),
    *(f"{split}/directional_cdnv" for split in ("train", "test", "target")),
    *("train/classifier_certificate", "test/classifier_certificate"),
}


@pytest.fixture(scope="module")
def inputs(small_dataset):
    return training.run_inputs(small_dataset, complexity_samples=9, fine_labels=True, poincare=True)


@pytest.fixture(scope="module")
def state(small_spec):
    return init_run(small_spec, Hyper(), jnp.int32(0), (4, 4, 1))


@pytest.fixture(scope="module")
def row(small_spec, inputs, state):
    return jax.jit(functools.partial(measure, small_spec, OPTIONS))(state, inputs)


@pytest.fixture(scope="module")
def jacobians(small_spec, inputs, state):
    """Of the embedding on the sample, [9, 5, 16]."""
    model = models.build(small_spec.model, 3)
    embed = lambda x: model.apply(state.variables, x[None])[1]["embedding"][0]  # noqa: E731
    jacobians = jax.vmap(jax.jacrev(embed))(pixels(inputs, inputs.train_sample_images))
    return np.asarray(jacobians, np.float64).reshape(9, 5, 16)


def pixels(inputs, images):
    return jnp.asarray((np.asarray(images) / 255.0 - np.asarray(inputs.mean)) / np.asarray(inputs.std), jnp.float32)


def test_what_is_off_is_not_there_and_what_is_on_is_finite(row, small_spec, small_inputs, state):
    off = jax.eval_shape(functools.partial(measure, small_spec, MeasureSpec(target_classes=2)), state, small_inputs)
    optional = row.keys() - off.keys()
    assert {name for name in optional if not name.startswith(PREFIXES)} == NAMES
    # An embedding of 5 dimensions has no eigenvalues 5 to 50 to put a line through.
    assert {name for name in optional if not np.isfinite(row[name])} == {
        f"{split}/spectrum_slope" for split in ("train", "test", "target")
    }


def test_directional_collapse_and_the_certificate_are_those_of_the_embedding(row, small_spec, inputs, state):
    images, labels = inputs.train_images, inputs.train_labels
    features = measurement.outputs_of(small_spec, state, inputs, images)["embedding"]
    np.testing.assert_allclose(row["train/directional_cdnv"], metrics.directional_cdnv(features, labels, 3), rtol=1e-4)
    weights = models.classifier_weights(state.variables)
    certificate = metrics.classifier_certificate(features, labels, 3, *weights)
    np.testing.assert_allclose(row["train/classifier_certificate"], certificate.bound, rtol=1e-4)


def test_ranks_are_those_of_the_embedding_and_the_layers(row, small_spec, inputs, state):
    outputs = measurement.outputs_of(small_spec, state, inputs, inputs.train_images)
    for tap in ("dense1", "embedding"):
        values = np.linalg.svd(np.asarray(outputs[tap] - outputs[tap].mean(axis=0, keepdims=True), float))[1]
        shares = values[values > 1e-7 * values[0]] / values.sum()
        expected = np.exp(-(shares * np.log(shares)).sum())
        np.testing.assert_allclose(row[f"layer/{tap}/effective_rank"], expected, rtol=1e-4, err_msg=tap)
        stats = metrics.class_stats(outputs[tap], inputs.train_labels, 3)
        np.testing.assert_allclose(row[f"layer/{tap}/nc1"], metrics.nc1(stats), rtol=1e-4, err_msg=tap)
    kernel, _ = models.classifier_weights(state.variables)
    np.testing.assert_allclose(row["train/nc0"], metrics.nc0(kernel), rtol=1e-5)
    assert row["train/effective_rank"] == row["layer/embedding/effective_rank"]
    assert row["train/nc1"] == row["layer/embedding/nc1"]


def test_scores_are_those_of_the_target_classes(row, small_spec, inputs, state):
    features = measurement.outputs_of(small_spec, state, inputs, inputs.target_images)["embedding"]
    for name, value in transfer.scores(features, inputs.target_labels, 2).items():
        np.testing.assert_allclose(row[f"target/{name}"], value, rtol=1e-4, err_msg=name)
    logits = measurement.outputs_of(small_spec, state, inputs, inputs.target_images)["logits"]
    np.testing.assert_allclose(row["target/leep"], transfer.leep(logits, inputs.target_labels, 2), rtol=1e-4)


def test_the_directional_bound_is_that_of_the_jacobians(row, small_spec, inputs, state, jacobians):
    features = measurement.outputs_of(small_spec, state, inputs, inputs.train_images)["embedding"]
    labels, sampled = np.asarray(inputs.train_labels), np.asarray(inputs.train_labels)[np.asarray(inputs.train_sample)]
    means = np.stack([np.asarray(features, np.float64)[labels == c].mean(axis=0) for c in range(3)])
    shares = np.zeros((3, 3))
    for i, j in itertools.permutations(range(3), 2):
        line = means[j] - means[i]
        squares = (np.einsum("e,nex->nx", line, jacobians[sampled == i]) ** 2).sum(axis=1)
        shares[i, j] = squares.mean() / (line @ line) ** 2
    np.testing.assert_allclose(row["train/directional_geometric_collapse"], shares.sum() / 6, rtol=1e-4)
    ratios = 4 * float(row["train/poincare_lower_bound"]) * shares
    bound = np.minimum((ratios / (1 + ratios)).sum(axis=1), 1).mean()
    np.testing.assert_allclose(row["train/directional_complexity_bound"], bound, rtol=1e-4)


def test_flatness_is_that_of_the_mean_loss_on_the_sample(row, small_spec, inputs, state):
    model, labels = models.build(small_spec.model, 3), inputs.train_labels[inputs.train_sample[:6]]

    def loss(params):
        logits, _ = model.apply({**state.variables, "params": params}, pixels(inputs, inputs.train_sample_images[:6]))
        return sample_losses(logits, labels, "cross_entropy").mean()

    gradient = jax.grad(loss)(state.params)
    norm = np.sqrt(sum(np.sum(np.square(leaf, dtype=np.float64)) for leaf in jax.tree.leaves(gradient)))
    np.testing.assert_allclose(row["train/loss_gradient_norm"], norm, rtol=1e-5)
    raised = jax.tree.map(lambda weight, slope: weight + 0.1 * slope / norm, state.params, gradient)
    np.testing.assert_allclose(row["train/sam_sharpness"], loss(raised) - loss(state.params), rtol=1e-3)


def test_the_first_layer_bound_is_above_the_exact_complexity(row, jacobians):
    slopes = np.square(jacobians[:6]).sum(axis=(1, 2))
    np.testing.assert_allclose(row["train/first_layer_slope"], slopes.mean(), rtol=1e-4)
    assert row["train/first_layer_bound"] >= row["train/first_layer_slope"]


def test_estimators_are_compared_on_the_sample(row, jacobians):
    squares = np.square(jacobians).sum(axis=(1, 2))
    np.testing.assert_allclose(row["estimate/exact/geometric_complexity"], squares.mean(), rtol=1e-5)
    # 9 images, 5 outputs, one product a sample: two whole examples, with the error of all their choices.
    means = [squares[list(choice)].mean() for choice in itertools.combinations(range(9), 2)]
    np.testing.assert_allclose(row["estimate/examples_1/relative_error"], np.std(means) / squares.mean(), rtol=1e-3)
    assert row["estimate/examples_1/products"] == 2 * 5
    assert {f"estimate/{name}_3/relative_error" for name in ("outputs", "inputs", "probes")} <= row.keys()


def test_bounds_follow_from_collapse_by_the_poincare_constant(row, inputs, small_dataset):
    factor = 16 * 2 * (1 + 2 / 5)
    np.testing.assert_allclose(row["test/nearest_mean_bound"], factor * row["test/cdnv"], rtol=1e-5)
    constant = row["train/poincare_lower_bound"]
    bound = factor * constant * row["train/geometric_collapse_tight"]
    np.testing.assert_allclose(row["train/complexity_bound"], bound, rtol=1e-5)
    images = pixels(inputs, small_dataset.train.images).reshape(15, -1)
    tops = [
        np.linalg.eigvalsh(np.cov(np.asarray(images)[small_dataset.train.labels == c].T, bias=True))[-1]
        for c in range(3)
    ]
    np.testing.assert_allclose(constant, max(tops), rtol=1e-3)


def test_probes_are_fitted_on_train_and_judged_on_test(row, small_spec, inputs, state):
    outputs = [
        measurement.outputs_of(small_spec, state, inputs, images)["embedding"]
        for images in (inputs.train_images, inputs.test_images)
    ]
    accuracy = transfer.knn_accuracy(outputs[0], inputs.train_labels, outputs[1], inputs.test_labels, 3)
    np.testing.assert_allclose(row["fine/knn_accuracy"], accuracy)
    stats = metrics.class_stats(outputs[0], inputs.train_labels, 3)
    np.testing.assert_allclose(row["fine/cdnv"], metrics.cdnv(stats), rtol=1e-4)
