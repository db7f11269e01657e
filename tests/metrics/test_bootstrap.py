import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference

CLASSES, DIM, PER_CLASS = 4, 16, 25
LABELS = jnp.arange(CLASSES * PER_CLASS) % CLASSES
# Orthogonal means of squared distance 2 a^2 and unit variance a coordinate: cdnv = DIM / (2 a^2).
MEANS = 4.0 * jnp.eye(CLASSES, DIM)
TRUE_CDNV = DIM / 32


def gaussian(key):
    return MEANS[LABELS] + jax.random.normal(key, (len(LABELS), DIM))


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    features, labels = reference.collapsed_features(rng, 3, 4, 8, std=0.3, imbalance=True)
    return features, labels


def test_a_resample_keeps_every_class_and_draws_its_rows_evenly():
    labels = jnp.array([2, 0, 2, 5, 0, 2, 0, 0, -1, 2])
    keys = jax.random.split(jax.random.key(0), 4000)
    rows = jax.jit(jax.vmap(lambda key: metrics.resample_within_classes(key, labels, 3)))(keys)
    outside = jnp.where((labels < 0) | (labels > 2), 3, labels)
    assert bool(jnp.all(outside[rows] == outside[None, :]))
    counts = np.bincount(np.asarray(rows[:, 1]), minlength=10)
    # Row 1 is of class 0, whose four rows are drawn a quarter of the time each.
    np.testing.assert_allclose(counts[[1, 4, 6, 7]] / 4000, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 4000))


def test_the_error_bar_is_that_of_a_loop_in_float64(sample):
    features, labels = sample
    bar = metrics.bootstrap(
        metrics.nc1, features, labels, 3, jax.random.key(1), num_resamples=40, level=0.8, interval="pivotal"
    )
    values = []
    for key in jax.random.split(jax.random.key(1), 40):
        rows = np.asarray(metrics.resample_within_classes(jax.random.split(key, 1)[0], labels, 3))
        values.append(reference.nc1(reference.Moments(features[rows], labels)))
    value = reference.nc1(reference.Moments(features, labels))
    np.testing.assert_allclose(float(bar.value), value, rtol=1e-5)
    np.testing.assert_allclose(float(bar.stderr), np.std(values, ddof=1), rtol=1e-3)
    np.testing.assert_allclose(float(bar.bias), np.mean(values) - value, atol=1e-4 * value)
    low, high = np.quantile(values, [0.1, 0.9])
    np.testing.assert_allclose([float(bar.low), float(bar.high)], [2 * value - high, 2 * value - low], rtol=1e-3)


KINDS: tuple[metrics.IntervalKind, ...] = ("ratio", "pivotal", "percentile")


@pytest.fixture(scope="module")
def intervals():
    """Intervals of every kind on 200 independent samples of the Gaussian classes, from the same resamples."""

    def all_kinds(key):
        features_key, key = jax.random.split(key)
        features = gaussian(features_key)
        return {
            kind: metrics.bootstrap(metrics.cdnv, features, LABELS, CLASSES, key, interval=kind, scatter=False)
            for kind in KINDS
        }

    return jax.jit(lambda keys: jax.lax.map(all_kinds, keys))(jax.random.split(jax.random.key(0), 200))


def coverage(bar):
    return float(jnp.mean((bar.low <= TRUE_CDNV) & (bar.high >= TRUE_CDNV)))


def test_ratio_intervals_hold_the_true_cdnv_as_often_as_they_say(intervals):
    # In 200 cases three standard errors of a share of 0.95 are 0.046.
    assert 0.90 <= coverage(intervals["ratio"]) <= 1


def test_percentile_intervals_suffer_the_bias_twice(intervals):
    assert coverage(intervals["percentile"]) < 0.5 < 0.8 < coverage(intervals["pivotal"])


