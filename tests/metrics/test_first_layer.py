import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.normal(size=(7, 2, 3)), jnp.float32)
KERNEL = jnp.asarray(RNG.normal(size=(6, 8)), jnp.float32)
HEAD = jnp.asarray(RNG.normal(size=(8, 20)) / 3, jnp.float32)


def network(kernel, images):
    return jnp.sin(jnp.tanh(images.reshape(images.shape[0], -1) @ kernel + 0.3) @ HEAD)


def test_both_sides_are_those_of_the_dense_jacobians():
    sides = metrics.first_layer_inequality(network, KERNEL, IMAGES)
    jacobian = jax.jit(jax.vmap(jax.jacobian(lambda kernel, x: network(kernel, x[None])[0], (0, 1)), (None, 0)))
    along_kernel, along_image = (np.asarray(part, np.float64) for part in jacobian(KERNEL, IMAGES))
    slope = (along_kernel**2).sum(axis=(1, 2, 3))
    lengths = (np.asarray(IMAGES, np.float64) ** 2).sum(axis=(1, 2))
    np.testing.assert_allclose(sides.input_slope, (along_image**2).sum(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(sides.bound, np.linalg.norm(KERNEL, 2) ** 2 / lengths * slope, rtol=1e-5)


def test_the_slope_averages_to_the_geometric_complexity():
    sides = metrics.first_layer_inequality(network, KERNEL, IMAGES)
    complexity = metrics.geometric_complexity(lambda x: network(KERNEL, x), IMAGES).mean
    np.testing.assert_allclose(float(sides.input_slope.mean()), float(complexity), rtol=1e-5)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_the_inequality_holds(scale):
    sides = metrics.first_layer_inequality(network, scale * KERNEL, IMAGES)
    assert np.all(np.asarray(sides.input_slope) <= np.asarray(sides.bound) * (1 + 1e-5))


def test_it_is_an_equality_for_an_orthogonal_kernel():
    kernel = jnp.asarray(np.linalg.qr(RNG.normal(size=(6, 6)))[0], jnp.float32)
    sides = metrics.first_layer_inequality(
        lambda kernel, x: jnp.tanh(x.reshape(x.shape[0], -1) @ kernel), kernel, IMAGES
    )
    np.testing.assert_allclose(sides.input_slope, sides.bound, rtol=1e-4)


def test_a_kernel_that_does_not_fit_is_named(unchecked):
    with pytest.raises(ValueError, match="kernel must have 6 rows, one for each entry of an image, got shape"):
        metrics.first_layer_inequality(network, KERNEL[:5], IMAGES)
