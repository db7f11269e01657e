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