def test_bias_and_standard_error_are_those_of_the_measure_itself(intervals):
    def value(key):
        return metrics.cdnv(metrics.class_stats(gaussian(key), LABELS, CLASSES, scatter=False))

    values = jax.jit(jax.vmap(value))(jax.random.split(jax.random.key(1), 2000))
    bar = intervals["ratio"]
    np.testing.assert_allclose(float(bar.bias.mean()), float(values.mean()) - TRUE_CDNV, rtol=0.2)
    np.testing.assert_allclose(float(bar.stderr.mean()), float(values.std()), rtol=0.15)


def test_a_ratio_interval_is_pivotal_where_a_value_is_not_positive(sample):
    features, labels = sample

    def signed(stats):
        return -metrics.cdnv(stats)

    bars = [
        metrics.bootstrap(signed, features, labels, 3, jax.random.key(0), num_resamples=16, interval=kind)
        for kind in ("ratio", "pivotal")
    ]
    np.testing.assert_array_equal(np.array(bars[0]), np.array(bars[1]))


def test_several_measures_have_their_error_bars_at_once(sample):
    features, labels = sample

    def several(stats):
        return {"cdnv": metrics.cdnv(stats), "each": (stats.variances, stats.counts)}

    bar = metrics.bootstrap(several, features, labels, 3, jax.random.key(0), num_resamples=8, scatter=False)
    stats = metrics.class_stats(features, labels, 3, scatter=False)
    for field in bar:
        assert {name: jax.tree.map(jnp.shape, part) for name, part in field.items()} == {
            "cdnv": (),
            "each": ((3,), (3,)),
        }
    np.testing.assert_allclose(bar.value["each"][0], stats.variances, rtol=1e-5)
    np.testing.assert_array_equal(bar.low["each"][0] < bar.high["each"][0], stats.counts > 1)
    # As many of every class as there are.
    np.testing.assert_array_equal(bar.stderr["each"][1], [0, 0, 0])


def test_masked_rows_never_count(sample):
    features, labels = sample
    keep = np.arange(len(labels)) % 3 > 0
    dirty = np.where(keep[:, None], features, np.nan)
    bar = metrics.bootstrap(
        metrics.cdnv, dirty, labels, 3, jax.random.key(0), mask=keep, num_resamples=16, scatter=False
    )
    np.testing.assert_allclose(
        float(bar.value), reference.cdnv(reference.Moments(features[keep], labels[keep])), rtol=1e-5
    )
    assert np.isfinite(float(bar.stderr))


def test_classes_of_one_sample_do_not_vary():
    bar = metrics.bootstrap(
        metrics.variance_ratio, jnp.eye(3), jnp.arange(3), 3, jax.random.key(0), num_resamples=4, scatter=False
    )
    assert [float(field) for field in bar] == [0, 0, 0, 0, 0]


def test_both_splits_are_resampled(sample):
    features, labels = sample

    def error(train, test):
        stats = metrics.class_stats(train[0], train[1], 3, scatter=False)
        return metrics.held_out_report(stats, *test)["strong_variance"]

    key = jax.random.key(3)
    spread = metrics.bootstrap_splits(error, [(features, labels), (features[:9], labels[:9])], 3, key)
    fixed = metrics.bootstrap_splits(lambda test: error((features, labels), test), [(features[:9], labels[:9])], 3, key)
    np.testing.assert_allclose(float(spread.value), float(fixed.value), rtol=1e-5)
    assert float(spread.stderr) > 1.01 * float(fixed.stderr)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_resamples": 1}, "num_resamples must be at least 2, got 1"),
        ({"level": 1.0}, "level must lie between 0 and 1, got 1.0"),
        ({"interval": "bca"}, "interval must be one of ratio, pivotal, percentile, got 'bca'"),
        ({"num_classes": 2}, "labels must lie in 0..1, got 2"),
    ],
)
def test_wrong_arguments_are_named(sample, unchecked, options, message):
    features, labels = sample
    arguments = {"num_classes": 3, "key": jax.random.key(0), **options}
    with pytest.raises(ValueError, match=message):
        metrics.bootstrap(metrics.cdnv, features, labels, **arguments)
