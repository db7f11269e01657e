import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import models
from ncjax.training import Hyper, sample_losses, sample_order, squared_gradient_norm, squared_spectral_norms
from tests.training.test_run import run, start_of


def with_spectrum(values, rows, columns, seed=0):
    """A matrix of the singular values, with its first singular vectors."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(size, len(values))))[0] for size in (rows, columns))
    return (left * values) @ right.T, left[:, 0], right[:, 0]


def test_the_squared_gradient_norm_of_a_quadratic_is_known_and_so_is_its_gradient():
    root = np.random.default_rng(0).normal(size=(4, 4))
    curvature, at = root + root.T, np.array([1.0, -2.0, 0.5, 3.0])

    def loss(w):
        return 0.5 * w["w"] @ jnp.asarray(curvature, jnp.float32) @ w["w"]

    penalty = jax.jit(jax.value_and_grad(lambda w: squared_gradient_norm(loss, w)))
    value, gradient = penalty({"w": jnp.asarray(at, jnp.float32)})
    np.testing.assert_allclose(value, np.sum((curvature @ at) ** 2), rtol=1e-5)
    np.testing.assert_allclose(gradient["w"], 2 * curvature @ curvature @ at, rtol=1e-4)


@pytest.mark.parametrize("shape", [(9, 5), (5, 9)])
def test_the_largest_singular_value_is_found_and_its_gradient_is_the_outer_product_of_its_vectors(shape):
    matrix, left, right = with_spectrum([3.0, 2.4, 1.0], *shape)
    params = {"kernel": jnp.asarray(matrix, jnp.float32)}
    value, gradient = jax.jit(jax.value_and_grad(squared_spectral_norms))(params)
    np.testing.assert_allclose(value, 9.0, rtol=1e-5)
    np.testing.assert_allclose(gradient["kernel"], 6.0 * np.outer(left, right), atol=2e-2)


def test_spectral_norms_are_those_of_kernels_alone_and_of_convolutions_as_matrices():
    dense, convolution = with_spectrum([2.0, 0.1], 4, 3)[0], with_spectrum([5.0, 0.1], 18, 6)[0]
    params = {
        "block": {"conv": {"kernel": jnp.asarray(convolution.reshape(3, 3, 2, 6), jnp.float32)}},
        "dense": {"kernel": jnp.asarray(dense, jnp.float32), "bias": jnp.full(3, 100.0)},
        "norm": {"scale": jnp.full(6, 100.0)},
    }
    np.testing.assert_allclose(squared_spectral_norms(params), 4.0 + 25.0, rtol=1e-5)


def test_a_layer_of_zeros_has_a_spectral_norm_and_gradient_of_zero():
    value, gradient = jax.value_and_grad(squared_spectral_norms)({"kernel": jnp.zeros((3, 2))})
    assert value == 0
    np.testing.assert_array_equal(gradient["kernel"], np.zeros((3, 2)))


def test_one_step_is_gradient_descent_on_the_penalised_loss(small_spec, small_inputs):
    spec = dataclasses.replace(small_spec, terms=("gradient_norm_penalty", "spectral_penalty"))
    hyper = Hyper(learning_rate=0.3, gradient_norm_penalty=0.2, spectral_penalty=0.1)
    before = start_of(small_spec)
    batch = sample_order(jnp.int32(0), jnp.int32(0), 15)[:4]
    pixels = np.asarray(small_inputs.train_images)[batch] / 255.0
    images = jnp.asarray((pixels - np.asarray(small_inputs.mean)) / np.asarray(small_inputs.std), jnp.float32)

    def loss(params):
        logits, _ = models.build(small_spec.model, 3).apply({"params": params}, images)
        return sample_losses(logits, small_inputs.train_labels[batch], "cross_entropy").mean()

    def objective(params):
        gradient = jax.grad(loss)(params)
        kernels = [layer["kernel"] for layer in params.values()]
        return (
            loss(params)
            + 0.2 * sum(jnp.sum(g**2) for g in jax.tree.leaves(gradient))
            + 0.05 * sum(jnp.linalg.norm(kernel, ord=2) ** 2 for kernel in kernels)
        )

    slope = jax.jit(jax.grad(objective))(before.params)
    after = run(spec, small_inputs, hyper, state=before)
    # The tolerance is that of twenty power iterations on kernels whose singular values lie close together.
    jax.tree.map(
        lambda new, old, g: np.testing.assert_allclose(new, old - 0.3 * g, atol=3e-3),
        after.params,
        before.params,
        slope,
    )
