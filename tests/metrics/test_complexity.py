import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics

IMAGES = jnp.asarray(np.random.default_rng(0).normal(size=(23, 3, 4)), jnp.float32)
FIRST = jnp.asarray(np.random.default_rng(1).normal(size=(12, 9)) / 3, jnp.float32)
SECOND = jnp.asarray(np.random.default_rng(2).normal(size=(9, 5)) / 3, jnp.float32)


def embed(images):
    return jnp.tanh(images.reshape(images.shape[0], -1) @ FIRST) @ SECOND


def widen(images):
    """More outputs than inputs: forward mode."""
    return jnp.tanh(images.reshape(images.shape[0], -1)[:, :4] @ FIRST[:4])


def dense_squares(function, images) -> np.ndarray:
    jacobian = jax.vmap(jax.jacobian(lambda image: function(image[None])[0].reshape(-1)))(images)
    return np.asarray(jnp.sum(jacobian.astype(jnp.float32) ** 2, axis=tuple(range(1, jacobian.ndim))), np.float64)


@pytest.mark.parametrize("function", [embed, widen])
@pytest.mark.parametrize("chunk_size", [None, 1, 7, 60])
def test_exact_is_the_dense_jacobian_in_any_chunks(function, chunk_size):
    images = IMAGES if function is embed else IMAGES[:, :1]
    truth = dense_squares(function, images)
    estimate = metrics.geometric_complexity(function, images, chunk_size=chunk_size)
    np.testing.assert_allclose(estimate.per_sample, truth, rtol=1e-5)
    np.testing.assert_allclose(float(estimate.mean), truth.mean(), rtol=1e-5)
    np.testing.assert_allclose(float(estimate.stderr), truth.std(ddof=1) / np.sqrt(len(truth)), rtol=1e-4)
    assert float(estimate.stderr_probes) == 0
    assert int(estimate.num_products) == len(truth) * (5 if function is embed else 4)


def test_products_are_divided_evenly_into_chunks_that_fit():
    wide = jnp.ones((40, 30))

    def complexity(x):
        return metrics.geometric_complexity(lambda x: x @ wide, x, chunk_size=7).mean

    # Thirty products by seven are five chunks, of six each.
    program = str(jax.make_jaxpr(complexity)(jnp.ones((1, 40))))
    assert {size for size in range(1, 31) if f"f32[{size},1,30]" in program} == {6}


def test_linear_map_has_the_squared_frobenius_norm():
    A = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)
    estimate = metrics.geometric_complexity(lambda x: x @ A, jnp.ones((2, 6)))
    np.testing.assert_allclose(float(estimate.mean), (A.astype(np.float64) ** 2).sum(), rtol=1e-6)


def test_deep_linear_net_has_the_norm_of_its_product():
    rng = np.random.default_rng(4)
    layers = [rng.normal(size=(5, 5)).astype(np.float32) for _ in range(4)]
    product = np.linalg.multi_dot([layer.astype(np.float64) for layer in layers])

    def deep(x):
        for layer in layers:
            x = x @ layer
        return x

    np.testing.assert_allclose(
        float(metrics.geometric_complexity(deep, jnp.ones((2, 5))).mean), (product**2).sum(), rtol=1e-5
    )


def test_quadratic_has_the_gradient_by_hand():
    # f(x) = |x|^2 has gradient 2x.
    images = IMAGES.reshape(23, -1)
    estimate = metrics.geometric_complexity(lambda x: jnp.sum(x**2, axis=1, keepdims=True), images)
    np.testing.assert_allclose(estimate.per_sample, 4 * jnp.sum(images**2, axis=1), rtol=1e-5)


ESTIMATORS = [
    ("probes", "rademacher", 1),
    ("probes", "rademacher", 4),
    ("probes", "gaussian", 3),
    ("probes", "orthogonal", 3),
    ("outputs", "rademacher", 2),
    ("inputs", "rademacher", 3),
]


def predicted_variance(method: str, distribution: str, k: int, J: np.ndarray) -> float:
    """Of the estimate from one sample with Jacobian J [d, D], by the formulas of the docstring."""
    if method == "probes":
        gram = J @ J.T
        if distribution == "rademacher":
            return 2 * ((gram**2).sum() - (np.diag(gram) ** 2).sum()) / k
        if distribution == "gaussian":
            return 2 * (gram**2).sum() / k
        d = len(J)
        single = 2 * d / (d + 2) * ((gram**2).sum() - np.trace(gram) ** 2 / d)
        return single / k * (d - k) / (d - 1)
    squares = (J**2).sum(axis=1 if method == "outputs" else 0)
    size = len(squares)
    return size**2 / k * (1 - k / size) * squares.var(ddof=1)


