import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from ncjax.transfer.episodes import (
    ClassIndex,
    EpisodeSpec,
    check_fits,
    chunk_bytes,
    chunk_sizes,
    class_index,
    draw_without_replacement,
    follow_swaps,
    sample_episode,
    sample_episodes,
)

LABELS = np.array([4, 4, 7, 9, 9, 9, 4, 7, 9, 7, 7, 9, 9])  # 3, 4 and 6 samples


def assert_uniform(cells: np.ndarray, probabilities: np.ndarray) -> None:
    """Pearson's χ² at 1e-6 on each side: a right sampler fails at two keys in a million, and the keys are fixed.

    The callers expect about a thousand counts a cell, so a cell that is off by a fifth adds 40 to χ², more than the
    distance from its mean to the threshold.
    """
    expected = probabilities * cells.sum()
    statistic = np.sum((cells - expected) ** 2 / expected)
    low, high = scipy.stats.chi2.ppf([1e-6, 1 - 1e-6], cells.size - 1)
    assert low < statistic < high


@pytest.mark.parametrize(("size", "num"), [(4, 4), (5, 3), (6, 2), (3, 1)])
def test_swaps_reach_every_ordered_choice_once(size: int, num: int) -> None:
    swaps = np.array(list(itertools.product(*(range(step, size) for step in range(num)))))
    drawn = np.asarray(follow_swaps(jnp.asarray(swaps.T))).T
    assert sorted(map(tuple, drawn.tolist())) == sorted(itertools.permutations(range(size), num))


def test_draws_are_different_and_in_range() -> None:
    sizes = jnp.array([20, 21, 50, 1000])
    bits = jax.random.bits(jax.random.key(0), (20, 500, 4, 2))
    drawn = np.asarray(draw_without_replacement(bits, jnp.tile(sizes, (500, 1))))
    assert drawn.shape == (20, 500, 4)
    assert (np.diff(np.sort(drawn, axis=0), axis=0) > 0).all()
    assert (drawn >= 0).all()
    assert (drawn.max(axis=(0, 1)) == [19, 20, 49, 999]).all()


@pytest.mark.parametrize("size", [1, 3, 600, 65_521, 65_536])
def test_positions_are_exact_remainders_of_64_bit_numbers(size: int) -> None:
    bits = jax.random.bits(jax.random.key(4), (1, 300, 2))
    words = np.asarray(bits, np.uint64)
    expected = (words[..., 0] * 2**32 + words[..., 1]) % size
    np.testing.assert_array_equal(draw_without_replacement(bits, jnp.full(300, size)), expected)


def test_class_support_and_query_are_jointly_uniform() -> None:
    spec = EpisodeSpec(ways=2, shots=(1,), queries=1, episodes=48_000)
    episodes = sample_episodes(class_index(LABELS), jax.random.key(1), spec)
    n = LABELS.size
    pairs = np.asarray(episodes.support[:, 0, 0]) * n + np.asarray(episodes.query[:, 0, 0])
    same_class = [(i, j) for i in range(n) for j in range(n) if i != j and LABELS[i] == LABELS[j]]
    counts = np.bincount(pairs, minlength=n * n).reshape(n, n)
    assert counts.sum() == sum(counts[pair] for pair in same_class)
    sizes = {label: np.sum(label == LABELS) for label in LABELS}
    probabilities = [1 / (3 * sizes[LABELS[i]] * (sizes[LABELS[i]] - 1)) for i, _ in same_class]
    assert_uniform(np.array([counts[pair] for pair in same_class]), np.array(probabilities))


def test_ways_are_jointly_uniform() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
    spec = EpisodeSpec(ways=2, shots=(1,), queries=1, episodes=52_000)
    support = np.asarray(sample_episodes(class_index(labels), jax.random.key(2), spec).support)[..., 0]
    pairs = [(i, j) for i in range(9) for j in range(9) if labels[i] != labels[j]]
    counts = np.bincount(support[:, 0] * 9 + support[:, 1], minlength=81).reshape(9, 9)
    assert counts.sum() == sum(counts[pair] for pair in pairs)
    sizes = np.bincount(labels)
    probabilities = [1 / (6 * sizes[labels[i]] * sizes[labels[j]]) for i, j in pairs]
    assert_uniform(np.array([counts[pair] for pair in pairs]), np.array(probabilities))


