import jax
import numpy as np
import pytest

from ncjax import metrics
from tests import reference, reference_classes

ENERGIES = {
    "log": lambda distance: -np.log(distance),
    "inverse": lambda distance: 1 / distance,
    "distance": lambda distance: distance,
    "cosine": lambda distance: 1 - distance**2 / 2,
}
SHAPES = [(5, 20, 7), (40, 12, 9), (300, 16, 2)]


def sample(shape, std=1.0, offset=0.0):
    features, labels = reference.collapsed_features(np.random.default_rng(0), *shape, std=std, offset=offset)
    return metrics.class_stats(features, labels, shape[0] + 2, scatter=False), reference.Moments(features, labels)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("std", "offset"), [(1.0, 0.0), (1e-5, 100.0)])
@pytest.mark.parametrize("energy", ENERGIES)
def test_moments_over_pairs_are_their_definitions(shape, std, offset, energy):
    stats, moments = sample(shape, std, offset)
    expected = reference_classes.moments(ENERGIES[energy](reference_classes.pair_distances(moments.centred)))
    found = metrics.uniformity_moments(stats, energy=energy)
    # Distances are known to a few eps of a direction's length: of means near zero that is their absolute error.
    np.testing.assert_allclose(found[:2], expected[:2], rtol=1e-5, atol=2e-6)
    if energy in ("log", "inverse"):
        assert float(found.mean) == pytest.approx(float(metrics.hyperspherical_uniformity(stats, energy=energy)), 1e-5)
    if abs(expected[0]) > 0.1:
        assert float(found.variation) == pytest.approx(expected[2], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_moments_of_a_classifier_have_no_unit(scale):
    stats, _ = sample(SHAPES[1])
    kernel = np.random.default_rng(1).normal(size=(12, 42)).astype(np.float32)
    distances = reference_classes.pair_distances(kernel[:, :40].T.astype(np.float64))
    found = metrics.uniformity_moments(stats, kernel=(scale * kernel).astype(np.float32), energy="inverse")
    np.testing.assert_allclose(found, reference_classes.moments(1 / distances), rtol=1e-5)


def test_pairs_of_a_simplex_differ_by_rounding_alone():
    frame = reference.simplex_etf(9, 12).astype(np.float32)
    found = metrics.uniformity_moments(metrics.class_stats(frame, np.arange(9), 9))
    assert float(found.mean) == pytest.approx(-np.log(18 / 8) / 2, rel=1e-6)
    assert float(found.std) < 1e-6


@pytest.mark.parametrize("noise", [10.0, 0.1, 1e-3])
def test_duality_is_its_definition_up_to_full_duality(noise):
    stats, moments = sample(SHAPES[1], std=0.1)
    kernel = np.zeros((12, 42), np.float32)
    kernel[:, :40] = moments.centred.T + noise * np.random.default_rng(2).normal(size=(12, 40))
    cosines = reference_classes.duality_cosines(moments, kernel)
    found = metrics.duality_moments(stats, kernel)
    assert float(found.mean) == pytest.approx(float(cosines.mean()), rel=1e-6, abs=1e-6)
    # A gap of 1 - cos = q^2/2, q a difference of unit vectors known to 2e-7, has an absolute error of 2e-7 q.
    assert float(found.std) == pytest.approx(float(cosines.std()), rel=1e-4, abs=1e-7 * noise)


@pytest.mark.parametrize("scale", [1e-28, 1.0, 1e28])
def test_log_norms_are_their_definition_in_the_unit_of_the_features(scale):
    features, labels = reference.collapsed_features(np.random.default_rng(0), *SHAPES[1], std=0.1)
    features = (scale * features).astype(np.float32)
    logs = np.log(np.linalg.norm(reference.Moments(features, labels).centred, axis=1))
    found = metrics.norm_moments(metrics.class_stats(features, labels, 42, scatter=False))
    np.testing.assert_allclose(found, reference_classes.moments(logs), rtol=1e-4, atol=1e-6)
    kernel = np.random.default_rng(1).normal(size=(12, 40)).astype(np.float32)
    logs = np.log(np.linalg.norm(kernel.astype(np.float64), axis=0))
    stats = metrics.class_stats(features, labels, 40, scatter=False)
    np.testing.assert_allclose(metrics.norm_moments(stats, kernel), reference_classes.moments(logs), rtol=1e-5)


def test_runs_side_by_side():
    features, labels = reference.collapsed_features(np.random.default_rng(0), 5, 20, 7)
    runs = np.stack([features, features[:, ::-1] ** 3])

    def moments(h):
        stats = metrics.class_stats(h, labels, 5)
        return metrics.uniformity_moments(stats), metrics.duality_moments(stats, np.eye(20, 5, dtype=np.float32))

    both = jax.vmap(moments)(runs)
    for place, run in enumerate(runs):
        alone = moments(run)
        jax.tree.map(lambda a, b, i=place: np.testing.assert_allclose(a[i], b, rtol=1e-5), both, alone)


def test_what_makes_no_sense_is_not_a_number_or_named(unchecked):
    same = metrics.class_stats(np.ones((4, 3), np.float32), np.arange(4), 4)
    kernel = np.eye(3, 4, dtype=np.float32)
    for moments in (
        metrics.uniformity_moments(same),
        metrics.duality_moments(same, kernel),
        metrics.norm_moments(same),
    ):
        assert np.isnan(moments).all()
    stats, _ = sample(SHAPES[0])
    with pytest.raises(ValueError, match="energy must be one of log, inverse, distance, cosine, got 'square'"):
        metrics.uniformity_moments(stats, energy="square")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"kernel must have shape \(d, C\) = \(20, 7\), got \(7, 20\): transpose it"):
        metrics.duality_moments(stats, np.ones((7, 20), np.float32))
    # A column of zero has no direction.
    assert np.isnan(metrics.duality_moments(stats, np.eye(20, 7, dtype=np.float32) * (np.arange(7) != 2)).mean)
