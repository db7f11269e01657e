import jax
import numpy as np
import pytest

from ncjax import metrics
from ncjax.metrics import class_tables
from tests import reference, reference_classes

SHAPES = [(5, 20, 30), (40, 6, 9)]


def sample(shape, std=1.0, offset=0.0, scale=1.0):
    features, labels = reference.collapsed_features(
        np.random.default_rng(0), *shape, std=std, offset=offset, imbalance=True
    )
    return (scale * features).astype(np.float32), labels


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("std", "offset", "scale"), [(1.0, 0.0, 1.0), (0.3, 0.0, 1e-15), (0.3, 0.0, 1e15), (1e-3, 1e3, 1)]
)
def test_the_table_is_its_definition(shape, std, offset, scale):
    features, labels = sample(shape, std, offset, scale)
    keep = labels != 3
    expected = reference_classes.class_table(features[keep], labels[keep])
    found = metrics.class_table(features, labels.astype(np.int8), shape[0] + 1, mask=keep)
    classes = np.unique(labels[keep])
    for name, values in expected.items():
        np.testing.assert_allclose(np.asarray(getattr(found, name))[classes], values, rtol=1e-5, err_msg=name)
    absent = np.setdiff1d(np.arange(shape[0] + 1), classes)
    assert (np.asarray(found.samples)[absent] == 0).all()
    assert (np.asarray(found.nearest)[absent] == -1).all()
    for name in ("norm", "variance", "distance", "error"):
        assert np.isnan(np.asarray(getattr(found, name))[absent]).all()


def test_means_over_classes_are_the_measures_of_all():
    features, labels = sample(SHAPES[1])
    table = metrics.class_table(features, labels, 40)
    stats = metrics.class_stats(features, labels, 40)
    share = np.asarray(table.samples) / len(labels)
    assert np.sum(share * table.error) == pytest.approx(float(metrics.ncc_error(stats, features, labels)), rel=1e-6)
    ratio = np.sum(share * table.variance) / np.mean(np.asarray(table.norm) ** 2)
    assert ratio == pytest.approx(float(metrics.variance_ratio(stats)), rel=1e-5)


def test_few_classes_at_once_are_all_at_once(monkeypatch):
    features, labels = sample(SHAPES[1])
    whole = metrics.class_table(features, labels, 40)
    monkeypatch.setattr(class_tables, "_DIFFERENCES", 3 * 40 * 6)
    jax.clear_caches()
    parts = metrics.class_table(features, labels, 40)
    np.testing.assert_array_equal(parts.nearest, whole.nearest)
    np.testing.assert_allclose(parts.distance, whole.distance, rtol=1e-6)


@pytest.mark.parametrize("min_count", [1, 2, 10])
def test_rare_classes_take_no_part(min_count):
    features, labels = sample(SHAPES[0])
    counts = np.bincount(labels, minlength=5)
    keep = counts[labels] >= min_count
    rows = metrics.rows_of_frequent_classes(labels, 5, min_count=min_count)
    np.testing.assert_array_equal(rows, keep)
    found = metrics.class_table(features, labels, 5, min_count=min_count)
    expected = reference_classes.class_table(features[keep], labels[keep])
    np.testing.assert_allclose(found.norm[counts >= min_count], expected["norm"], rtol=1e-5)
    # The mask serves other measures.
    stats = metrics.class_stats(features, labels, 5, mask=rows)
    truth = reference.cdnv(reference.Moments(features[keep], labels[keep]))
    assert float(metrics.cdnv(stats)) == pytest.approx(truth, rel=1e-5)


def test_masked_rows_are_not_counted_among_the_samples_of_a_class():
    labels = np.array([0, 0, 0, 1, 1, 1], np.uint8)
    mask = np.array([True, False, False, True, True, False])
    found = metrics.rows_of_frequent_classes(labels, 2, min_count=2, mask=mask)
    assert found.tolist() == [False, False, False, True, True, False]


