import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics

KEYS = jax.random.split(jax.random.key(0), 8)
SAMPLES = 2000


@jax.jit
def estimates(samples):
    """Estimates on eight independent sets of samples, with independent features."""
    return jax.vmap(metrics.poincare_constant)(samples, KEYS)


def gaussian(dim=1):
    return jax.random.normal(jax.random.key(1), (8, SAMPLES, dim))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_a_gaussian_has_its_variance(scale):
    np.testing.assert_allclose(float(estimates(scale * gaussian()).mean()), scale**2, rtol=0.05)


def test_a_uniform_distribution_has_one_over_pi_squared():
    samples = jax.random.uniform(jax.random.key(1), (8, SAMPLES, 1))
    np.testing.assert_allclose(float(estimates(samples).mean()), 1 / np.pi**2, rtol=0.03)


def test_a_product_has_the_largest_constant_of_its_factors():
    samples = gaussian(3) * jnp.array([1.0, 0.5, 0.2])[None, None, :]
    np.testing.assert_allclose(float(estimates(samples).mean()), 1, rtol=0.1)


def test_two_modes_have_more_than_their_variance():
    """What no covariance can see: a function that tells the modes apart is flat where the samples are."""
    samples = jax.random.rademacher(jax.random.key(2), (8, SAMPLES, 1), jnp.float32) + 0.5 * gaussian()
    truth = two_mode_constant(1, 0.5)
    assert truth > 1.5 * (1 + 0.5**2)
    np.testing.assert_allclose(float(estimates(samples).mean()), truth, rtol=0.15)


def two_mode_constant(place, width):
    """Inverse of the spectral gap of (p f')' + p f / c = 0, on a fine grid."""
    grid = np.linspace(-place - 6 * width, place + 6 * width, 1201)
    density = sum(np.exp(-((grid - centre) ** 2) / (2 * width**2)) for centre in (-place, place))
    step = grid[1] - grid[0]
    middle = (density[1:] + density[:-1]) / 2 / step**2
    stiffness = np.diag(np.r_[middle, 0] + np.r_[0, middle]) - np.diag(middle, 1) - np.diag(middle, -1)
    root = np.sqrt(density)
    return 1 / np.linalg.eigvalsh(stiffness / root[:, None] / root[None, :])[1]


def test_each_class_has_its_own():
    labels = jnp.arange(SAMPLES) % 2
    samples = (1.0 + labels)[:, None] * gaussian()[0]
    constants = metrics.class_poincare_constants(samples, labels, 2, KEYS[0])
    np.testing.assert_allclose(constants, metrics.poincare_lower_bound(samples, labels, 2), rtol=0.1)


def test_an_offset_and_masked_rows_change_nothing():
    samples = jax.random.normal(jax.random.key(3), (300, 2))
    alone = metrics.poincare_constant(samples, KEYS[0])
    padded = jnp.concatenate([samples + 256.0, jnp.full((50, 2), jnp.nan)])
    masked = metrics.poincare_constant(padded, KEYS[0], mask=jnp.arange(350) < 300)
    np.testing.assert_allclose(float(masked), float(alone), rtol=1e-3)


def test_an_absent_class_has_none_and_a_single_point_has_zero():
    constants = metrics.class_poincare_constants(jnp.ones((3, 2)), jnp.zeros(3, int), 2, jax.random.key(0))
    np.testing.assert_array_equal(constants, [0, np.nan])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_features": 0}, "num_features must be above 0, got 0"),
        ({"bandwidth": 0.0}, "bandwidth must be above 0, got 0.0"),
        ({"regularisation": 0.0}, "regularisation must be above 0, got 0.0"),
        ({"mask": np.ones(3, bool)}, r"mask must have shape \(4,\)"),
    ],
)
def test_wrong_arguments_are_named(unchecked, options, message):
    with pytest.raises(ValueError, match=message):
        metrics.poincare_constant(jnp.ones((4, 2)), jax.random.key(0), **options)
