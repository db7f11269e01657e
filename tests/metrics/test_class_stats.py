from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import PartitionSpec

from ncjax.metrics import ClassStats, all_reduce, class_stats
from tests import reference

steady = settings(deadline=None, derandomize=True, max_examples=25)


def exact_means(stats: ClassStats) -> np.ndarray:
    return np.asarray(stats.means, np.float64) + np.asarray(stats.means_low, np.float64)


def assert_stats_equal(stats: ClassStats, features, labels, rtol: float = 1e-5) -> None:
    truth = reference.Moments(features, labels)
    counts = np.asarray(stats.counts)
    np.testing.assert_array_equal(counts[truth.classes], truth.counts)
    assert counts.sum() == len(labels)
    np.testing.assert_allclose(np.asarray(stats.variances)[truth.classes], truth.variances, rtol=rtol, atol=1e-30)
    spread = np.sqrt(truth.variances.max()) + 1e-12 * np.abs(features).max()
    np.testing.assert_allclose(
        exact_means(stats)[truth.classes] - truth.offset, truth.means, rtol=0, atol=rtol * spread
    )
    if stats.scatter is not None:
        scatter = truth.within * len(labels)
        np.testing.assert_allclose(stats.scatter, scatter, atol=rtol * np.abs(scatter).max() + 1e-30)


def split_and_merge(features, labels, num_classes: int, cuts: list[int]) -> ClassStats:
    stats = ClassStats.empty(num_classes, features.shape[1])
    for part, names in zip(np.split(features, cuts), np.split(labels, cuts), strict=True):
        stats = stats.merge(class_stats(part, names, num_classes))
    return stats


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("std", [1.0, 1e-3, 1e-7])
@pytest.mark.parametrize("imbalance", [False, True])
def test_merged_batches_match_the_definition_at_any_depth(std, offset, imbalance):
    rng = np.random.default_rng(0)
    features, labels = reference.collapsed_features(rng, 7, 16, 20, std=std, offset=offset, imbalance=imbalance)
    assert_stats_equal(split_and_merge(features, labels, 7, [10, 30, 31]), features, labels)


def test_compensation_survives_compilation():
    rng = np.random.default_rng(1)
    features, labels = reference.collapsed_features(rng, 100, 256, 6, std=1e-5, offset=1e4)

    @jax.jit
    def both(features, labels):
        halves = [class_stats(features[i::2], labels[i::2], 100, scatter=False) for i in range(2)]
        return halves[0].merge(halves[1])

    assert_stats_equal(both(features, labels), features, labels)


def test_many_samples_of_one_class_keep_their_digits():
    rng = np.random.default_rng(2)
    features = (100 + 1e-3 * rng.normal(size=(200_000, 2))).astype(np.float32)
    assert_stats_equal(class_stats(features, np.zeros(len(features), int), 1), features, np.zeros(len(features), int))


def random_stats(seed: int, rows: int, num_classes: int = 4, dim: int = 3) -> ClassStats:
    rng = np.random.default_rng(seed)
    features = (1e3 + rng.normal(size=(rows, dim))).astype(np.float32)
    return class_stats(features, rng.integers(0, num_classes, rows), num_classes)


@steady
@given(seed=st.integers(0, 10_000), rows=st.sampled_from([0, 1, 3, 8]))
def test_empty_is_the_identity_of_merge(seed, rows):
    stats, empty = random_stats(seed, rows), ClassStats.empty(4, 3)
    for merged in (stats.merge(empty), empty.merge(stats)):
        jax.tree.map(np.testing.assert_array_equal, merged, stats)


@steady
@given(seed=st.integers(0, 10_000), rows=st.tuples(*[st.sampled_from([0, 1, 3, 8])] * 3))
def test_merge_is_associative(seed, rows):
    a, b, c = (random_stats(seed + i, n) for i, n in enumerate(rows))
    left, right = a.merge(b).merge(c), a.merge(b.merge(c))
    np.testing.assert_array_equal(left.counts, right.counts)
    np.testing.assert_allclose(exact_means(left), exact_means(right), rtol=1e-9)
    np.testing.assert_allclose(left.within, right.within, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(left.scatter, right.scatter, rtol=1e-4, atol=1e-5)


@steady
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.sampled_from([0, 5, 10, 15]), max_size=3).map(sorted))
def test_any_split_gives_the_whole(seed, cuts):
    rng = np.random.default_rng(seed)
    features, labels = reference.collapsed_features(rng, 3, 5, 5, std=1e-4, offset=10.0)
    assert_stats_equal(split_and_merge(features, labels, 3, cuts), features, labels)


