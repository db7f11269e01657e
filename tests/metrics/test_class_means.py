import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference

NUM_CLASSES = 4
LABELS = np.arange(24) % NUM_CLASSES


def everything(features, num_classes: int = NUM_CLASSES):
    """Every measure of collapse, eager and compiled."""
    kernel = np.random.default_rng(1).normal(size=(features.shape[1], num_classes)).astype(np.float32)

    def measure(features):
        stats = metrics.class_stats(features, LABELS, num_classes)
        report = metrics.collapse_report(stats, kernel)
        report |= metrics.held_out_report(stats, features, LABELS)
        report["nc4"] = metrics.nc4(stats, kernel, None, features)
        # The complexity of an embedding goes with its square.
        square = jnp.max(jnp.abs(features)) ** 2
        report["tight"] = metrics.geometric_collapse_tight(stats, jnp.full(num_classes, square))
        report["pooled"] = metrics.geometric_collapse_pooled(stats, square)
        return report

    return [{name: float(x) for name, x in f(features).items()} for f in (measure, jax.jit(measure))]


def collapsed(seed: int, std: float = 1.0) -> np.ndarray:
    """Features of the classes in `LABELS`."""
    rng = np.random.default_rng(seed)
    features, labels = reference.collapsed_features(rng, NUM_CLASSES, 6, len(LABELS) // NUM_CLASSES, std=std)
    by_class = features[np.argsort(labels)].reshape(NUM_CLASSES, -1, 6)
    return by_class.swapaxes(0, 1).reshape(-1, 6)


def dead(jitter: int) -> np.ndarray:
    """Features of a dead network: one vector everywhere, up to a unit in the last place."""
    one = np.random.default_rng(0).uniform(0.1, 1, size=6).astype(np.float32)
    steps = np.random.default_rng(2).integers(0, 1 + jitter, size=(len(LABELS), 6))
    return np.where(steps > 0, np.nextafter(one, np.float32(2)), one)


@pytest.mark.slow
@pytest.mark.parametrize("features", [dead(0), dead(1), np.zeros((24, 6), np.float32)], ids=["equal", "jitter", "zero"])
def test_a_dead_network_is_not_perfectly_collapsed(features):
    for report in everything(features):
        assert report.pop("collapsed_to_a_point") == 1
        assert 0 <= report.pop("ncc_error") <= 1
        assert 0 <= report.pop("nc4") <= 1
        finite = {name for name, value in report.items() if not np.isnan(value)}
        assert finite == {f"nc2_{name}_classifier" for name in ("equinorm", "equiangularity", "maxangle", "etf")}


@pytest.mark.parametrize(("offset", "std"), [(0.0, 0.0), (0.0, 1.0), (1e4, 0.0), (1e4, 1e-3)])
def test_collapsed_classes_that_differ_are_no_point(offset, std):
    rng = np.random.default_rng(3)
    features, labels = reference.collapsed_features(rng, NUM_CLASSES, 6, 6, std=std, offset=offset)
    stats = metrics.class_stats(features, labels, NUM_CLASSES)
    assert float(metrics.collapsed_to_a_point(stats)) == 0


def test_whether_one_class_is_a_point_is_not_known():
    stats = metrics.class_stats(np.ones((3, 2), np.float32), np.zeros(3, int), 2)
    assert np.isnan(float(metrics.collapsed_to_a_point(stats)))


@pytest.mark.parametrize("std", [0.1, 1e-7])
def test_measures_are_the_same_at_any_scale(std):
    features = collapsed(4, std)
    plain = everything(features)[1]
    for scale in (1e-30, 1e-18, 1e-12, 1e-7, 1e10, 1e19, 1e30):
        # The complexity that goes with such features is no single float.
        moved = features * np.float32(scale)
        wide = moved.astype(np.float64) / scale
        truth = reference.report(wide, LABELS) | reference.held_out(reference.Moments(wide, LABELS), wide, LABELS)
        for report in everything(moved):
            for name, value in truth.items():
                np.testing.assert_allclose(report[name], value, rtol=2e-5, err_msg=f"{name} at {scale}")
            np.testing.assert_allclose(report["nc4"], plain["nc4"], rtol=1e-6)
            assert report["collapsed_to_a_point"] == 0


@pytest.mark.parametrize("spoiled", ["all", "class", "sample", "entry"])
@pytest.mark.parametrize("by", [np.nan, np.inf])
def test_what_is_not_a_number_does_not_look_perfect(spoiled, by):
    features = collapsed(5)
    where = {"all": ..., "class": LABELS == 2, "sample": 5, "entry": (5, 3)}[spoiled]
    features[where] = by
    for report in everything(features):
        finite = {name for name, value in report.items() if not np.isnan(value)}
        assert finite == {f"nc2_{name}_classifier" for name in ("equinorm", "equiangularity", "maxangle", "etf")}


@pytest.mark.parametrize("spoiled", ["kernel", "bias"])
def test_a_classifier_that_is_not_a_number_disagrees_in_no_share_of_cases(spoiled):
    features = collapsed(6)
    stats = metrics.class_stats(features, LABELS, NUM_CLASSES)
    kernel, bias = np.ones((6, NUM_CLASSES), np.float32), np.ones(NUM_CLASSES, np.float32)
    {"kernel": kernel, "bias": bias}[spoiled].flat[1] = np.nan
    assert np.isnan(float(metrics.nc4(stats, kernel, bias, features)))
