import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference


@pytest.mark.parametrize("imbalance", [False, True])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_parts_add_up_to_the_loss(imbalance, weight_decay):
    rng = np.random.default_rng(0)
    features, labels = reference.collapsed_features(rng, 4, 6, 30, offset=3.0, imbalance=imbalance)
    kernel, bias = rng.normal(size=(6, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    parts = metrics.mse_decomposition(metrics.class_stats(features, labels, 4), kernel, bias, weight_decay)
    residual = features.astype(np.float64) @ kernel + bias - np.eye(4)[labels]
    loss = (residual**2).sum(axis=1).mean() / 2 + weight_decay * (kernel.astype(np.float64) ** 2).sum() / 2
    np.testing.assert_allclose(float(sum(parts)), loss, rtol=1e-4)


def test_the_best_classifier_has_no_perpendicular_part():
    rng = np.random.default_rng(1)
    features, labels = reference.collapsed_features(rng, 3, 5, 40)
    extended = np.c_[features, np.ones(len(features))].astype(np.float64)
    solution = np.linalg.lstsq(extended, np.eye(3)[labels], rcond=None)[0]
    stats = metrics.class_stats(features, labels, 3)
    parts = metrics.mse_decomposition(stats, solution[:-1].astype(np.float32), solution[-1].astype(np.float32))
    assert float(parts.perp) < 1e-10
    assert float(parts.nc1) > 0
    assert float(parts.nc2_nc3) > 0


def test_collapsed_features_on_a_frame_cost_nothing_but_the_classifier():
    labels = np.repeat(np.arange(4), 5)
    stats = metrics.class_stats(reference.simplex_etf(4, 6)[labels].astype(np.float32), labels, 4)
    parts = metrics.mse_decomposition(stats, jnp.zeros((6, 4)), jnp.full(4, 0.25))
    np.testing.assert_allclose(np.array(parts), [0, 0, 3 / 8], atol=1e-6)


def best_parts(features, labels, num_classes, decay):
    """By the definitions in float64: what the best classifier of these features pays within classes and at their means.

    With weight decay the best one is ridge regression; without, of all with the least loss the one of least norm.
    """
    one_hot = np.eye(num_classes)[labels]
    centred, targets = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64), one_hot - one_hot.mean(0)
    covariance = centred.T @ centred / len(labels) + decay * np.eye(features.shape[1])
    best = np.linalg.pinv(covariance, rcond=1e-9, hermitian=True) @ centred.T @ targets / len(labels)
    means = (one_hot.T @ centred / one_hot.sum(axis=0)[:, None])[labels]
    nc1 = (((centred - means) @ best) ** 2).sum(axis=1).mean() / 2 + decay * (best**2).sum() / 2
    return nc1, ((means @ best - targets) ** 2).sum(axis=1).mean() / 2


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("dim", "per_class", "offset"), [(6, 30, 0.0), (6, 30, 1e4), (40, 6, 0.0)], ids=["plain", "far", "few samples"]
)
def test_the_first_two_parts_are_those_of_the_best_classifier(dim, per_class, offset, weight_decay):
    rng = np.random.default_rng(2)
    features, labels = reference.collapsed_features(rng, 4, dim, per_class, offset=offset, imbalance=True)
    kernel, bias = jnp.ones((dim, 4)), jnp.zeros(4)
    parts = metrics.mse_decomposition(metrics.class_stats(features, labels, 4), kernel, bias, weight_decay)
    truth = best_parts(features, labels, 4, weight_decay)
    # Single precision times the condition number of the features' covariance on its span, below 300; where the
    # features tell all samples apart both parts are 0 and their squares leave less.
    np.testing.assert_allclose([float(parts.nc1), float(parts.nc2_nc3)], truth, rtol=1e-4, atol=1e-8)
