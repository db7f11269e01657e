import functools

import jax
import numpy as np
import pytest

from ncjax import metrics
from ncjax.metrics.nearest_mean import classifier_error
from tests import reference


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    features, labels = reference.collapsed_features(rng, 4, 3, 30, std=1.5)
    kernel, bias = rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    return (features[:60], labels[:60]), (features[60:], labels[60:]), kernel, bias


@pytest.fixture(scope="module")
def other():
    return metrics.class_stats(*reference.collapsed_features(np.random.default_rng(1), 6, 3, 9), 6)


@pytest.fixture(scope="module")
def report(sample, other):
    train, test, kernel, bias = sample
    call = jax.jit(functools.partial(metrics.train_test_report, num_classes=4, stats={"target": other}))
    return {name: float(value) for name, value in call(*train, test=test, kernel=kernel, bias=bias).items()}


def names(train, **options):
    return jax.eval_shape(functools.partial(metrics.train_test_report, num_classes=4), *train, **options).keys()


def truth(train, test, kernel, bias):
    moments = {"train": reference.Moments(*train), "test": reference.Moments(*test)}
    values: dict[str, float] = {}
    for name, split in (("train", train), ("test", test)):
        values |= {f"{name}/{key}": value for key, value in reference.report(split[0], split[1], kernel).items()}
        values |= {
            f"{name}/{key}": value for key, value in reference.held_out(moments["train"], split[0], split[1]).items()
        }
        values[f"{name}/collapsed_to_a_point"] = 0
        values[f"{name}/nc4"] = reference.nc4(moments["train"], kernel, bias, split[0])
        values[f"{name}/error"] = np.mean((split[0] @ kernel + bias).argmax(axis=1) != split[1])
    values["test/nc4_test_means"] = reference.nc4(moments["test"], kernel, bias, test[0])
    values["test/ncc_error_test_means"] = reference.held_out(moments["test"], *test)["ncc_error"]
    del values["train/strong_variance"], values["train/weak_variance"]
    return values


def test_every_column_is_the_reference_and_says_whose_means_it_takes(sample, report):
    expected = truth(*sample)
    assert {name for name in report if not name.startswith("target/")} == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(report[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
    # The sample tells the two kinds of means apart.
    assert report["test/nc4"] != report["test/nc4_test_means"]
    assert report["test/ncc_error"] != report["test/ncc_error_test_means"]


def test_a_further_split_reports_its_own_collapse_alone(report, other):
    target = {name.removeprefix("target/") for name in report if name.startswith("target/")}
    assert target == jax.eval_shape(metrics.collapse_report, other).keys()
    np.testing.assert_allclose(report["target/cdnv"], float(metrics.cdnv(other)), rtol=1e-6)


def test_what_needs_the_bias_is_left_out_unless_it_or_its_absence_is_stated(sample):
    train, test, kernel, bias = sample
    needs = {"train/nc4", "train/error", "test/nc4", "test/error", "test/nc4_test_means"}
    unstated, none, given = (names(train, test=test, kernel=kernel, bias=value) for value in (None, 0.0, bias))
    assert given == none
    assert none - unstated == needs


def test_the_report_of_collapse_leaves_nc4_out_unless_the_bias_is_stated(sample):
    (features, labels), _, kernel, _ = sample
    stats = metrics.class_stats(features, labels, 4)
    unstated, stated = (
        jax.eval_shape(metrics.collapse_report, stats, kernel, bias, features, labels) for bias in (None, 0.0)
    )
    assert stated.keys() - unstated.keys() == {"nc4"}


def test_no_bias_is_a_bias_of_zero(sample):
    (features, labels), _, kernel, _ = sample
    stats = metrics.class_stats(features, labels, 4, scatter=False)
    classes = [metrics.classify(stats, kernel, bias, features) for bias in (None, 0.0, np.zeros(4, np.float32))]
    np.testing.assert_array_equal(classes[0], classes[1])
    np.testing.assert_array_equal(classes[0], classes[2])


def test_a_bias_without_a_kernel_is_an_error(sample):
    train, _, _, bias = sample
    with pytest.raises(ValueError, match="bias: given without a kernel"):
        metrics.train_test_report(train[0], train[1], 4, bias=bias)


def test_a_train_split_alone_has_the_prefix_too(sample):
    train, _, _, _ = sample
    collapse = jax.eval_shape(metrics.collapse_report, metrics.class_stats(train[0], train[1], 4)).keys()
    assert names(train) == {f"train/{name}" for name in (*collapse, "ncc_error")}


def test_the_error_of_outputs_that_are_not_numbers_is_none(sample):
    (features, labels), _, kernel, bias = sample
    broken = np.where(np.arange(60)[:, None] == 3, np.nan, features)
    stats = metrics.class_stats(features, labels, 4, scatter=False)
    assert np.isnan(classifier_error(stats, kernel, bias, broken, labels))
