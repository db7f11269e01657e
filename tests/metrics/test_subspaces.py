import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg

from ncjax import metrics

RNG = np.random.default_rng(0)
LABELS = np.arange(60) % 5
MEANS = RNG.normal(size=(5, 8))
FEATURES = (MEANS[LABELS] + 0.3 * RNG.normal(size=(60, 8))).astype(np.float32)


def covariances(features, labels):
    wide = features.astype(np.float64)
    classes = np.unique(labels)
    means = np.stack([wide[labels == c].mean(axis=0) for c in classes])
    residuals = wide - means[np.searchsorted(classes, labels)]
    centred = means - means.mean(axis=0)
    return residuals.T @ residuals / len(wide), centred.T @ centred / len(classes), centred


@pytest.mark.parametrize("delta", [1e-4, 0.1])
@pytest.mark.parametrize("absent", [0, 2])
def test_lidar_is_its_definition(delta, absent):
    within, between, _ = covariances(FEATURES, LABELS)
    values = linalg.eigh(between, within + delta * np.eye(8), eigvals_only=True)
    shares = np.maximum(values, 0) / values.sum()
    shares = shares[shares > 1e-12]
    stats = metrics.class_stats(FEATURES, LABELS, num_classes=5 + absent)
    assert float(metrics.lidar(stats, delta)) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-5)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_lidar_is_blind_to_scale_if_delta_follows_it(scale):
    stats, scaled = (metrics.class_stats((s * FEATURES).astype(np.float32), LABELS, 5) for s in (1.0, scale))
    assert float(metrics.lidar(scaled, 1e-4 * scale**2)) == pytest.approx(float(metrics.lidar(stats)), rel=1e-4)


def test_lidar_counts_the_directions_of_equal_classes():
    # A simplex of five classes with the same spread in every direction.
    corners = np.repeat(np.eye(5), 10, axis=0)
    spread = np.concatenate([np.eye(5), -np.eye(5)])
    features = (corners + 0.1 * np.tile(spread, (5, 1))).astype(np.float32)
    stats = metrics.class_stats(features, np.repeat(np.arange(5), 10), num_classes=5)
    assert float(metrics.lidar(stats)) == pytest.approx(4, rel=1e-5)


def test_where_all_means_coincide_there_is_no_lidar():
    # Of small whole numbers, so that equal means are equal to the last digit.
    features = np.tile(np.array([[1.0, 2.0], [3.0, 0.0], [2.0, 4.0], [2.0, -2.0]], np.float32), (3, 1))
    stats = metrics.class_stats(features, np.repeat([0, 1, 2], 4), num_classes=3)
    assert np.isnan(float(metrics.lidar(stats)))
    assert np.isnan(np.asarray(metrics.principal_cosines(stats, np.eye(2, dtype=np.float32)))).all()


@pytest.mark.parametrize("directions", [None, 1, 3])
def test_cosines_are_those_of_scipys_angles(directions):
    kernel = RNG.normal(size=(8, 5))
    _, _, centred = covariances(FEATURES, LABELS)
    k = 4 if directions is None else directions
    bases = [np.linalg.svd(matrix)[0][:, :k] for matrix in (centred.T, kernel)]
    expected = np.cos(linalg.subspace_angles(*bases))[::-1]
    stats = metrics.class_stats(FEATURES, LABELS, num_classes=5)
    found = metrics.principal_cosines(stats, kernel.astype(np.float32), directions)
    np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_at_self_duality_all_cosines_are_one(scale):
    stats = metrics.class_stats(FEATURES, LABELS, num_classes=5)
    _, _, centred = covariances(FEATURES, LABELS)
    found = metrics.principal_cosines(stats, (scale * centred.T).astype(np.float32))
    np.testing.assert_allclose(found, np.ones(4), rtol=1e-6)


@pytest.mark.parametrize(
    ("kernel", "directions", "message"),
    [
        (np.ones((7, 5), np.float32), None, "kernel must have the 8 rows of the features, got 7"),
        (np.ones((8, 5), np.float32), 6, "directions must be between 1 and 5 here, got 6"),
        (np.ones((8, 5), np.float32), 0, "directions must be between 1 and 5 here, got 0"),
        (np.ones((8, 2), np.float32), 3, "directions must be between 1 and 2 here, got 3"),
    ],
)
def test_what_does_not_fit_is_named(kernel, directions, message):
    stats = metrics.class_stats(FEATURES, LABELS, num_classes=5)
    with pytest.raises(ValueError, match=message):
        metrics.principal_cosines(stats, jnp.asarray(kernel), directions)


def test_statistics_without_scatter_have_no_lidar():
    with pytest.raises(ValueError, match="build them with scatter=True"):
        metrics.lidar(metrics.class_stats(FEATURES, LABELS, num_classes=5, scatter=False))
