import jax
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
        report["tight"] = metrics.geometric_collapse_tight(stats, np.ones(num_classes, np.float32))
        report["pooled"] = metrics.geometric_collapse_pooled(stats, 1.0)
        return report

    return [{name: float(x) for name, x in f(features).items()} for f in (measure, jax.jit(measure))]


def dead(jitter: int) -> np.ndarray:
    """Features of a dead network: one vector everywhere, up to a unit in the last place."""
    one = np.random.default_rng(0).uniform(0.1, 1, size=6).astype(np.float32)
    steps = np.random.default_rng(2).integers(0, 1 + jitter, size=(len(LABELS), 6))
    return np.where(steps > 0, np.nextafter(one, np.float32(2)), one)


@pytest.mark.parametrize("features", [dead(0), dead(1), np.zeros((24, 6), np.float32)], ids=["equal", "jitter", "zero"])
def test_a_dead_network_is_not_perfectly_collapsed(features):
    for report in everything(features):
        assert report.pop("collapsed_to_a_point") == 1
        assert 0 <= report.pop("ncc_error") <= 1
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
