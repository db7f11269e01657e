import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics

SIZE = 40


def symmetric(eigenvalues, seed=0):
    """A symmetric matrix of prescribed spectrum."""
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))[0]
    return jnp.asarray((basis * eigenvalues) @ basis.T, jnp.float32)


def quadratic(params, matrix):
    vector = jnp.concatenate([params["first"].reshape(-1), params["second"]])
    return 0.5 * vector @ matrix @ vector


def params_of(vector):
    return {
        "first": jnp.asarray(vector[:12], jnp.float32).reshape(3, 4),
        "second": jnp.asarray(vector[12:], jnp.float32),
    }


POINT = np.random.default_rng(1).normal(size=SIZE)
SPECTRA = {
    "decaying": np.geomspace(100, 1e-3, SIZE),
    "indefinite": np.linspace(-3, 5, SIZE),
    "low rank": np.r_[7.0, 3.0, np.zeros(SIZE - 2)],
    "identity": np.full(SIZE, 2.0),
    "zero": np.zeros(SIZE),
    "two values": np.repeat([2.0, 1.0], SIZE // 2),
}


def test_gradient_norm_of_a_quadratic():
    matrix = symmetric(SPECTRA["indefinite"])
    norm = metrics.loss_gradient_norm(quadratic, params_of(POINT), matrix)
    np.testing.assert_allclose(float(norm), np.linalg.norm(np.asarray(matrix, np.float64) @ POINT), rtol=1e-5)


def test_gradient_norms_do_not_underflow():
    norm = metrics.loss_gradient_norm(lambda w: 1e-25 * jnp.sum(w), jnp.ones(4))
    np.testing.assert_allclose(float(norm), 2e-25, rtol=1e-5)


@pytest.mark.parametrize("probes", ["signs", "normal", "sphere"])
def test_trace_estimates_are_unbiased_with_the_error_they_state(probes):
    matrix = symmetric(SPECTRA["indefinite"])

    def one(key):
        return metrics.hessian_trace(quadratic, params_of(POINT), matrix, key=key, num_probes=8, probes=probes)[:2]

    means, errors = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 1000))
    spread = float(means.std())
    assert abs(float(means.mean()) - SPECTRA["indefinite"].sum()) < 4 * spread / np.sqrt(1000)
    np.testing.assert_allclose(float(jnp.sqrt(jnp.mean(errors**2))), spread, rtol=0.1)


def test_the_variance_of_signs_is_the_predicted_one():
    matrix = symmetric(SPECTRA["decaying"])

    def one(key):
        return metrics.hessian_trace(quadratic, params_of(POINT), matrix, key=key, num_probes=2).mean

    means = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(0), 4000))
    dense = np.asarray(matrix, np.float64)
    predicted = 2 * ((dense**2).sum() - (np.diag(dense) ** 2).sum()) / 2
    np.testing.assert_allclose(float(means.var()), predicted, rtol=0.1)


def test_the_trace_is_exact_with_as_many_probes_as_parameters():
    matrix = symmetric(SPECTRA["indefinite"])
    trace = metrics.hessian_trace(quadratic, params_of(POINT), matrix, key=jax.random.key(0), num_probes=SIZE)
    np.testing.assert_allclose(float(trace.mean), SPECTRA["indefinite"].sum(), rtol=1e-5)
    assert (float(trace.stderr), trace.num_products) == (0, SIZE)


@jax.jit
def eigenvalues(matrix):
    return metrics.hessian_eigenvalues(
        quadratic, params_of(POINT), matrix, key=jax.random.key(0), num_values=8, num_products=24
    )


@pytest.mark.parametrize("spectrum", SPECTRA)
def test_the_largest_eigenvalue_is_found_for_any_spectrum(spectrum):
    largest = SPECTRA[spectrum].max()
    found = eigenvalues(symmetric(SPECTRA[spectrum]))
    np.testing.assert_allclose(float(found.values[0]), largest, rtol=1e-4, atol=1e-5)
    assert float(found.residuals[0]) <= 1e-2 * max(largest, 1e-3)


