import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics

RNG = np.random.default_rng(0)
LABELS = np.repeat(np.arange(6), [20, 11, 7, 3, 2, 1])
FEATURES = (RNG.normal(size=(6, 4))[LABELS] + 0.6 * RNG.normal(size=(44, 4))).astype(np.float32)


def reference(features, labels, classes):
    wide = features.astype(np.float64)
    means = np.stack([wide[labels == c].mean(axis=0) for c in classes])
    within = np.array([((wide[labels == c] - m) ** 2).sum(axis=1).mean() for c, m in zip(classes, means, strict=True)])
    squares = ((means[:, None] - means[None]) ** 2).sum(axis=2) + np.diag(np.full(len(classes), np.inf))
    nearest = squares.argmin(axis=1)
    closest = np.array(classes)[((wide[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)]
    return {
        "count": np.array([(labels == c).sum() for c in classes]),
        "mean_norm": np.linalg.norm(means - means.mean(axis=0), axis=1),
        "within": within,
        "nearest": np.array(classes)[nearest],
        "distance": np.sqrt(squares.min(axis=1)),
        "overlap": (within + within[nearest]) / (2 * squares.min(axis=1)),
        "error": np.array([(closest[labels == c] != c).mean() for c in classes]),
    }


@pytest.mark.parametrize("scale", [1.0, 1e-15, 1e15])
def test_every_column_is_its_definition_at_any_scale(scale):
    features = (scale * FEATURES).astype(np.float32)
    stats = metrics.class_stats(features, LABELS, num_classes=6)
    found, expected = metrics.class_table(stats, features, LABELS), reference(features, LABELS, range(6))
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column, rtol=1e-5, err_msg=name)


def test_classes_without_samples_are_not_numbers_and_change_nothing():
    labels = np.where(LABELS == 2, 7, LABELS)
    stats = metrics.class_stats(FEATURES, labels, num_classes=9)
    found, expected = metrics.class_table(stats, FEATURES, labels), reference(FEATURES, labels, [0, 1, 3, 4, 5, 7])
    for name, column in expected.items():
        np.testing.assert_allclose(np.asarray(found[name])[[0, 1, 3, 4, 5, 7]], column, rtol=1e-5, err_msg=name)
    absent = np.array([2, 6, 8])
    assert (np.asarray(found["nearest"])[absent] == -1).all()
    assert all(np.isnan(np.asarray(found[name])[absent]).all() for name in expected.keys() - {"nearest"})


def test_a_class_alone_has_no_neighbour():
    stats = metrics.class_stats(FEATURES, np.zeros(44, int), num_classes=2)
    found = metrics.class_table(stats)
    assert found["nearest"].tolist() == [-1, -1]
    assert np.isnan(found["distance"]).all()
    assert np.isfinite(found["within"][0])


def test_the_mean_overlap_of_two_classes_is_their_cdnv():
    labels = (LABELS > 0).astype(int)
    stats = metrics.class_stats(FEATURES, labels, num_classes=2)
    np.testing.assert_allclose(metrics.class_table(stats)["overlap"], float(metrics.cdnv(stats)), rtol=1e-5)


def test_features_without_labels_are_refused():
    with pytest.raises(ValueError, match="features and labels must be given together"):
        metrics.class_table(metrics.class_stats(FEATURES, LABELS, num_classes=6), FEATURES)


@pytest.mark.parametrize(("fewest", "classes"), [(1, 6), (2, 5), (3, 4), (20, 1), (21, 0)])
def test_rare_classes_are_left_out_of_what_takes_a_mask(fewest, classes):
    mask = np.asarray(metrics.frequent(LABELS, 6, fewest))
    np.testing.assert_array_equal(mask, classes > LABELS)
    stats = metrics.class_stats(FEATURES, LABELS, 6, mask=mask)
    assert int((stats.counts > 0).sum()) == classes


def test_small_labels_do_not_wrap_and_dropped_ones_count_for_none():
    labels = np.arange(300) % 150
    assert np.asarray(metrics.frequent(labels.astype(np.uint8), 150, 2)).all()
    traced = jax.jit(lambda labels: metrics.frequent(labels, 3, 1))(jnp.array([0, 3, -1, 2]))
    assert traced.tolist() == [True, False, False, True]


@pytest.mark.parametrize("fewest", [0, -1])
def test_a_count_below_one_is_named(fewest):
    with pytest.raises(ValueError, match=f"min_count.*got {fewest}"):
        metrics.frequent(LABELS, 6, fewest)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_the_rank_of_a_class_is_the_participation_ratio_of_its_covariance(scale):
    found = metrics.class_ranks((scale * FEATURES).astype(np.float32), LABELS, num_classes=8)
    wide = FEATURES.astype(np.float64)
    for c in range(5):
        values = np.linalg.eigvalsh(np.cov(wide[c == LABELS].T))
        np.testing.assert_allclose(found[c], values.sum() ** 2 / (values**2).sum(), rtol=1e-5, err_msg=str(c))
    # One sample does not vary, and two classes have none.
    assert np.isnan(found[5:]).all()


def test_ranks_of_classes_differ_in_size_and_masked_rows_take_no_part():
    features = np.concatenate([1e-8 * FEATURES, 1e6 * FEATURES, FEATURES]).astype(np.float32)
    labels = np.concatenate([LABELS, LABELS + 6, LABELS])
    mask = np.arange(len(labels)) < 88
    found = metrics.class_ranks(features, labels, 12, mask=mask)
    alone = metrics.class_ranks(FEATURES, LABELS, 6)
    np.testing.assert_allclose(found[:5], alone[:5], rtol=1e-5)
    np.testing.assert_allclose(found[6:11], alone[:5], rtol=1e-5)
