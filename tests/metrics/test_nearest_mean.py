import jax
import numpy as np
import pytest

from ncjax import metrics
from tests import reference


def split(seed: int, **options):
    rng = np.random.default_rng(seed)
    features, labels = reference.collapsed_features(rng, 8, 6, 30, **options)
    order = rng.permutation(len(labels))
    return features[order[:150]], labels[order[:150]], features[order[150:]], labels[order[150:]]


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("std", [2.0, 1.0, 1e-3, 1e-7])
def test_held_out_report_matches_the_definitions(std, offset):
    train, train_labels, test, test_labels = split(0, std=std, offset=offset)
    report = jax.jit(metrics.held_out_report)(metrics.class_stats(train, train_labels, 8), test, test_labels)
    truth = reference.held_out(reference.Moments(train, train_labels), test, test_labels)
    for name, value in truth.items():
        np.testing.assert_allclose(float(report[name]), value, rtol=1e-4, err_msg=name)


def test_close_means_at_deep_collapse_are_told_apart():
    # Two pairs of classes, each 1e-4 apart: a Gram matrix in single precision cannot see which is nearer.
    means = np.array([[1.0, 0.0], [1.0001, 0.0], [-1.0, 1.0], [-1.0, 1.0001]])
    labels = np.repeat(np.arange(4), 50)
    noise = 1e-7 * np.random.default_rng(1).normal(size=(200, 2))
    features = (means[labels] + noise).astype(np.float32)
    stats = metrics.class_stats(features, labels, 4)
    assert float(metrics.ncc_error(stats, features, labels)) == 0


def test_one_far_class_does_not_blur_the_others():
    means = np.array([[1e4, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
    labels = np.repeat(np.arange(4), 50)
    features = (means[labels] + 1e-2 * np.random.default_rng(2).normal(size=(200, 2))).astype(np.float32)
    assert float(metrics.ncc_error(metrics.class_stats(features, labels, 4), features, labels)) == 0


def test_more_rows_than_fit_in_one_block():
    rng = np.random.default_rng(3)
    features, labels = reference.collapsed_features(rng, 3, 2, 3000)
    stats = metrics.class_stats(features, labels, 3)
    truth = reference.held_out(reference.Moments(features, labels), features, labels)
    np.testing.assert_allclose(float(metrics.ncc_error(stats, features, labels)), truth["ncc_error"], atol=2e-4)


def test_nc4_counts_the_bias():
    rng = np.random.default_rng(4)
    features, labels = reference.collapsed_features(rng, 5, 4, 40)
    kernel, bias = rng.normal(size=(4, 5)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    stats, moments = metrics.class_stats(features, labels, 5), reference.Moments(features, labels)
    got = float(metrics.nc4(stats, kernel, bias, features))
    np.testing.assert_allclose(got, reference.nc4(moments, kernel, bias, features), rtol=1e-6)
    assert got != float(metrics.nc4(stats, kernel, None, features))


def test_nc4_of_the_nearest_mean_classifier_itself_is_zero():
    features, labels = reference.collapsed_features(np.random.default_rng(5), 5, 4, 40)
    means = reference.Moments(features.astype(np.float64), labels)
    kernel = means.means.T + means.offset[:, None]
    bias = -0.5 * (kernel**2).sum(axis=0)
    stats = metrics.class_stats(features, labels, 5)
    assert float(metrics.nc4(stats, kernel.astype(np.float32), bias.astype(np.float32), features)) == 0


def test_samples_of_a_class_without_a_mean_do_not_count():
    stats = metrics.class_stats(np.array([[0.0], [1.0]], np.float32), np.array([0, 2]), 3)
    report = metrics.held_out_report(stats, np.array([[0.0], [9.0]], np.float32), np.array([0, 1]))
    assert {name: float(value) for name, value in report.items()} == {
        "strong_variance": 0,
        "weak_variance": 0,
        "ncc_error": 0,
    }


def test_masked_rows_do_not_count():
    stats = metrics.class_stats(np.array([[0.0], [1.0]], np.float32), np.array([0, 1]), 2)
    features, labels = np.array([[0.0], [0.0]], np.float32), np.array([0, 1])
    assert float(metrics.ncc_error(stats, features, labels)) == 0.5
    assert float(metrics.ncc_error(stats, features, labels, mask=np.array([True, False]))) == 0


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: metrics.ncc_error(s, np.ones((2, 3)), np.zeros(2, int)), "features must have 2 columns"),
        (lambda s: metrics.ncc_error(s, np.ones((2, 2)), np.zeros(3, int)), "labels must have shape"),
        (lambda s: metrics.nc4(s, np.ones((2, 2)), np.ones(3), np.ones((2, 2))), r"bias must have shape \(2,\)"),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    stats = metrics.class_stats(np.eye(2, dtype=np.float32), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match=message):
        call(stats)
