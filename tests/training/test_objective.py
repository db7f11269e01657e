import jax.numpy as jnp
import numpy as np
import pytest

from ncjax.training import Hyper, regularised_loss, sample_losses

LOGITS = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
LABELS = np.array([0, 2])


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_is_minus_the_targets_log_probability(smoothing):
    log_probability = LOGITS - np.log(np.exp(LOGITS).sum(axis=1, keepdims=True))
    target = np.eye(3)[LABELS] * (1 - smoothing) + smoothing / 3
    losses = sample_losses(jnp.array(LOGITS), jnp.array(LABELS), "cross_entropy", smoothing)
    np.testing.assert_allclose(losses, -(target * log_probability).sum(axis=1), rtol=1e-6)


def test_mse_is_half_the_squared_distance_to_the_one_hot_target():
    losses = sample_losses(jnp.array(LOGITS), jnp.array(LABELS), "mse")
    np.testing.assert_allclose(losses, [0.5 * (1 + 0 + 1), 0.5], rtol=1e-6)


def test_an_unknown_loss_is_named():
    with pytest.raises(ValueError, match="loss: got 'hinge'"):
        sample_losses(jnp.array(LOGITS), jnp.array(LABELS), "hinge")


def test_every_term_of_the_objective_counts_once():
    params = {"a": jnp.array([1.0, 2.0]), "b": jnp.array([[2.0]])}
    hyper = Hyper(l2=0.2, gc_penalty=0.1, spectral_penalty=0.3)
    total = regularised_loss(jnp.array(0.5), params, hyper, {"gc_penalty": 3.0, "spectral_penalty": 2.0})
    np.testing.assert_allclose(total, 0.5 + 0.5 * 0.2 * 9 + 0.1 * 3 + 0.3 * 2, rtol=1e-6)
