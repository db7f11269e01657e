import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference
from tests.metrics.accuracy import SHAPES, samples

# Of single precision: the rounding of a product of a residual with a mean, eps |m_j|/|D| and less, in a square.
PROMISE = 1e-4


def classes(seed=0, counts=(30, 20, 25), dim=6, dtype=np.float32):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    spread = 10.0 ** -np.arange(dim)
    features = 3 * rng.normal(size=(len(counts), dim))[labels] + rng.normal(size=(len(labels), dim)) * spread
    return features.astype(dtype), labels


@pytest.mark.parametrize("shape", [SHAPES[1], SHAPES[3], SHAPES[5]])
def test_it_is_the_definition_at_any_depth_and_offset(shape):
    num_classes, dim, per_class = shape
    for std, offset, span in samples():
        features, labels = reference.collapsed_features(
            np.random.default_rng(1), num_classes, dim, per_class, std=std, offset=offset, span=span
        )
        features = features.astype(np.float32)
        truth = reference.directional_cdnv(features, labels)
        assert float(metrics.directional_cdnv(features, labels, num_classes)) == pytest.approx(truth, rel=PROMISE)


def test_double_precision_keeps_its_digits(x64):
    features, labels = classes(dtype=np.float64)
    truth = reference.directional_cdnv(features, labels)
    assert float(metrics.directional_cdnv(features, labels, 3)) == pytest.approx(truth, rel=1e-12)


def test_sums_of_batches_are_those_of_all_samples():
    features, labels = classes()
    stats = metrics.class_stats(features, labels, 3, scatter=False)
    parts = [metrics.directional_sums(stats, features[k::4], labels[k::4]) for k in range(4)]
    value = metrics.directional_cdnv_of_sums(stats, jnp.sum(jnp.stack(parts), axis=0))
    assert float(value) == pytest.approx(float(metrics.directional_cdnv(features, labels, 3)), rel=1e-5)


def test_many_classes_are_taken_by_differences():
    features, labels = classes()
    few = float(metrics.directional_cdnv(features, labels, 3))
    # The same samples among many classes without any.
    many = float(metrics.directional_cdnv(features, labels + 2047, 2050))
    assert many == pytest.approx(few, rel=1e-5)


def test_spread_across_the_lines_between_the_means_does_not_count():
    features, labels = classes(dim=6)
    across = np.linalg.svd(reference.Moments(features, labels).centred)[2][2:]
    noise = np.random.default_rng(2).normal(size=(len(labels), len(across))) @ across
    noise -= np.stack([noise[labels == c].mean(0) for c in range(3)])[labels]
    wide = (features + 100 * noise).astype(np.float32)
    before, after = (float(metrics.directional_cdnv(h, labels, 3)) for h in (features, wide))
    # Rounding of the wide features to single precision moves their means a little.
    assert after == pytest.approx(before, rel=1e-3)
    assert float(metrics.cdnv(metrics.class_stats(wide, labels, 3))) > 100 * before


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**66])
def test_it_has_no_unit(scale):
    features, labels = classes()
    value = metrics.directional_cdnv((features * scale).astype(np.float32), labels, 3)
    assert float(value) == pytest.approx(float(metrics.directional_cdnv(features, labels, 3)), rel=1e-6)


def test_masked_rows_and_absent_classes_do_not_count():
    features, labels = classes()
    spoiled = np.concatenate([features, np.full((2, features.shape[1]), np.nan, np.float32)])
    more = np.concatenate([labels, [0, 3]])
    value = metrics.directional_cdnv(spoiled, more, 5, mask=np.arange(len(more)) < len(labels))
    assert float(value) == pytest.approx(float(metrics.directional_cdnv(features, labels, 3)), rel=1e-6)


@pytest.mark.parametrize(
    ("means", "check"),
    [([1.0, 1.0, 1.0], np.isnan), ([1.0, 1.0, 2.0], np.isposinf), ([1.0, np.nan, 2.0], np.isnan)],
    ids=["all coincide", "two coincide", "not a number"],
)
def test_means_that_coincide(means, check):
    labels = np.repeat(np.arange(3), 2)
    features = (np.asarray(means)[labels] + np.tile([0.25, -0.25], 3)).astype(np.float32)[:, None]
    assert check(float(metrics.directional_cdnv(features, labels, 3)))


def test_at_full_collapse_it_is_zero_and_has_a_gradient():
    features, labels = jnp.array([[1.0], [1.0], [-1.0], [-1.0]]), jnp.array([0, 0, 1, 1])
    value, gradient = jax.value_and_grad(lambda h: metrics.directional_cdnv(h, labels, 2))(features)
    assert float(value) == 0
    assert bool(jnp.isfinite(gradient).all())
