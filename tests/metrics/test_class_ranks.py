import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference, reference_classes

SHAPES = [(5, 20, 30), (4, 40, 9), (40, 12, 9)]
# As in tests/metrics/test_spectra.py: k eps |log p| in an entropy of k shares.
PROMISE = 1e-5


def sample(shape, std=1.0, offset=0.0):
    return reference.collapsed_features(np.random.default_rng(0), *shape, std=std, offset=offset, spread=10.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("std", "offset"), [(1.0, 0.0), (1e-5, 0.0), (1.0, 1e4)])
def test_ranks_of_each_class_are_their_definitions(shape, std, offset):
    features, labels = sample(shape, std, offset)
    effective, participation = reference_classes.class_ranks(features, labels, shape[0])
    found = metrics.class_ranks(features, labels.astype(np.int8), num_classes=shape[0])
    np.testing.assert_allclose(found.effective_rank, effective, rtol=PROMISE)
    np.testing.assert_allclose(found.participation_ratio, participation, rtol=PROMISE)


@pytest.mark.parametrize("scale", [2.0**-90, 2.0**90])
def test_ranks_of_classes_have_no_unit(scale):
    features, labels = sample(SHAPES[0])
    expected = metrics.class_ranks(features, labels, num_classes=5)
    found = metrics.class_ranks((features * scale).astype(np.float32), labels, num_classes=5)
    np.testing.assert_allclose(found.effective_rank, expected.effective_rank, rtol=1e-6)
    np.testing.assert_allclose(found.participation_ratio, expected.participation_ratio, rtol=1e-6)


def test_masked_rows_absent_classes_and_single_samples():
    features, labels = sample(SHAPES[0])
    keep = (labels != 3) & ((labels != 2) | (np.cumsum(labels == 2) == 1))
    effective, _ = reference_classes.class_ranks(features[keep], labels[keep], 6)
    spoiled = np.where(keep[:, None], features, np.nan).astype(np.float32)
    found = metrics.class_ranks(spoiled, labels, num_classes=6, mask=keep)
    np.testing.assert_allclose(found.effective_rank, effective, rtol=PROMISE)
    assert np.isnan(np.asarray(found.participation_ratio)[[2, 3, 5]]).all()


def test_under_a_trace_and_under_vmap_ranks_are_the_same():
    features, labels = sample(SHAPES[0])
    expected = metrics.class_ranks(features, labels, num_classes=5)
    ranks = jax.jit(lambda h, y: metrics.class_ranks(h, y, num_classes=5))(features, labels)
    np.testing.assert_allclose(ranks.effective_rank, expected.effective_rank, rtol=PROMISE)
    runs = jnp.stack([features, 2 * features[:, ::-1]])
    both = jax.vmap(lambda h: metrics.class_ranks(h, labels, num_classes=5, largest=30))(runs)
    np.testing.assert_allclose(both.effective_rank, np.stack([expected.effective_rank] * 2), rtol=PROMISE)


def test_a_class_that_spreads_alike_in_k_directions_has_rank_k():
    axes = np.concatenate([np.eye(6), -np.eye(6)]).astype(np.float32)
    features = np.concatenate([axes[[0, 6]], 7 + axes, 3 - 5 * axes[[0, 6, 1, 7, 2, 8]]])
    labels = np.repeat([0, 1, 2], [2, 12, 6])
    found = metrics.class_ranks(features, labels, num_classes=3)
    np.testing.assert_allclose(found.effective_rank, [1, 6, 3], rtol=1e-6)
    np.testing.assert_allclose(found.participation_ratio, [1, 6, 3], rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("std", [1.0, 1e-3, 1e-5])
@pytest.mark.parametrize("delta", [1e-4, 1e-2])
def test_lidar_is_its_definition(shape, std, delta):
    features, labels = sample(shape, std)
    expected = reference_classes.lidar(reference.Moments(features, labels), delta)
    found = metrics.lidar(metrics.class_stats(features, labels, shape[0] + 1), delta=delta)
    # Scatter in single precision is known to eps of its norm, here at most 1, and delta is what it is divided by.
    assert float(found) == pytest.approx(expected, rel=max(PROMISE, 2.0**-23 / delta))


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_lidar_of_scaled_features_is_that_of_a_scaled_delta(scale):
    features, labels = sample(SHAPES[0])
    expected = float(metrics.lidar(metrics.class_stats(features, labels, 5), delta=0.5))
    far = metrics.class_stats((scale * features).astype(np.float32), labels, 5)
    assert float(metrics.lidar(far, delta=0.5 * scale**2)) == pytest.approx(expected, rel=PROMISE)


def test_lidar_of_a_simplex_with_round_classes_is_its_dimension():
    means = reference.simplex_etf(6, 8)
    features = np.concatenate([means[:, None] + 0.1 * sign * np.eye(8)[None] for sign in (1, -1)], axis=1)
    stats = metrics.class_stats(features.reshape(-1, 8).astype(np.float32), np.repeat(np.arange(6), 16), 6)
    assert float(metrics.lidar(stats)) == pytest.approx(5, rel=1e-6)


def test_lidar_counts_a_direction_less_where_classes_spread_in_it():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 4
    noise = 0.1 * rng.normal(size=(400, 6))
    even = (reference.simplex_etf(4, 6)[labels] + noise).astype(np.float32)
    noise[:, 0] *= 100
    uneven = (reference.simplex_etf(4, 6)[labels] + noise).astype(np.float32)
    ranks = [float(metrics.lidar(metrics.class_stats(h, labels, 4))) for h in (even, uneven)]
    assert ranks[1] < 2.5 < 2.9 < ranks[0] < 3


def test_what_makes_no_sense_is_not_a_number_or_named(unchecked):
    features, labels = sample(SHAPES[0])
    assert np.isnan(float(metrics.lidar(metrics.class_stats(features, 0 * labels, 5))))
    with pytest.raises(ValueError, match="scatter=True"):
        metrics.lidar(metrics.class_stats(features, labels, 5, scatter=False))
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.3, got 4"):
        metrics.class_ranks(features, np.full(150, 4), num_classes=4)
    with pytest.raises(ValueError, match="features must have 2 axes, got shape"):
        metrics.class_ranks(features[:, 0], labels, num_classes=5)
    with pytest.raises(ValueError, match=r"largest must be a whole number, got 2\.5"):
        metrics.class_ranks(features, labels, num_classes=5, largest=2.5)  # type: ignore[arg-type]