@pytest.mark.parametrize(("method", "distribution", "k"), ESTIMATORS)
def test_estimators_are_unbiased_with_the_predicted_variance(method, distribution, k):
    images = IMAGES[:6]
    jacobians = np.asarray(jax.vmap(jax.jacobian(lambda x: embed(x[None])[0]))(images), np.float64).reshape(6, 5, 12)
    exact = (jacobians**2).sum(axis=(1, 2))

    @jax.jit
    @jax.vmap
    def draw(key):
        options = {"num_probes": k, "probe_distribution": distribution}
        return metrics.geometric_complexity(embed, images, method, key=key, **options).per_sample

    draws = np.asarray(draw(jax.random.split(jax.random.key(0), 4000)), np.float64)
    variance = np.array([predicted_variance(method, distribution, k, J) for J in jacobians])
    standardised = (draws.mean(axis=0) - exact) / np.sqrt(variance / len(draws))
    assert np.abs(standardised).max() < 4
    np.testing.assert_allclose(draws.var(axis=0), variance, rtol=0.2)


@pytest.mark.parametrize(("method", "distribution", "k"), [case for case in ESTIMATORS if case[2] > 1])
def test_stderr_probes_is_the_spread_over_keys(method, distribution, k):
    options = {"num_probes": k, "probe_distribution": distribution}
    draw = jax.jit(jax.vmap(lambda key: metrics.geometric_complexity(embed, IMAGES, method, key=key, **options)))
    estimates = draw(jax.random.split(jax.random.key(1), 500))
    predicted = np.sqrt(np.mean(np.square(estimates.stderr_probes)))
    np.testing.assert_allclose(predicted, np.std(estimates.mean), rtol=0.15)


def test_stderr_covers_the_choice_of_samples_and_of_probes():
    # A population of linear maps: the slope is the sample itself.
    def slopes(x):
        return x[:, :1] * jnp.ones((1, 4)) * x[:, 1:2]

    def draw(key):
        sample_key, probe_key = jax.random.split(key)
        images = jax.random.normal(sample_key, (40, 2))
        return metrics.geometric_complexity(slopes, images, "probes", key=probe_key)

    estimates = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(2), 1000))
    predicted = np.sqrt(np.mean(np.square(estimates.stderr)))
    np.testing.assert_allclose(predicted, np.std(estimates.mean), rtol=0.1)


@pytest.mark.parametrize("method", ["outputs", "probes", "inputs"])
def test_all_directions_without_replacement_are_exact(method):
    k = 12 if method == "inputs" else 5
    estimate = metrics.geometric_complexity(
        embed, IMAGES, method, num_probes=k, key=jax.random.key(0), probe_distribution="orthogonal"
    )
    np.testing.assert_allclose(estimate.per_sample, dense_squares(embed, IMAGES), rtol=1e-4)
    assert float(estimate.stderr_probes) == 0


@pytest.mark.parametrize("method", ["probes", "outputs", "inputs"])
def test_chunks_do_not_change_what_is_drawn(method):
    whole, parts = (
        metrics.geometric_complexity(embed, IMAGES, method, num_probes=3, key=jax.random.key(5), chunk_size=chunk)
        for chunk in (None, 4)
    )
    np.testing.assert_allclose(parts.per_sample, whole.per_sample, rtol=1e-5)


def test_a_subset_is_drawn_without_replacement():
    estimate = metrics.geometric_complexity(embed, IMAGES, num_samples=7, key=jax.random.key(6))
    seen = ~np.isnan(estimate.per_sample)
    assert seen.sum() == 7 == int(estimate.num_samples)
    truth = dense_squares(embed, IMAGES)[seen]
    np.testing.assert_allclose(np.asarray(estimate.per_sample)[seen], truth, rtol=1e-5)
    np.testing.assert_allclose(float(estimate.mean), truth.mean(), rtol=1e-5)


MANY = jnp.asarray(np.random.default_rng(7).normal(size=(2000, 3, 4)), jnp.float32)


def test_adaptive_estimate_stops_at_the_precision():
    estimate = metrics.geometric_complexity(embed, MANY, "probes", key=jax.random.key(8), rel_stderr=0.05)
    assert bool(estimate.converged)
    assert float(estimate.stderr) <= 0.05 * float(estimate.mean)
    assert 64 <= int(estimate.num_samples) < 1000
    assert int(estimate.num_products) == int(estimate.num_samples) == int(jnp.sum(~jnp.isnan(estimate.per_sample)))
    exact = dense_squares(embed, MANY).mean()
    assert abs(float(estimate.mean) - exact) < 5 * float(estimate.stderr)


