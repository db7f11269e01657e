import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics


def net(weights, images):
    return jnp.tanh(images @ weights["first"]) @ weights["second"]


def test_penalty_and_its_gradient_are_unbiased():
    rng = np.random.default_rng(0)
    weights = {
        "first": jnp.asarray(rng.normal(size=(4, 6)), jnp.float32),
        "second": jnp.asarray(rng.normal(size=(6, 3)), jnp.float32),
    }
    images = jnp.asarray(rng.normal(size=(5, 4)), jnp.float32)

    def exact(weights):
        return metrics.geometric_complexity(lambda x: net(weights, x), images).mean

    @jax.jit
    @jax.vmap
    def draw(key):
        return jax.value_and_grad(lambda w: metrics.complexity_penalty(lambda x: net(w, x), images, key))(weights)

    draws = draw(jax.random.split(jax.random.key(0), 4000))
    truth = jax.value_and_grad(exact)(weights)
    for got, right in zip(jax.tree.leaves(draws), jax.tree.leaves(truth), strict=True):
        spread = np.std(got, axis=0) / np.sqrt(len(got)) + 1e-6
        assert np.abs((np.mean(got, axis=0) - right) / spread).max() < 5


def test_more_probes_average():
    images = jnp.ones((3, 2))
    keys = jax.random.split(jax.random.key(1), 500)
    A = jnp.array([[1.0, 2.0], [3.0, 1.0]])
    spreads = [
        np.std(jax.vmap(lambda key, k=k: metrics.complexity_penalty(lambda x: x @ A, images, key, num_probes=k))(keys))
        for k in (1, 4)
    ]
    np.testing.assert_allclose(spreads[1], spreads[0] / 2, rtol=0.2)


def test_the_penalty_needs_a_probe():
    with pytest.raises(ValueError, match="num_probes must be at least 1, got 0"):
        metrics.complexity_penalty(lambda x: x, jnp.ones((2, 2)), jax.random.key(0), num_probes=0)
