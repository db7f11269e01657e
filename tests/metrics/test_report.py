import jax
import numpy as np
import pytest

from ncjax import metrics
from tests import reference

BY_STATS = {
    "collapsed_to_a_point",
    "cdnv",
    "variance_ratio",
    "nc2_equinorm",
    "nc2_equiangularity",
    "nc2_maxangle",
    "nc2_etf",
    "uniformity_log",
    "uniformity_inverse",
}
BY_SCATTER = {"nc1", "vci"}
BY_KERNEL = {f"{name}_classifier" for name in BY_STATS if name.startswith("nc2")} | {"nc3"}


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    features, labels = reference.collapsed_features(rng, 4, 6, 10)
    return features, labels, rng.normal(size=(6, 4)).astype(np.float32)


def test_report_holds_what_the_inputs_allow(sample):
    features, labels, kernel = sample
    lean = metrics.class_stats(features, labels, 4, scatter=False)
    full = metrics.class_stats(features, labels, 4)

    def names(*inputs) -> set[str]:
        return set(jax.eval_shape(metrics.collapse_report, *inputs))

    assert names(lean) == BY_STATS
    assert names(full) == BY_STATS | BY_SCATTER
    assert names(full, kernel) == BY_STATS | BY_SCATTER | BY_KERNEL
    everything = names(full, kernel, np.zeros(4, np.float32), features, labels)
    assert everything == BY_STATS | BY_SCATTER | BY_KERNEL | {"nc4", "ncc_error"}


def test_report_agrees_with_the_functions(sample):
    features, labels, kernel = sample
    stats = metrics.class_stats(features, labels, 4)
    bias = np.arange(4, dtype=np.float32)
    report = jax.jit(metrics.collapse_report)(stats, kernel, bias, features, labels)
    np.testing.assert_allclose(report["cdnv"], metrics.cdnv(stats), rtol=1e-6)
    np.testing.assert_allclose(report["nc4"], metrics.nc4(stats, kernel, bias, features))
    np.testing.assert_allclose(report["ncc_error"], metrics.ncc_error(stats, features, labels))


def test_layers_are_pooled_or_flattened(sample):
    _, labels, _ = sample
    tap = np.random.default_rng(1).normal(size=(len(labels), 2, 3, 5)).astype(np.float32)
    for pooling, features in (("mean", tap.mean(axis=(1, 2))), ("flatten", tap.reshape(len(labels), -1))):
        report = metrics.collapse_report_by_layer({"block1": tap}, labels, 4, pooling=pooling)  # type: ignore[arg-type]
        truth = reference.variance_ratio(reference.Moments(features, labels))
        np.testing.assert_allclose(float(report["block1"]["variance_ratio"]), truth, rtol=1e-5)