@pytest.mark.parametrize("spectrum", ["low rank", "identity", "zero", "two values"])
def test_no_eigenvalue_is_made_up_after_the_krylov_space_closes(spectrum):
    found = eigenvalues(symmetric(SPECTRA[spectrum]))
    held = np.asarray(found.values)[np.isfinite(found.values)]
    assert len(held) >= 1
    assert np.abs(held[:, None] - SPECTRA[spectrum][None, :]).min(axis=1).max() <= 1e-4


def test_residuals_bound_the_error_of_several_eigenvalues():
    truth = SPECTRA["decaying"]
    found = metrics.hessian_eigenvalues(
        quadratic, params_of(POINT), symmetric(truth), key=jax.random.key(0), num_values=5, num_products=16
    )
    assert np.all(np.abs(np.asarray(found.values) - truth[:5]) <= np.asarray(found.residuals) + 1e-4)
    np.testing.assert_allclose(found.values[:3], truth[:3], rtol=1e-4)


def test_the_hessian_of_a_network_is_the_dense_one():
    rng = np.random.default_rng(2)
    inputs = jnp.asarray(rng.normal(size=(10, 3)), jnp.float32)
    params = (jnp.asarray(rng.normal(size=(3, 5)), jnp.float32), jnp.asarray(rng.normal(size=5), jnp.float32))

    def loss(params, inputs):
        return jnp.mean(jnp.tanh(jnp.tanh(inputs @ params[0]) @ params[1]) ** 2)

    vector, restore = jax.flatten_util.ravel_pytree(params)
    dense = np.asarray(jax.jit(jax.hessian(lambda w: loss(restore(w), inputs)))(vector), np.float64)
    found = metrics.hessian_eigenvalues(loss, params, inputs, key=jax.random.key(0), num_values=2)
    np.testing.assert_allclose(found.values, np.linalg.eigvalsh(dense)[::-1][:2], rtol=1e-4)
    trace = metrics.hessian_trace(loss, params, inputs, key=jax.random.key(0), num_probes=20)
    np.testing.assert_allclose(float(trace.mean), np.trace(dense), rtol=1e-4)


def test_sharpness_of_a_quadratic():
    matrix = symmetric(SPECTRA["decaying"])
    dense = np.asarray(matrix, np.float64)
    slope = dense @ POINT
    step = POINT + 0.1 * slope / np.linalg.norm(slope)
    sharpness = metrics.sam_sharpness(quadratic, params_of(POINT), matrix, radius=0.1)
    np.testing.assert_allclose(float(sharpness), 0.5 * (step @ dense @ step - POINT @ dense @ POINT), rtol=1e-3)


def test_sharpness_is_zero_without_a_gradient():
    assert float(metrics.sam_sharpness(lambda w: jnp.sum(w**2), jnp.zeros(3))) == 0


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        (metrics.hessian_trace, {"num_probes": 1}, "num_probes must be at least 2, got 1"),
        (metrics.hessian_trace, {"probes": "sign"}, "probes must be one of signs, normal, sphere, got 'sign'"),
        (metrics.hessian_eigenvalues, {"num_values": 4}, "num_values must be between 1 and the 3 Lanczos steps, got 4"),
    ],
)
def test_wrong_arguments_are_named(unchecked, measure, options, message):
    with pytest.raises(ValueError, match=message):
        measure(lambda w: jnp.sum(w**2), jnp.ones(3), key=jax.random.key(0), **options)


@pytest.mark.parametrize("radius", [-0.1, float("nan")])
def test_a_radius_is_no_negative_number(radius):
    with pytest.raises(ValueError, match=f"radius must be at least 0, got {radius}"):
        metrics.sam_sharpness(lambda w: jnp.sum(w**2), jnp.ones(3), radius=radius)
