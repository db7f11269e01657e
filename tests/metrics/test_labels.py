"""Every function that takes labels, on labels of every integer type: all must read the same classes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics, transfer
from ncjax.metrics.arrays import as_labels

# A number of classes that the type cannot hold, and the largest label that it can.
TYPES = [("int8", 128, 127), ("int8", 200, 127), ("uint8", 256, 255), ("uint8", 300, 255), ("int16", 40_000, 32767)]
TYPES += [("uint16", 65_536, 65_535), ("uint32", 300, 299)]
KEY = jax.random.key(0)


def of_stats(features, labels):
    return metrics.variance_ratio(metrics.class_stats(features, labels, 300, scatter=False))


def held_out(measure):
    def call(features, labels):
        stats = metrics.class_stats(features, jnp.arange(features.shape[0]) % 300, 300, scatter=False)
        return measure(stats, features, labels)

    return call


def bootstrapped(features, labels):
    return metrics.bootstrap(lambda stats: stats.counts, features, labels, 300, KEY, num_resamples=2, scatter=False)


def resampled(features, labels):
    return metrics.resample_within_classes(KEY, labels, 300)


TAKERS = {
    "class_stats": of_stats,
    "ncc_error": held_out(metrics.ncc_error),
    "held_out_report": held_out(metrics.held_out_report),
    "class_separation": lambda features, labels: metrics.class_separation(features, labels, 300),
    "class_ranks": lambda features, labels: metrics.class_ranks(features, labels, 300, largest=2),
    "class_table": lambda features, labels: metrics.class_table(features, labels, 300),
    "rows_of_frequent_classes": lambda _, labels: metrics.rows_of_frequent_classes(labels, 300, min_count=3),
    "class_mean_complexity": lambda features, labels: metrics.class_mean_complexity(features[:, 0], labels, 300),
    "poincare_lower_bound": lambda features, labels: metrics.poincare_lower_bound(features, labels, 300, 2),
    "bootstrap": bootstrapped,
    "resample_within_classes": resampled,
    "knn_accuracy": lambda features, labels: transfer.knn_accuracy(
        features, labels, features[1:], labels[1:], 300, neighbours=1
    ),
}


@pytest.mark.parametrize(("dtype", "num_classes", "largest"), TYPES)
@pytest.mark.parametrize("traced", [False, True])
def test_labels_keep_their_class_where_the_number_of_classes_does_not_fit_their_type(
    dtype, num_classes, largest, traced
):
    labels = np.array([0, 44, largest], dtype)

    def classes(labels):
        return as_labels(labels, 3, num_classes), metrics.dropped_rows(labels, num_classes)

    own, dropped = (jax.jit(classes) if traced else classes)(labels)
    assert own.tolist() == [0, 44, largest]
    assert not dropped.any()


@pytest.mark.parametrize("name", sorted(TAKERS))
def test_every_function_reads_small_types_as_it_reads_int32(name):
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.repeat(np.arange(256), 2)).astype(np.uint8)
    features = rng.normal(size=(512, 3)).astype(np.float32)
    taker = jax.jit(TAKERS[name])
    wide, small = taker(features, labels.astype(np.int32)), taker(features, labels)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b), wide, small)


@pytest.mark.parametrize("label", [2**32, 2**32 + 1, -(2**32), 2**63 - 1])
def test_a_label_of_64_bits_is_an_error_and_no_other_class(label):
    with pytest.raises(ValueError, match=rf"labels must lie in 0\.\.1, got {label}"):
        metrics.class_stats(np.ones((2, 1), np.float32), np.array([0, label]), 2)


def test_an_unsigned_label_of_64_bits_is_an_error():
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.1, got 18446744073709551615"):
        metrics.class_stats(np.ones((2, 1), np.float32), np.array([0, 2**64 - 1], np.uint64), 2)


def test_labels_out_of_range_are_counted_under_a_trace():
    labels = jnp.array([[0, 1, 5], [7, -1, 0]], jnp.int8)
    mask = jnp.array([[True, True, True], [True, False, True]])
    features = jnp.arange(6.0).reshape(2, 3, 1)

    @jax.jit
    def halves(features, labels, mask):
        parts = jax.vmap(lambda h, y, m: metrics.class_stats(h, y, 2, mask=m))(features, labels, mask)
        merged = jax.tree.map(lambda leaf: leaf[0], parts).merge(jax.tree.map(lambda leaf: leaf[1], parts))
        reduced = jax.vmap(lambda part: metrics.all_reduce(part, "batch"), axis_name="batch")(parts)
        return merged, reduced, metrics.ClassStats.empty(2, 1).merge(merged)

    merged, reduced, with_empty = halves(features, labels, mask)
    assert (merged.counts.tolist(), int(merged.dropped)) == ([2, 1], 2)
    assert (reduced.dropped.tolist(), int(with_empty.dropped)) == ([2, 2], 2)


def test_the_bootstrap_tells_dropped_samples_from_masked_ones():
    def dropped(labels):
        mask = jnp.array([True, True, True, False])
        features = jnp.ones((4, 1))
        return metrics.bootstrap(
            lambda stats: stats.dropped, features, labels, 2, KEY, mask=mask, num_resamples=2
        ).value

    assert float(jax.jit(dropped)(jnp.array([0, 1, 9, 9]))) == 1