@pytest.mark.parametrize("chunk_size", [None, 10, 1000])
def test_adaptive_exact_values_are_added_64_at_a_time_however_few_fit_in_memory(chunk_size):
    estimate = metrics.geometric_complexity(embed, MANY, key=jax.random.key(8), rel_stderr=0.02, chunk_size=chunk_size)
    assert bool(estimate.converged)
    assert int(estimate.num_samples) % 64 == 0
    assert 64 < int(estimate.num_samples) < 2000


def test_adaptive_estimate_says_when_the_data_ran_out():
    estimate = metrics.geometric_complexity(embed, IMAGES, "probes", key=jax.random.key(9), rel_stderr=1e-6)
    assert not bool(estimate.converged)
    assert int(estimate.num_samples) == len(IMAGES)


def test_adaptive_estimate_does_not_trust_the_order_of_the_images():
    ordered = jnp.sort(MANY.reshape(2000, -1)[:, :1], axis=0)
    estimate = metrics.geometric_complexity(lambda x: x**2, ordered, key=jax.random.key(10), rel_stderr=0.1)
    exact = float(jnp.mean(4 * ordered**2))
    assert abs(float(estimate.mean) - exact) < 5 * float(estimate.stderr)


def test_runs_under_jit_vmap_and_map_over_parameters():
    scales = jnp.array([1.0, 2.0])

    def measure(scale):
        return metrics.geometric_complexity(lambda x: scale * embed(x), IMAGES[:5], chunk_size=4).mean

    truth = dense_squares(embed, IMAGES[:5]).mean() * np.array([1.0, 4.0])
    np.testing.assert_allclose(jax.jit(jax.vmap(measure))(scales), truth, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(lambda s: jax.lax.map(measure, s))(scales), truth, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"chunk_size": 2}, {"method": "probes", "key": jax.random.key(0)}])
def test_runs_on_the_shards_of_a_batch(options):
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    rows = jax.sharding.PartitionSpec("batch")
    A = jnp.eye(3) * 2

    def shard(images):
        return metrics.geometric_complexity(lambda x: x @ A, images, **options).per_sample

    values = jax.jit(jax.shard_map(shard, mesh=mesh, in_specs=rows, out_specs=rows))(jnp.ones((24, 3)))
    np.testing.assert_allclose(values, 12, rtol=1e-6)


@pytest.fixture
def constants_of(tmp_path):
    """The constants, values and types, in all programs that a call compiles."""

    def constants(call) -> str:
        jax.config.update("jax_dump_ir_to", str(tmp_path))
        try:
            jax.block_until_ready(call())
        finally:
            jax.config.update("jax_dump_ir_to", None)
        lines = [line for path in tmp_path.iterdir() for line in path.read_text().splitlines()]
        assert any("2000x3x4" in line for line in lines)
        return "\n".join(line for line in lines if "stablehlo.constant" in line)

    return constants


def test_images_that_a_program_closes_over_are_found(constants_of):
    assert "2000x3x4xf32" in constants_of(jax.jit(lambda: embed(MANY)))


@pytest.mark.parametrize("options", [{}, {"method": "probes", "key": jax.random.key(0), "rel_stderr": 0.1}])
def test_images_are_not_constants_of_the_program(constants_of, options):
    assert "2000x3x4xf32" not in constants_of(lambda: metrics.geometric_complexity(embed, MANY, **options))


def test_reduced_precision_is_asked_for_in_the_program():
    def dots(precision):
        return str(jax.make_jaxpr(lambda x: metrics.geometric_complexity(embed, x, precision=precision).mean)(IMAGES))

    assert "Precision.HIGHEST" in dots("highest")
    assert "Precision.HIGHEST" not in dots("default")


def test_half_precision_images_are_squared_in_single():
    estimate = metrics.geometric_complexity(lambda x: 300 * x, jnp.ones((2, 3), jnp.float16))
    assert estimate.mean.dtype == jnp.float32
    np.testing.assert_allclose(float(estimate.mean), 270_000, rtol=1e-5)


def complex_map(images):
    """Of 12 inputs to 3 complex outputs."""
    return images.reshape(images.shape[0], -1) @ COMPLEX


COMPLEX = FIRST[:, :3] + 2j * FIRST[:, 3:6]
COMPLEX_SQUARES = float(np.sum(np.abs(np.asarray(COMPLEX, np.complex128)) ** 2))


def test_a_complex_output_is_two_real_ones():
    estimate = metrics.geometric_complexity(lambda x: x * (1 + 2j), jnp.ones((3, 2)))
    np.testing.assert_allclose(estimate.per_sample, 2 * 5, rtol=1e-6)
    assert int(estimate.num_products) == 3 * 2
    np.testing.assert_allclose(metrics.geometric_complexity(complex_map, IMAGES).per_sample, COMPLEX_SQUARES, rtol=1e-5)
    # Six complex outputs of six inputs, each of modulus 1.
    np.testing.assert_allclose(metrics.geometric_complexity(jnp.fft.fft, jnp.ones((2, 6))).per_sample, 36, rtol=1e-5)


