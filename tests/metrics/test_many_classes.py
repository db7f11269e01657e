"""Many classes: measures by blocks of pairs are those by all pairs at once, and hold no array of C x C numbers."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from ncjax import metrics
from ncjax.metrics import class_means, nearest_mean, pairs, simplex
from tests import reference
from tests.metrics.accuracy import allowed

ROWS, COLUMNS = 8, 16
MEASURES: dict[str, Callable[..., Array]] = {
    "cdnv": metrics.cdnv,
    "nc2_equinorm": metrics.nc2_equinorm,
    "nc2_equiangularity": metrics.nc2_equiangularity,
    "nc2_maxangle": metrics.nc2_maxangle,
    "nc2_etf": metrics.nc2_etf,
    "uniformity_log": metrics.hyperspherical_uniformity,
    "uniformity_inverse": functools.partial(metrics.hyperspherical_uniformity, energy="inverse"),
}


# Compiled once for each shape, always as if classes were many.
compiled_report = jax.jit(lambda stats, kernel: metrics.collapse_report(stats, kernel))


@pytest.fixture
def in_blocks(monkeypatch):
    """As if 40 classes were many; their number is no multiple of a block."""
    for module in (class_means, simplex):
        monkeypatch.setattr(module, "ONE_BLOCK", 4)
    monkeypatch.setattr(pairs, "_ROWS", ROWS)
    monkeypatch.setattr(pairs, "_COLUMNS", COLUMNS)


def sample(dim: int, std: float, span: float = 1.0):
    features, labels = reference.collapsed_features(
        np.random.default_rng(0), 40, dim, 9, std=std, offset=10.0, span=span, imbalance=True
    )
    # Two classes are absent.
    return features[(labels != 3) & (labels != 39)], labels[(labels != 3) & (labels != 39)]


@pytest.mark.slow
@pytest.mark.parametrize(("dim", "std", "span"), [(12, 1.0, 1.0), (12, 1e-3, 1e4), (60, 1e-5, 1.0), (60, 1.0, 1e4)])
def test_measures_by_blocks_are_the_definitions(in_blocks, dim, std, span):
    features, labels = sample(dim, std, span)
    kernel = np.random.default_rng(1).normal(size=(dim, 40)).astype(np.float32)
    truth = reference.report(features, labels, kernel)
    stats = metrics.class_stats(features, labels, 40, scatter=False)
    for name, value in compiled_report(stats, kernel).items():
        if name != "collapsed_to_a_point":
            np.testing.assert_allclose(value, truth[name], rtol=allowed("small", name), err_msg=name)


def test_a_perfect_frame_of_many_classes_is_told_to_the_last_digits(in_blocks):
    frame = reference.simplex_etf(40, 45) @ np.linalg.qr(np.random.default_rng(2).normal(size=(45, 45)))[0]
    features = frame.astype(np.float32)
    stats = metrics.class_stats(features, np.arange(40), 40)
    truth = reference.report(features, np.arange(40))
    names = ("nc2_equinorm", "nc2_equiangularity", "nc2_maxangle", "nc2_etf")
    values = jax.jit(lambda stats: {name: MEASURES[name](stats) for name in names})(stats)
    for name in names:
        assert truth[name] < 1e-7
        np.testing.assert_allclose(values[name], truth[name], rtol=1e-4, err_msg=name)


def test_geometric_collapse_by_blocks_leaves_unknown_classes_out(in_blocks):
    features, labels = sample(12, 1.0)
    moments = reference.Moments(features, labels)
    complexity = np.random.default_rng(3).uniform(1, 2, 40).astype(np.float32)
    stats = metrics.class_stats(features, labels, 40)
    tight = reference.geometric_collapse_tight(moments, complexity[moments.classes].astype(np.float64))
    np.testing.assert_allclose(metrics.geometric_collapse_tight(stats, complexity), tight, rtol=1e-5)
    pooled = reference.geometric_collapse_pooled(moments, 1.5)
    np.testing.assert_allclose(metrics.geometric_collapse_pooled(stats, 1.5), pooled, rtol=1e-5)

    known = np.where(np.arange(40) == 7, np.nan, complexity)
    without = reference.Moments(features[labels != 7], labels[labels != 7])
    tight = reference.geometric_collapse_tight(without, complexity[without.classes].astype(np.float64))
    np.testing.assert_allclose(metrics.geometric_collapse_tight(stats, known), tight, rtol=1e-5)


def test_the_nearest_of_many_close_means_is_found(in_blocks):
    features, labels = sample(12, 1e-4)
    stats = metrics.class_stats(features, labels, 40)
    classes, squares = metrics.nearest_class_mean(stats, features)
    truth = reference.squared_distances_to_means(reference.Moments(features, labels), features)
    np.testing.assert_array_equal(classes, reference.Moments(features, labels).classes[truth.argmin(axis=1)])
    np.testing.assert_allclose(squares, truth.min(axis=1), rtol=1e-3, atol=1e-12)


def test_logits_of_many_classes_are_made_a_block_of_rows_at_a_time(monkeypatch):
    features, labels = sample(12, 1.0)
    kernel, bias = np.random.default_rng(4).normal(size=(13, 40)).astype(np.float32)[:12], np.arange(40.0)
    stats = metrics.class_stats(features, labels, 40)
    whole = metrics.classify(stats, kernel, bias.astype(np.float32), features)
    monkeypatch.setattr(nearest_mean, "_LOGITS", 7 * 40)
    np.testing.assert_array_equal(metrics.classify(stats, kernel, bias.astype(np.float32), features), whole)


@pytest.mark.slow
@pytest.mark.parametrize("dim", [12, 60])
def test_gradients_by_blocks_are_those_of_all_pairs(request, dim):
    features, labels = sample(dim, 1.0)
    labels = np.unique(labels, return_inverse=True)[1]

    def slope():
        def total(x):
            stats = metrics.class_stats(x, labels, 38, scatter=False)
            # Each counts by its relative change, so that none hides another's.
            return sum(jnp.log(jnp.abs(measure(stats))) for measure in MEASURES.values())

        return np.asarray(jax.jit(jax.grad(total))(jnp.asarray(features)))

    whole = slope()
    request.getfixturevalue("in_blocks")
    np.testing.assert_allclose(slope(), whole, rtol=0, atol=1e-4 * np.abs(whole).max())


@pytest.mark.slow
def test_no_measure_of_30000_classes_takes_memory_in_their_square():
    def measures(stats, kernel):
        values = metrics.collapse_report(stats, kernel)
        values["tight"] = metrics.geometric_collapse_tight(stats, stats.within)
        values["pooled"] = metrics.geometric_collapse_pooled(stats, 1.0)
        return values, metrics.nearest_class_mean(stats, stats.means[:1000])

    stats = jax.eval_shape(lambda: metrics.ClassStats.empty(30_000, 64))
    kernel = jax.ShapeDtypeStruct((64, 30_000), np.float32)
    compiled = jax.jit(measures).lower(stats, kernel).compile()
    # One array of all pairs would take 3,433 MiB.
    memory = compiled.memory_analysis()
    assert memory is not None
    assert memory.temp_size_in_bytes < 400 * 2**20


def test_cdnv_by_blocks_counts_close_pairs_by_their_differences(in_blocks):
    # Pairs of means a millionth apart: of a product of matrices no digit of their distance would be left.
    rng = np.random.default_rng(5)
    means = rng.normal(size=(20, 6)).repeat(2, axis=0)
    means[1::2] += 1e-6 * rng.normal(size=(20, 6))
    features = (means.repeat(4, axis=0) + 1e-7 * rng.normal(size=(160, 6))).astype(np.float32)
    labels = np.arange(40).repeat(4)
    stats = metrics.class_stats(features, labels, 40)
    truth = reference.cdnv(reference.Moments(features, labels))
    np.testing.assert_allclose(float(metrics.cdnv(stats)), truth, rtol=1e-5)
