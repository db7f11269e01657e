import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics

RNG = np.random.default_rng(0)
KERNELS = RNG.normal(size=(12, 9)).astype(np.float32), RNG.normal(size=(9, 7)).astype(np.float32) / 3
IMAGES = RNG.normal(size=(150, 3, 4)).astype(np.float32)


def network(images):
    return jnp.tanh(images.reshape(len(images), -1) @ KERNELS[0]) @ KERNELS[1]


@pytest.fixture(scope="module")
def matrix():
    """The average gradient outer product by its definition in double precision."""
    first, second = (kernel.astype(np.float64) for kernel in KERNELS)
    hidden = np.tanh(IMAGES.reshape(150, -1).astype(np.float64) @ first)
    jacobians = np.einsum("he,nh,xh->nex", second, 1 - hidden**2, first)
    return np.einsum("nex,ney->xy", jacobians, jacobians) / 150


def test_products_are_those_of_the_matrix(matrix):
    vectors = RNG.normal(size=(5, 3, 4)).astype(np.float32)
    products = metrics.gradient_outer_products(network, IMAGES, vectors)
    assert products.shape == (5, 3, 4)
    expected = vectors.reshape(5, -1) @ matrix
    np.testing.assert_allclose(products.reshape(5, -1), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_its_trace_is_the_geometric_complexity(matrix):
    trace = jnp.trace(metrics.gradient_outer_products(network, IMAGES, np.eye(12).reshape(12, 3, 4)).reshape(12, 12))
    exact = metrics.geometric_complexity(network, IMAGES, method="exact").mean
    assert float(trace) == pytest.approx(float(exact), rel=1e-5)
    assert float(trace) == pytest.approx(np.trace(matrix), rel=1e-5)


def test_the_top_directions_are_the_eigenvectors(matrix):
    values, vectors = np.linalg.eigh(matrix)
    top = metrics.top_input_directions(network, IMAGES, jax.random.key(0), num_values=3)
    np.testing.assert_allclose(top.values, values[::-1][:3], rtol=1e-5)
    assert top.vectors.shape == (3, 3, 4)
    for number, direction in enumerate(np.asarray(top.vectors)):
        assert np.linalg.norm(direction) == pytest.approx(1, rel=1e-5)
        # Gaps between these eigenvalues are a tenth of the largest and more: so much is rounding blown up.
        assert abs(direction.reshape(-1) @ vectors[:, -1 - number]) == pytest.approx(1, abs=1e-4)
    assert (np.asarray(top.residuals) < 1e-4 * np.asarray(top.values)).all()


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_directions_do_not_depend_on_the_scale_of_the_outputs(scale):
    one = metrics.top_input_directions(network, IMAGES, jax.random.key(0), num_values=2)
    other = metrics.top_input_directions(lambda x: scale * network(x), IMAGES, jax.random.key(0), num_values=2)
    np.testing.assert_allclose(np.asarray(other.values, float) / scale**2, one.values, rtol=1e-5)
    np.testing.assert_allclose(other.vectors, one.vectors, atol=1e-4)


def test_a_constant_function_has_no_direction_but_zero():
    top = metrics.top_input_directions(lambda x: 0 * network(x), IMAGES, jax.random.key(0))
    assert float(top.values[0]) == 0


def test_few_products_say_by_the_residual_that_they_are_few(matrix):
    top = metrics.top_input_directions(network, IMAGES, jax.random.key(0), num_values=1, num_products=2)
    values = np.linalg.eigvalsh(matrix)
    assert np.abs(values - float(top.values[0])).min() <= float(top.residuals[0]) * (1 + 1e-4)
    assert float(top.residuals[0]) > 1e-3 * float(top.values[0])


def test_a_function_of_one_direction_has_one():
    line = np.zeros((3, 4), np.float32)
    line[1, 2] = 2
    top = metrics.top_input_directions(
        lambda x: jnp.einsum("nhw,hw->n", x, line)[:, None], IMAGES, jax.random.key(0), num_values=2, num_products=4
    )
    assert float(top.values[0]) == pytest.approx(4, rel=1e-5)
    assert not float(top.values[1]) > 1e-4
    np.testing.assert_allclose(np.abs(top.vectors[0]), line / 2, atol=1e-5)


def test_what_does_not_fit_is_named(unchecked):
    with pytest.raises(ValueError, match=r"vectors must have shape \(k, 3, 4\), got \(2, 3\)"):
        metrics.gradient_outer_products(network, IMAGES, np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"num_values must be between 1 and the 12 Lanczos steps, got 13"):
        metrics.top_input_directions(network, IMAGES, jax.random.key(0), num_values=13)
