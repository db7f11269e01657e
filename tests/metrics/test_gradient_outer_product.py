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


def test_the_matrix_is_that_of_its_definition(matrix):
    found = metrics.gradient_outer_product(network, IMAGES)
    assert found.shape == (12, 12)
    np.testing.assert_allclose(found, matrix, rtol=1e-5, atol=1e-6 * np.abs(matrix).max())
    np.testing.assert_allclose(found, found.T, rtol=1e-6, atol=1e-7 * np.abs(matrix).max())


def test_the_matrix_at_a_layer_is_that_of_the_rest_of_the_network():
    hidden = np.asarray(jnp.tanh(IMAGES.reshape(150, -1) @ KERNELS[0]))
    rest = lambda h: jax.nn.softmax(h @ KERNELS[1])  # noqa: E731
    jacobians = np.asarray(jax.vmap(jax.jacrev(lambda h: rest(h[None])[0]))(hidden), np.float64)
    expected = np.einsum("nex,ney->xy", jacobians, jacobians) / 150
    found = metrics.gradient_outer_product(rest, hidden)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    trace = metrics.geometric_complexity(rest, hidden, method="exact").mean
    assert float(jnp.trace(found)) == pytest.approx(float(trace), rel=1e-5)


def test_a_last_layer_correlates_with_its_weights_fully():
    hidden = np.asarray(jnp.tanh(IMAGES.reshape(150, -1) @ KERNELS[0]))
    product = metrics.gradient_outer_product(lambda h: h @ KERNELS[1] + 3.0, hidden)
    np.testing.assert_allclose(product, KERNELS[1] @ KERNELS[1].T, rtol=1e-5, atol=1e-6)
    for centred in (False, True):
        assert float(metrics.neural_feature_correlation(product, KERNELS[1], centred)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_correlation_is_that_of_the_entries(scale):
    rows = RNG.normal(size=(20, 9)).astype(np.float32)
    product, kernel = (scale * (rows.T @ rows)).astype(np.float32), (scale * KERNELS[1]).astype(np.float32)
    one, other = (part.astype(np.float64).ravel() for part in (rows.T @ rows, KERNELS[1] @ KERNELS[1].T))
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    assert float(metrics.neural_feature_correlation(product, kernel)) == pytest.approx(cosine, abs=1e-6)
    pearson = np.corrcoef(one, other)[0, 1]
    assert float(metrics.neural_feature_correlation(product, kernel, centred=True)) == pytest.approx(pearson, abs=1e-6)


def test_training_a_deep_linear_network_makes_the_two_alike():
    # With weight decay the kernels balance, W1^T W1 = W2 W2^T: the product is the square of W1 W1^T.
    inputs = RNG.normal(size=(200, 6)).astype(np.float32)
    targets = inputs @ np.diag([2.0, 1.0, 0.5]).astype(np.float32).repeat(2, axis=0)
    kernels = [0.3 * RNG.normal(size=shape).astype(np.float32) for shape in ((6, 8), (8, 3))]

    def loss(kernels):
        error = inputs @ kernels[0] @ kernels[1] - targets
        return jnp.mean(jnp.sum(error**2, axis=1)) + 0.05 * sum(jnp.sum(kernel**2) for kernel in kernels)

    def correlation(kernels):
        product = metrics.gradient_outer_product(lambda x: x @ kernels[0] @ kernels[1], inputs)
        return float(metrics.neural_feature_correlation(product, kernels[0]))

    before = correlation(kernels)
    step = jax.jit(lambda kernels: jax.tree.map(lambda w, g: w - 0.05 * g, kernels, jax.grad(loss)(kernels)))
    for _ in range(500):
        kernels = step(kernels)
    assert before < 0.8 < 0.9 < correlation(kernels)


def test_what_does_not_fit_is_named(unchecked):
    with pytest.raises(ValueError, match=r"product must be square with the 9 rows of kernel, got \(7, 7\)"):
        metrics.neural_feature_correlation(np.eye(7, dtype=np.float32), KERNELS[1])
    assert np.isnan(float(metrics.neural_feature_correlation(np.zeros((9, 9), np.float32), KERNELS[1])))
    with pytest.raises(ValueError, match=r"vectors must have shape \(k, 3, 4\), got \(2, 3\)"):
        metrics.gradient_outer_products(network, IMAGES, np.ones((2, 3), np.float32))
    with pytest.raises(ValueError, match=r"num_values must be between 1 and the 12 Lanczos steps, got 13"):
        metrics.top_input_directions(network, IMAGES, jax.random.key(0), num_values=13)