@pytest.mark.parametrize("place", [0, 150_000, 299_999])
def test_one_far_sample_does_not_spoil_the_others(place):
    features = np.random.default_rng(9).normal(size=(300_000, 2))
    features[:, 1] += features[:, 0]
    features[place, 0] += 1e6
    features, labels = features.astype(np.float32), np.zeros(300_000, int)
    stats, truth = class_stats(features, labels, 1), reference.Moments(features, labels)
    # The standard deviation is 2e3, so a mean rounds to 2e-4 of the unit.
    np.testing.assert_allclose(exact_means(stats)[0] - truth.offset, truth.means[0], atol=2e-4)
    np.testing.assert_allclose(stats.scatter, 300_000 * truth.within, rtol=2e-5)
    np.testing.assert_allclose(stats.variances, truth.variances, rtol=2e-5)


@pytest.mark.parametrize("place", [0, 19_999])
def test_what_is_small_is_not_lost_next_to_one_far_sample(place):
    # The others hold 5e-5 of the variance: 50 each in the mean's distance, squared, times their number.
    features = np.random.default_rng(9).normal(size=(20_000, 2)).astype(np.float32)
    features[place, 0] = 1e6
    stats, truth = class_stats(features, np.zeros(20_000, int), 1), reference.Moments(features, np.zeros(20_000, int))
    np.testing.assert_allclose(stats.variances, truth.variances, rtol=1e-5)


@pytest.mark.parametrize("power", [-126, -100, -40, 0, 30, 90])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_power_of_two_changes_no_bit(power, compiled):
    rng = np.random.default_rng(10)
    features, labels = reference.collapsed_features(rng, 3, 4, 8)
    # Powers of two that keep the features' own digits: entries of at least 1 times 2**-126 are no subnormal numbers.
    features = np.where(np.abs(features) < 1, np.copysign(1, features), features).astype(np.float32)
    eager = partial(class_stats, num_classes=3)
    measure: Any = jax.jit(eager) if compiled else eager
    plain, moved = measure(features, labels), measure(np.ldexp(features, power), labels)
    change = np.ldexp(1.0, power - int(moved.exponent))
    for name, factor in (("means", change), ("within", change**2), ("scatter", change**2)):
        np.testing.assert_array_equal(np.float64(getattr(moved, name)), np.float64(getattr(plain, name)) * factor)


def test_parts_in_different_units_merge_to_the_whole():
    rng = np.random.default_rng(11)
    features, labels = reference.collapsed_features(rng, 3, 4, 8)
    # The second part is so small that its squares would be zero in single precision, and so is the first to the third.
    parts = [np.float32(scale) * features for scale in (1.0, 1e-25, 1e20)]
    stats = [class_stats(part, labels, 3) for part in parts]
    assert len({int(each.exponent) for each in stats}) == 3
    whole = class_stats(np.concatenate(parts), np.tile(labels, 3), 3)
    left, right = stats[0].merge(stats[1]).merge(stats[2]), stats[0].merge(stats[1].merge(stats[2]))
    mapped = jax.vmap(lambda h: all_reduce(class_stats(h, labels, 3), "batch"), axis_name="batch")(np.stack(parts))
    reduced = jax.tree.map(lambda leaf: leaf[0], mapped)
    for merged in (left, right, reduced):
        assert int(merged.exponent) == int(whole.exponent)
        spread = np.abs(exact_means(whole)).max()
        np.testing.assert_allclose(exact_means(merged), exact_means(whole), rtol=0, atol=1e-6 * spread)
        np.testing.assert_allclose(merged.within, whole.within, rtol=1e-5)
        np.testing.assert_allclose(merged.scatter, whole.scatter, rtol=1e-5, atol=1e-5 * np.abs(whole.scatter).max())


def test_masked_rows_do_not_count_whatever_they_hold():
    rng = np.random.default_rng(3)
    features, labels = reference.collapsed_features(rng, 3, 4, 5)
    mask = rng.random(len(labels)) < 0.7
    dirty, names = np.where(mask[:, None], features, np.nan), np.where(mask, labels, 99)
    assert_stats_equal(class_stats(dirty, names, 3, mask=mask), features[mask], labels[mask])


def test_is_a_carry_of_scan():
    rng = np.random.default_rng(4)
    features, labels = reference.collapsed_features(rng, 3, 4, 8)
    batches = (features.reshape(4, 6, 4), labels.reshape(4, 6))
    start = ClassStats.empty(3, 4)
    stats, _ = jax.lax.scan(lambda carry, batch: (carry.merge(class_stats(*batch, 3)), None), start, batches)
    assert_stats_equal(stats, features, labels)