@pytest.mark.parametrize("method", ["probes", "outputs", "inputs"])
def test_estimators_of_complex_outputs_are_unbiased(method):
    estimate = metrics.geometric_complexity(
        complex_map, jnp.zeros((4000, 12)), method, num_probes=2, key=jax.random.key(0)
    )
    assert abs(float(estimate.mean) - COMPLEX_SQUARES) < 4 * float(estimate.stderr_probes)
    assert float(estimate.stderr_probes) < 0.02 * COMPLEX_SQUARES


def test_all_parts_of_complex_outputs_without_replacement_are_exact():
    estimate = metrics.geometric_complexity(complex_map, IMAGES, "outputs", num_probes=6, key=jax.random.key(0))
    np.testing.assert_allclose(estimate.per_sample, COMPLEX_SQUARES, rtol=1e-5)


def test_double_precision_stays(x64):
    images = np.asarray(IMAGES, np.float64)
    estimate = metrics.geometric_complexity(embed, images)
    assert estimate.mean.dtype == jnp.float64


def test_layers_by_name():
    taps = metrics.geometric_complexity_by_layer(
        lambda x: {"a": x.reshape(x.shape[0], -1) @ FIRST, "b": embed(x)}, IMAGES
    )
    np.testing.assert_allclose(float(taps["a"].mean), float(jnp.sum(FIRST**2)), rtol=1e-5)
    np.testing.assert_allclose(float(taps["b"].mean), dense_squares(embed, IMAGES).mean(), rtol=1e-5)


def test_class_means_by_hand():
    means = metrics.class_mean_complexity(
        np.array([1.0, 2.0, 6.0, np.nan]), np.array([0, 0, 2, 1]), 3, np.array([1, 1, 1, 0], bool)
    )
    np.testing.assert_allclose(means, [1.5, np.nan, 6.0])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "hutchinson"}, "method must be one of exact, probes"),
        ({"method": "probes"}, "key must be given"),
        ({"rel_stderr": 0.1}, "key must be given"),
        ({"method": "probes", "probe_distribution": "sphere", "key": 0}, "probe_distribution must be one of"),
        ({"method": "outputs", "num_probes": 6, "key": 0}, "num_probes must be between 1 and 5"),
        ({"method": "probes", "num_probes": 0, "key": 0}, "num_probes must be at least 1"),
        ({"num_samples": 24, "key": 0}, "num_samples must be between 1 and the number of images 23"),
        ({"rel_stderr": -1.0, "key": 0}, "rel_stderr must be above 0"),
        ({"chunk_size": 0}, "chunk_size must be at least 1"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message):
    key = jax.random.key(0) if options.pop("key", None) is not None else None
    with pytest.raises(ValueError, match=message):
        metrics.geometric_complexity(embed, IMAGES, key=key, **options)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("function", "images", "message"),
    [
        (embed, np.ones((3, 3, 4), np.uint8), "images must hold floats"),
        (embed, np.ones(3, np.float32), "images must have shape"),
        (lambda x: x.sum(), np.ones((3, 2), np.float32), "embed must return one array"),
        (lambda x: (x, x), np.ones((3, 2), np.float32), "embed must return one array.*use_running_average=True"),
        (lambda x: x[:, :0], np.ones((3, 2), np.float32), r"embed must return one array.*got \(3, 0\)"),
        (lambda x: x > 0, np.ones((3, 2), np.float32), "embed must return floats, got bool"),
        (lambda x: x.astype(int), np.ones((3, 2), np.float32), "embed must return floats, got int32"),
        (np.tanh, np.ones((3, 2), np.float32), "embed must be made of JAX operations"),
        (lambda x: memoryview(x), np.ones((3, 2), np.float32), "embed must be made of JAX operations"),
    ],
)
def test_functions_and_images_that_do_not_fit_are_named(function, images, message):
    with pytest.raises(ValueError, match=message):
        metrics.geometric_complexity(function, images)


def test_a_fault_of_the_function_itself_is_not_renamed():
    with pytest.raises(KeyError, match="missing"):
        metrics.geometric_complexity(lambda x: {"outputs": x}["missing"], IMAGES)


def test_layers_that_are_no_dict_are_named():
    with pytest.raises(ValueError, match="taps must return a dict of arrays by name, got "):
        metrics.geometric_complexity_by_layer(embed, IMAGES)