def test_episodes_respect_the_classes() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([-3, 0, 5, 1000], [8, 9, 12, 30]))
    spec = EpisodeSpec(ways=3, shots=(3,), queries=5, episodes=200)
    episodes = sample_episodes(class_index(labels), jax.random.key(0), spec)
    samples = np.concatenate([episodes.support, episodes.query], axis=2)
    ways = labels[samples]
    assert (ways == ways[:, :, :1]).all()
    assert all(len(set(row)) == 3 for row in ways[:, :, 0].tolist())
    assert all(len(set(row)) == 24 for row in samples.reshape(200, 24).tolist())


def test_episode_depends_on_key_and_number_alone() -> None:
    table, key = class_index(LABELS), jax.random.key(5)
    spec = EpisodeSpec(ways=2, shots=(1,), queries=2, episodes=10)
    every = sample_episodes(table, key, spec)
    part = sample_episodes(table, key, EpisodeSpec(ways=2, shots=(1,), queries=2, episodes=3), first=4)
    alone = jax.jit(lambda key: sample_episode(table, jax.random.fold_in(key, 5), spec))(key)
    for all_rows, some_rows, row in zip(every, part, alone, strict=True):
        np.testing.assert_array_equal(all_rows[4:7], some_rows)
        np.testing.assert_array_equal(all_rows[5], row)


def test_fewer_shots_keep_queries_and_take_a_prefix() -> None:
    table, key = class_index(np.arange(40) % 4), jax.random.key(6)
    one, five = (
        sample_episodes(table, key, EpisodeSpec(ways=3, shots=shots, queries=4, episodes=20))
        for shots in ((1,), (1, 5))
    )
    np.testing.assert_array_equal(one.query, five.query)
    np.testing.assert_array_equal(one.support, five.support[:, :, :1])


def test_index_lists_unsorted_labels_of_any_value() -> None:
    table = class_index(LABELS)
    for start, count, label in zip(table.starts, table.counts, (4, 7, 9), strict=True):
        np.testing.assert_array_equal(table.order[start : start + count], np.flatnonzero(label == LABELS))
    assert table.smallest == (4, 3)


def test_index_is_a_pytree_of_three_arrays() -> None:
    shapes = jax.tree.map(jnp.shape, class_index(LABELS))
    assert isinstance(shapes, ClassIndex)
    assert (shapes.order, shapes.starts, shapes.counts) == ((13,), (3,), (3,))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 3), int), r"labels: need a vector .* got shape \(2, 3\)"),
        (np.zeros(0, int), r"labels: need a vector of at least one"),
        (np.array([0.0, 1.0]), "labels: need integers, got float64"),
    ],
)
def test_index_names_bad_labels(labels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        class_index(labels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ways": 1}, "ways: got 1, expected a whole number of at least 2"),
        ({"shots": ()}, r"shots: got \(\), expected at least one whole number"),
        ({"shots": (1, 0)}, r"shots: got \(1, 0\), expected .*whole number of at least 1"),
        ({"queries": 0}, "queries: got 0"),
        ({"episodes": -1}, "episodes: got .*, expected a whole number"),
        ({"episodes": True}, "episodes: got .*, expected a whole number"),
        ({"chunk": 0}, "chunk: got 0"),
        ({"heads": ()}, r"heads: got \(\), expected at least one"),
        ({"heads": ("ncm", "rigde")}, "did you mean 'ridge'"),
    ],
)
def test_spec_names_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EpisodeSpec(**options)


def test_too_many_ways() -> None:
    with pytest.raises(ValueError, match="ways: 5 is more than the 3 classes"):
        check_fits(class_index(LABELS), EpisodeSpec(ways=5, shots=(1,), queries=1))


def test_too_small_class_is_found_while_tracing() -> None:
    spec = EpisodeSpec(ways=2, shots=(1, 2), queries=2)
    with pytest.raises(ValueError, match=r"class 4 has 3 samples, fewer than the 4 .*2 shots \+ 2 queries"):
        jax.jit(lambda table, key: sample_episode(table, key, spec))(class_index(LABELS), jax.random.key(0))


@pytest.mark.parametrize("feature_dim", [1, 640, 100_000])
@pytest.mark.parametrize("episodes", [1, 7, 10_000])
def test_chunks_cover_the_episodes_within_the_bound(episodes: int, feature_dim: int) -> None:
    spec = EpisodeSpec(episodes=episodes)
    num_chunks, chunk = chunk_sizes(spec, feature_dim, itemsize=4)
    assert episodes <= num_chunks * chunk < episodes + num_chunks
    assert chunk == 1 or chunk * 100 * feature_dim * 4 <= chunk_bytes()