@pytest.mark.parametrize("mapping", ["shard_map", "vmap"])
def test_all_reduce_is_merge_over_a_mapped_axis(mapping):
    rng = np.random.default_rng(5)
    features, labels = reference.collapsed_features(rng, 5, 6, 16, std=1e-5, offset=1e3)
    # Sorted labels: most members miss most classes.
    order = np.argsort(labels)
    features, labels = features[order], labels[order]

    def member(features, labels):
        return all_reduce(class_stats(features, labels, 5), "batch")

    if mapping == "vmap":
        parts = features.reshape(8, -1, 6), labels.reshape(8, -1)
        stats = jax.tree.map(lambda leaf: leaf[3], jax.vmap(member, axis_name="batch")(*parts))
    else:
        mesh = jax.make_mesh((8,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
        rows = PartitionSpec("batch")
        stats = jax.jit(jax.shard_map(member, mesh=mesh, in_specs=(rows, rows), out_specs=PartitionSpec()))(
            features, labels
        )
    assert_stats_equal(stats, features, labels)


def test_vmap_over_runs():
    rng = np.random.default_rng(6)
    runs = [reference.collapsed_features(rng, 3, 4, 5) for _ in range(2)]
    stacked = jax.vmap(partial(class_stats, num_classes=3))(
        np.stack([f for f, _ in runs]), np.stack([y for _, y in runs])
    )
    for i, (features, labels) in enumerate(runs):
        assert_stats_equal(jax.tree.map(lambda leaf, i=i: leaf[i], stacked), features, labels)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_accumulates_in_single(dtype):
    rng = np.random.default_rng(7)
    features = jnp.asarray(5 + rng.normal(size=(3000, 2)), dtype)
    labels = np.zeros(3000, int)
    stats = class_stats(features, labels, 1)
    assert stats.means.dtype == jnp.float32
    assert_stats_equal(stats, np.asarray(features, np.float64), labels)


def test_double_precision_stays(x64):
    rng = np.random.default_rng(8)
    features, labels = rng.normal(size=(20, 3)) + 1e4, rng.integers(0, 2, 20)
    stats = split_and_merge_double(features, labels)
    assert stats.means.dtype == jnp.float64
    assert_stats_equal(stats, features, labels, rtol=1e-10)


def split_and_merge_double(features, labels) -> ClassStats:
    empty = ClassStats.empty(2, 3, dtype=jnp.float64)
    return empty.merge(class_stats(features[:7], labels[:7], 2)).merge(class_stats(features[7:], labels[7:], 2))


def test_label_out_of_range_is_an_error():
    with pytest.raises(ValueError, match=r"labels must lie in 0\.\.2, got 3"):
        class_stats(np.ones((2, 1)), np.array([0, 3]), 3)


def test_label_out_of_range_under_a_trace_drops_its_row():
    features, labels = jnp.array([[1.0], [2.0], [3.0]]), jnp.array([0, 5, -1])
    stats = jax.jit(partial(class_stats, num_classes=2))(features, labels)
    assert stats.counts.tolist() == [1, 0]
    assert stats.within.tolist() == [0, 0]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("features", "labels", "mask", "message"),
    [
        (np.ones(3), np.zeros(3, int), None, "features must have 2 axes"),
        (np.ones((3, 1), int), np.zeros(3, int), None, "features must hold floats"),
        (np.ones((3, 1)), np.zeros(2, int), None, r"labels must have shape \(3,\)"),
        (np.ones((3, 1)), np.zeros(3), None, "labels must hold integers"),
        (np.ones((3, 1)), np.zeros(3, int), np.ones(2, bool), r"mask must have shape \(3,\)"),
        (np.ones((3, 1)), np.zeros(3, int), np.ones(3), "mask must hold booleans"),
    ],
)
def test_what_does_not_fit_is_named(features, labels, mask, message):
    with pytest.raises(ValueError, match=message):
        class_stats(features, labels, 2, mask=mask)


def test_merge_of_different_shapes_is_an_error():
    with pytest.raises(ValueError, match="one shape"):
        ClassStats.empty(2, 3).merge(ClassStats.empty(3, 3))


def test_merge_with_and_without_scatter_is_an_error():
    with pytest.raises(ValueError, match="scatter"):
        ClassStats.empty(2, 3).merge(ClassStats.empty(2, 3, scatter=False))


def test_gradient_of_a_variance_is_the_analytic_one():
    features, labels = jnp.array([[1.0], [3.0], [8.0]]), jnp.array([0, 0, 1])
    grad = jax.grad(lambda x: class_stats(x, labels, 2).variances[0])(features)
    np.testing.assert_allclose(grad, [[-1.0], [1.0], [0.0]], atol=1e-6)
