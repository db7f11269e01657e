import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    features, labels = reference.collapsed_features(rng, 5, 6, 20, span=30.0)
    return features, labels, rng.uniform(1, 9, 5)


def test_tight_and_pooled_match_the_definitions(sample):
    features, labels, complexity = sample
    stats, m = metrics.class_stats(features, labels, 5), reference.Moments(features, labels)
    tight = metrics.geometric_collapse_tight(stats, jnp.asarray(complexity))
    pooled = metrics.geometric_collapse_pooled(stats, 3.0)
    np.testing.assert_allclose(float(tight), reference.geometric_collapse_tight(m, complexity), rtol=1e-5)
    np.testing.assert_allclose(float(pooled), reference.geometric_collapse_pooled(m, 3.0), rtol=1e-5)


def test_a_class_without_a_sample_takes_part_in_no_mean(sample):
    features, labels, complexity = sample
    kept = labels != 3
    stats, m = metrics.class_stats(features[kept], labels[kept], 5), reference.Moments(features[kept], labels[kept])
    truth = reference.geometric_collapse_tight(m, np.delete(complexity, 3))
    unknown = jnp.asarray(complexity).at[3].set(jnp.nan)
    np.testing.assert_allclose(float(metrics.geometric_collapse_tight(stats, unknown)), truth, rtol=1e-5)
    # Also where only the complexity is missing.
    whole = metrics.class_stats(features, labels, 5)
    np.testing.assert_allclose(float(metrics.geometric_collapse_tight(whole, unknown)), truth, rtol=1e-4)


def test_geometric_collapse_does_not_depend_on_the_scale_of_features(sample):
    features, labels, complexity = sample
    one, other = (
        metrics.geometric_collapse_tight(metrics.class_stats(s * features, labels, 5), jnp.asarray(s**2 * complexity))
        for s in (np.float32(1), np.float32(50))
    )
    np.testing.assert_allclose(float(one), float(other), rtol=1e-4)


def test_the_chain_holds_and_is_tight_for_a_linear_map_of_gaussians():
    # A Gaussian with covariance s^2 I has Poincaré constant s^2, and linear functions attain it: cdnv = c * tight.
    rng = np.random.default_rng(1)
    dim, s, labels = 4, 0.3, np.repeat(np.arange(3), 2 * 4)
    # Plus and minus along each axis: sample covariance exactly s^2 I.
    noise = s * np.sqrt(dim) * np.concatenate([np.eye(dim), -np.eye(dim)])
    images = (rng.normal(size=(3, dim))[labels] + np.tile(noise, (3, 1))).astype(np.float32)
    A = jnp.asarray(rng.normal(size=(dim, 5)), jnp.float32)
    per_sample = metrics.geometric_complexity(lambda x: x @ A, images).per_sample
    stats = metrics.class_stats(jnp.asarray(images) @ A, labels, 3)
    constant = jnp.max(metrics.poincare_lower_bound(images, labels, 3))
    chain = metrics.chain(stats, metrics.class_mean_complexity(per_sample, labels, 3), constant)
    np.testing.assert_allclose(float(constant), s**2, rtol=1e-4)
    np.testing.assert_allclose(float(chain.cdnv), float(chain.tight), rtol=1e-4)
    assert float(chain.tight) <= float(chain.pooled)


def test_tight_never_exceeds_pooled(sample):
    features, labels, _ = sample
    stats = metrics.class_stats(features, labels, 5)
    for seed in range(20):
        chain = metrics.chain(stats, np.random.default_rng(seed).pareto(0.5, 5).astype(np.float32), 1.0)
        assert float(chain.tight) <= float(chain.pooled) * (1 + 1e-6)


def test_poincare_bound_is_the_top_eigenvalue_of_each_class():
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 300)
    spread = np.array([[3.0, 1.0, 0.5], [0.2, 2.0, 0.1], [1.0, 1.0, 4.0]])
    images = (10 + spread[labels] * rng.normal(size=(300, 3))).astype(np.float32)
    truth = [np.linalg.eigvalsh(np.cov(images[labels == c].T.astype(np.float64), bias=True))[-1] for c in range(3)]
    bound = np.asarray(metrics.poincare_lower_bound(images.reshape(300, 3, 1), labels, 4))
    np.testing.assert_allclose(bound, [*truth, 0], rtol=1e-4)


@pytest.mark.parametrize("shots", [1, 5])
def test_nearest_mean_error_stays_below_its_bound(shots):
    # Chebyshev's inequality is nearly attained where a sample rarely strays, and then just past the middle: one in a
    # hundred lies 55% of the way to another class.
    rng = np.random.default_rng(3)
    count, stray = 4, 0.01
    means = reference.simplex_etf(count, 8)
    rare = [[0.45 * means[i] + 0.55 * means[j] for j in range(count) if j != i] for i in range(count)]
    population = np.concatenate([np.repeat(means[:, None], 297, axis=1), np.array(rare)], axis=1)
    draw = lambda *shape: np.stack([own[rng.integers(0, 300, shape)] for own in population])  # noqa: E731
    estimated, queries = draw(4000, shots).mean(axis=2), draw(4000)
    squares = ((queries[:, None] - estimated[None]) ** 2).sum(axis=-1)
    error = (squares.argmin(axis=1) != np.arange(count)[:, None]).mean()
    cdnv = reference.cdnv(reference.Moments(population.reshape(-1, 8), np.repeat(np.arange(count), 300)))
    bound = float(metrics.nearest_mean_bound(cdnv, count, shots))
    assert stray / 2 < error < bound < 0.5
    np.testing.assert_allclose(bound, 16 * 3 * (1 + 2 / shots) * cdnv, rtol=1e-6)


@pytest.mark.usefixtures("unchecked")
def test_complexities_of_another_number_of_classes_are_named(sample):
    features, labels, _ = sample
    with pytest.raises(ValueError, match=r"class_complexity must have shape \(5,\)"):
        metrics.geometric_collapse_tight(metrics.class_stats(features, labels, 5), np.ones(4))