def test_tables_side_by_side():
    features, labels = sample(SHAPES[0])
    runs = np.stack([features, 3 * features[:, ::-1] ** 3])
    both = jax.vmap(lambda h: metrics.class_table(h, labels, 5))(runs)
    for place, run in enumerate(runs):
        alone = metrics.class_table(run, labels, 5)
        jax.tree.map(lambda a, b, i=place: np.testing.assert_allclose(a[i], b, rtol=1e-5), both, alone)


@pytest.mark.parametrize("noise", [3.0, 0.1, 1e-3])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_minority_collapse_is_the_mean_cosine(noise, scale):
    rng = np.random.default_rng(0)
    minority = np.arange(12) >= 5
    kernel = rng.normal(size=(8, 12))
    kernel[:, minority] = kernel[:, :1] + noise * rng.normal(size=(8, 7))
    kernel = (scale * kernel).astype(np.float32)
    expected = reference.cosines(kernel.T[minority].astype(np.float64)).mean()
    # One minus a share that keeps its digits, rounded once.
    assert float(metrics.minority_collapse(kernel, minority)) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_at_neural_collapse_minority_classes_stand_apart_as_all_do():
    kernel = reference.simplex_etf(6, 7).T.astype(np.float32)
    for count in (2, 4, 6):
        value = float(metrics.minority_collapse(kernel, np.arange(6) < count))
        assert value == pytest.approx(-1 / 5, abs=1e-6)


def test_what_makes_no_sense_is_not_a_number_or_named(unchecked):
    kernel = np.eye(3, dtype=np.float32)
    assert np.isnan(float(metrics.minority_collapse(kernel, np.array([True, False, False]))))
    assert np.isnan(float(metrics.minority_collapse(np.diag([1.0, 0, 1]).astype(np.float32), np.ones(3, bool))))
    with pytest.raises(ValueError, match=r"minority must be \(3,\) booleans, got \(2,\) of bool"):
        metrics.minority_collapse(kernel, np.ones(2, bool))
    with pytest.raises(ValueError, match="min_count must be at least 1, got 0"):
        metrics.rows_of_frequent_classes(np.arange(3), 3, min_count=0)
    alone = metrics.class_table(kernel, np.zeros(3, int), 2)
    assert (int(alone.nearest[0]), np.isnan(alone.distance[0])) == (-1, True)
    spoiled = metrics.class_table(np.full((4, 2), np.nan, np.float32), np.arange(4) % 2, 2)
    assert np.isnan(spoiled.error).all()
    with pytest.raises(ValueError, match='weighting must be "equal" or "shares", got \'samples\''):
        metrics.variance_ratio(metrics.class_stats(kernel, np.arange(3), 3), weighting="samples")  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(5, 20, 30), (40, 12, 9)])
@pytest.mark.parametrize(("std", "offset", "span"), [(1.0, 0.0, 1.0), (1e-3, 1e3, 1.0), (1e-5, 0.0, 100.0)])
def test_classes_may_weigh_as_their_samples(shape, std, offset, span):
    features, labels = reference.collapsed_features(
        np.random.default_rng(0), *shape, std=std, offset=offset, span=span, imbalance=True
    )
    moments = reference.Moments(features, labels)
    stats = metrics.class_stats(features, labels, shape[0] + 1)
    between = (reference_classes.between_by_shares(moments) ** 2).sum()
    assert float(metrics.between_variance(stats, weighting="shares")) == pytest.approx(between, rel=1e-5)
    within = (moments.counts * moments.variances).sum() / moments.counts.sum()
    assert float(metrics.variance_ratio(stats, weighting="shares")) == pytest.approx(within / between, rel=1e-5)
    expected = reference_classes.nc1_by_shares(moments)
    assert float(metrics.nc1(stats, weighting="shares")) == pytest.approx(expected, rel=1e-4)


def test_classes_of_one_size_weigh_the_same_either_way():
    features, labels = reference.collapsed_features(np.random.default_rng(0), 5, 20, 30)
    stats = metrics.class_stats(features, labels, 5)
    for measure in (metrics.nc1, metrics.variance_ratio, metrics.between_variance):
        assert float(measure(stats, weighting="shares")) == pytest.approx(float(measure(stats)), rel=1e-5)
