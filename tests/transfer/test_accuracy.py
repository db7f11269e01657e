from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from jax.extend import core
from jax.sharding import PartitionSpec

from ncjax.transfer import (
    HEADS,
    Episodes,
    EpisodeSpec,
    LogisticRegression,
    NearestMean,
    accuracy_interval,
    class_index,
    episode_accuracies,
    episode_results,
    few_shot,
    given_episode_accuracies,
    sample_episodes,
)


@dataclass(frozen=True)
class AnyScores(NearestMean):
    """A head whose scores are finite whatever it is given."""

    def prepare(self, features, center):  # noqa: ARG002
        return features

    def scores(self, support, query):
        return jnp.nan_to_num(super().scores(support, query), posinf=0, neginf=0)


LABELS = np.repeat(np.arange(7), [20, 21, 25, 30, 30, 33, 40])
FEATURES = np.random.default_rng(0).normal(size=(LABELS.size, 6)).astype(np.float32)
FEATURES += np.random.default_rng(1).normal(size=(7, 6)).astype(np.float32)[LABELS]
SPEC = EpisodeSpec(ways=4, shots=(1, 3), queries=5, episodes=50, heads=("ncm", "ncm_cosine", "ridge"))
KEY = jax.random.key(7)
# The machine is left to tests of its own: it is solved outside the program, an episode at a time.
COMPILED = tuple(head for head in HEADS if head != "svm")

measure = jax.jit(episode_accuracies, static_argnames="spec")
measure_given = jax.jit(given_episode_accuracies, static_argnames="spec")


def gaussian_accuracy(distance: float, dim: int, shots: int) -> float:
    """Two-way nearest-mean accuracy for unit Gaussians whose means are `distance` apart, by quadrature.

    With a = query − (m₁ + m₂)/2 and b = m₁ − m₂ (independent Gaussians) the query is right where ⟨a, b⟩ > 0; scaled to
    unit covariance, 2⟨a, b⟩ = ‖(a + b)/√2‖² − ‖(a − b)/√2‖² is a difference of independent noncentral χ² variables.
    """
    mean_a = distance / 2 / np.sqrt(1 + 1 / (2 * shots))
    mean_b = distance / np.sqrt(2 / shots)
    plus = scipy.stats.ncx2(dim, (mean_a + mean_b) ** 2 / 2)
    minus = scipy.stats.ncx2(dim, (mean_a - mean_b) ** 2 / 2)
    return scipy.integrate.quad(lambda value: plus.pdf(value) * minus.cdf(value), 0, np.inf)[0]


def standard_error(per_episode: jax.Array, samples_per_class: int, class_size: int) -> float:
    """Standard error of the mean over both draws: the episodes from the features and the features from the world.

    A class of n samples holds n/m disjoint episodes of m samples a class, and averaging over all episodes is averaging
    those over all orders, so (Rao–Blackwell) the features' share of the variance is at most m/n of one episode's.
    """
    return float(per_episode.std()) * np.sqrt(1 / per_episode.size + samples_per_class / class_size)


@pytest.mark.parametrize("shots", [1, 5])
def test_nearest_mean_on_gaussians_has_the_accuracy_of_the_closed_form(shots: int) -> None:
    distance, dim, class_size = 2.0, 4, 16_000
    labels = np.arange(2 * class_size) % 2
    features = np.random.default_rng(2).normal(size=(labels.size, dim)) + distance * np.eye(1, dim) * labels[:, None]
    result = few_shot(features, labels, KEY, ways=2, shots=shots, queries=15, episodes=2_000)
    tolerance = 4 * standard_error(result.per_episode, shots + 15, class_size)
    assert tolerance < 0.03
    assert abs(float(result.mean) - gaussian_accuracy(distance, dim, shots)) < tolerance


def test_error_is_below_the_bound_by_cdnv() -> None:
    # One sample in fifty strays 55% of the way to the other class, where Chebyshev's inequality is nearly attained.
    distance, stray, shots = 10.0, 0.02, 5
    labels = np.arange(2_000) % 2
    strays = np.arange(2_000) // 2 % 50 == 0
    place = np.where(strays, 0.55, 0.0)
    along = distance * np.where(labels == 1, 1 - place, place)
    features = np.random.default_rng(3).normal(size=(labels.size, 4)) / 100 + along[:, None] * np.eye(1, 4)
    means, variances = zip(*((along[labels == c].mean(), along[labels == c].var() + 4e-4) for c in (0, 1)), strict=True)
    cdnv = sum(variances) / (2 * (means[1] - means[0]) ** 2)
    error = 1 - float(few_shot(features, labels, KEY, ways=2, shots=shots, episodes=200).mean)
    assert stray / 2 < error <= 16 * (1 + 2 / shots) * cdnv < 0.25


@pytest.mark.slow
def test_noise_is_at_chance_for_every_head() -> None:
    labels = np.arange(6_000) % 6
    noise = np.random.default_rng(4).normal(size=(labels.size, 8)).astype(np.float32)
    spec = EpisodeSpec(ways=5, shots=(1, 5), queries=15, episodes=1_000, heads=COMPILED)
    accuracies = measure(noise, class_index(labels), KEY, spec)
    for per_episode in accuracies.reshape(-1, spec.episodes):
        assert abs(float(per_episode.mean()) - 0.2) < 4 * standard_error(per_episode, 20, 1_000)


@pytest.mark.slow
@pytest.mark.parametrize("value", [0.0, 0.1, -3.7, 1e4])
def test_equal_features_score_exactly_chance(value: float) -> None:
    spec = EpisodeSpec(ways=5, shots=(1, 3), queries=5, episodes=20, heads=COMPILED)
    accuracies = measure(np.full((100, 6), value, np.float32), class_index(np.arange(100) % 5), KEY, spec)
    np.testing.assert_allclose(accuracies, 0.2, rtol=1e-6)


def test_equal_scores_share_the_credit() -> None:
    features = np.array([[0.0], [0.0], [9.0], [0.0], [0.0], [9.0]], np.float32)
    episodes = Episodes(support=jnp.array([[[0], [1], [2]]]), query=jnp.array([[[3], [4], [5]]]))
    spec = EpisodeSpec(ways=3, shots=(1,), queries=1, episodes=1)
    assert float(given_episode_accuracies(features, episodes, spec)[0, 0, 0]) == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_collapsed_features_are_always_right() -> None:
    features = 1e-25 * np.eye(7, dtype=np.float32)[LABELS]
    spec = EpisodeSpec(ways=4, shots=(1, 3), queries=5, episodes=50, heads=("ncm", "ncm_cosine", "ridge_relative"))
    assert bool((measure(features, class_index(LABELS), KEY, spec) == 1).all())


def test_order_of_the_ways_changes_nothing() -> None:
    episodes = sample_episodes(class_index(LABELS), KEY, SPEC)
    order = jnp.array([2, 0, 3, 1])
    shuffled = Episodes(episodes.support[:, order], episodes.query[:, order])
    expected = measure_given(FEATURES, episodes, SPEC)
    np.testing.assert_allclose(measure_given(FEATURES, shuffled, SPEC), expected, atol=1e-6)


def test_order_of_the_episodes_changes_nothing() -> None:
    episodes = sample_episodes(class_index(LABELS), KEY, SPEC)
    backwards = Episodes(episodes.support[::-1], episodes.query[::-1])
    expected = measure_given(FEATURES, episodes, SPEC)[:, :, ::-1]
    np.testing.assert_array_equal(measure_given(FEATURES, backwards, SPEC), expected)


def test_given_episodes_score_as_the_same_episodes_drawn() -> None:
    table = class_index(LABELS)
    given = measure_given(FEATURES, sample_episodes(table, KEY, SPEC), SPEC)
    np.testing.assert_array_equal(given, measure(FEATURES, table, KEY, SPEC))


def test_values_of_the_labels_change_nothing() -> None:
    renamed = few_shot(FEATURES, 10 * LABELS - 3, KEY, ways=4, shots=3, queries=5, episodes=50)
    expected = few_shot(FEATURES, LABELS, KEY, ways=4, shots=3, queries=5, episodes=50)
    np.testing.assert_array_equal(renamed.per_episode, expected.per_episode)


@pytest.mark.parametrize("chunk", [1, 7, 50, 1_000])
def test_chunk_size_changes_nothing(chunk: int) -> None:
    results = [
        few_shot(FEATURES, LABELS, KEY, ways=4, shots=3, queries=5, episodes=50, chunk=size).per_episode
        for size in (None, chunk)
    ]
    np.testing.assert_array_equal(results[0], results[1])


def test_heads_and_shots_together_score_as_each_alone() -> None:
    together = measure(FEATURES, class_index(LABELS), KEY, SPEC)
    options = {"ways": 4, "queries": 5, "episodes": 50}
    for row, column, head, shots in [(0, 0, "ncm", 1), (0, 1, "ncm", 3), (2, 0, "ridge", 1)]:
        alone = few_shot(FEATURES, LABELS, KEY, shots=shots, head=head, **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(together[row, column], alone.per_episode)


def factorisations_side_by_side(jaxpr: core.Jaxpr) -> int:
    """The most factorisations that no loop or branch puts one after the other."""
    here, deepest = 0, 0
    for equation in jaxpr.eqns:
        inside = [
            factorisations_side_by_side(part.jaxpr if isinstance(part, core.ClosedJaxpr) else part)
            for value in equation.params.values()
            for part in (value if isinstance(value, tuple | list) else [value])
            if isinstance(part, core.Jaxpr | core.ClosedJaxpr)
        ]
        here += equation.primitive.name in ("cholesky", "qr")
        if equation.primitive.name in ("scan", "while", "cond"):
            deepest = max([deepest, *inside])
        else:
            here += sum(inside)
    return max(here, deepest)


def test_no_two_batched_factorisations_can_wait_for_the_same_threads() -> None:
    # On a CPU of two cores XLA hung for ever where two of them were independent of each other.
    spec = EpisodeSpec(ways=2, shots=(1, 2), queries=2, episodes=4, heads=("ridge", "logistic", "ridge_relative"))
    program = jax.make_jaxpr(partial(episode_accuracies, spec=spec))(FEATURES, class_index(LABELS), KEY)
    assert factorisations_side_by_side(program.jaxpr) == 1


def test_key_decides_the_result() -> None:
    draw = partial(few_shot, FEATURES, LABELS, ways=4, shots=3, queries=5, episodes=50)
    first, again, other = (draw(jax.random.key(seed)).per_episode for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_devices_can_share_the_episodes() -> None:
    table, mesh = class_index(LABELS), jax.make_mesh((5,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
    part = EpisodeSpec(ways=4, shots=(1, 3), queries=5, episodes=10, heads=SPEC.heads)

    @jax.jit
    @partial(jax.shard_map, mesh=mesh, in_specs=PartitionSpec(), out_specs=PartitionSpec(None, None, "batch"))
    def shared(features, table, key):
        return episode_accuracies(features, table, key, part, first=jax.lax.axis_index("batch") * 10)

    np.testing.assert_array_equal(shared(FEATURES, table, KEY), measure(FEATURES, table, KEY, SPEC))


@pytest.mark.parametrize("over_runs", [jax.vmap, lambda function: partial(jax.lax.map, function)])
def test_runs_measured_together_score_as_each_alone(over_runs) -> None:
    table = class_index(LABELS)
    runs = np.stack([FEATURES, FEATURES**3, np.full_like(FEATURES, np.nan)])
    together = jax.jit(over_runs(lambda features: episode_accuracies(features, table, KEY, SPEC)))(runs)
    for features, accuracies in zip(runs, together, strict=True):
        np.testing.assert_allclose(accuracies, measure(features, table, KEY, SPEC), atol=1e-6)


def test_features_that_are_not_finite_score_nan_inside_a_program() -> None:
    assert bool(jnp.isnan(measure(np.full_like(FEATURES, np.inf), class_index(LABELS), KEY, SPEC)).all())


@pytest.mark.slow
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("head", ["ncm", "ridge", LogisticRegression(unit=False), "svm", AnyScores()])
def test_an_episode_with_a_feature_that_is_not_finite_scores_nan_and_others_do_not(head, value: float) -> None:
    broken = FEATURES.copy()
    broken[3, 2] = value  # of class 0, in some episodes a support, in some a query, in some neither
    spec = EpisodeSpec(ways=3, shots=(1, 3), queries=5, episodes=40, heads=(head,))
    table = class_index(LABELS)
    drawn = sample_episodes(table, KEY, spec)
    queried = (np.asarray(drawn.query) == 3).any(axis=(1, 2))
    seen = [queried | (np.asarray(drawn.support)[:, :, :shots] == 3).any(axis=(1, 2)) for shots in spec.shots]
    accuracy = np.asarray(measure(broken, table, KEY, spec, center=np.zeros(6, np.float32)))[0]
    expected = np.ones_like(seen) if head == "ncm" else seen  # it is scaled by the largest of all features
    assert any(map(np.any, seen))
    np.testing.assert_array_equal(np.isnan(accuracy), expected)


@pytest.mark.slow
def test_fits_say_how_well_they_converged() -> None:
    spec = EpisodeSpec(ways=4, shots=(1, 3), queries=5, episodes=20, heads=("ncm", "logistic"))
    norms = jax.jit(episode_results, static_argnames="spec")(FEATURES, class_index(LABELS), KEY, spec).gradient_norm
    assert bool((norms[0] == 0).all())
    assert bool(((norms[1] > 0) & (norms[1] <= 1e-5)).all())


def test_the_svm_head_works_inside_a_program() -> None:
    features = np.eye(7, dtype=np.float32)[LABELS]
    result = few_shot(features, LABELS, KEY, ways=4, shots=3, queries=5, episodes=9, head="svm")
    assert float(result.mean) == 1


def test_center_is_subtracted_before_the_cosine() -> None:
    options = {"ways": 4, "shots": 1, "queries": 5, "episodes": 50, "head": "ncm_cosine"}
    center = np.arange(6, dtype=np.float32)
    given = few_shot(FEATURES, LABELS, KEY, center=center, **options)  # type: ignore[arg-type]
    moved = few_shot(FEATURES - center, LABELS, KEY, center=0 * center, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(given.per_episode, moved.per_episode)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.int32])
def test_other_types_are_computed_in_float32(dtype) -> None:
    features = jnp.asarray(8 * FEATURES).astype(dtype)
    options = {"ways": 4, "shots": 3, "queries": 5, "episodes": 50}
    result = few_shot(features, LABELS, KEY, **options)  # type: ignore[arg-type]
    expected = few_shot(features.astype(jnp.float32), LABELS, KEY, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(result.per_episode, expected.per_episode)


@dataclass(frozen=True)
class TracedHead(NearestMean):
    traces: ClassVar[list[str]] = []

    def scores(self, support, query):
        self.traces.append("scores")
        return super().scores(support, query)


def test_second_call_of_the_same_shape_compiles_nothing() -> None:
    draw = partial(few_shot, labels=LABELS, ways=4, shots=3, queries=5, episodes=50, head=TracedHead())
    draw(FEATURES, key=KEY)
    before = len(TracedHead.traces)
    draw(2 * FEATURES, key=jax.random.key(99))
    assert len(TracedHead.traces) == before > 0


def test_interval_is_the_t_interval() -> None:
    accuracies = np.random.default_rng(5).uniform(size=(2, 12)).astype(np.float32)
    result = accuracy_interval(jnp.asarray(accuracies))
    low, high = scipy.stats.t.interval(
        0.95, 11, loc=accuracies.mean(axis=1), scale=scipy.stats.sem(accuracies.astype(np.float64), axis=1)
    )
    np.testing.assert_allclose(result.mean - result.ci95, low, rtol=1e-5)
    np.testing.assert_allclose(result.mean + result.ci95, high, rtol=1e-5)


def test_one_episode_has_no_interval() -> None:
    result = accuracy_interval(jnp.array([0.5]))
    assert (float(result.mean), np.isnan(result.ci95)) == (0.5, True)


class Attached:
    """What matters here of a PyTorch tensor that requires grad."""

    def detach(self):
        raise NotImplementedError

    def __array__(self, *_, **__):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


BROKEN = FEATURES.copy()
BROKEN[[3, 8], 2] = np.nan


@pytest.mark.parametrize(
    ("features", "options", "message"),
    [
        (BROKEN, {}, r"features: 2 of 199 rows are not finite \(the first: row 3\)"),
        (FEATURES[:, 0], {}, r"features: need shape \[n, d\] with d of at least 1, got \(199,\)"),
        (FEATURES[:-1], {}, "features: 198 rows for 199 labels"),
        (FEATURES, {"ways": 8}, "ways: 8 is more than the 7 classes"),
        (FEATURES, {"shots": 6}, "labels: class 0 has 20 samples, fewer than the 21"),
        (FEATURES, {"shots": 0}, r"shots: got \(0,\), expected at least one whole number of at least 1"),
        (FEATURES, {"head": "rigde"}, "head: unknown name 'rigde'.*did you mean 'ridge'"),
        (FEATURES, {"shots": 1.0}, r"shots: got \(1.0,\), expected at least one whole number of at least 1"),
        (FEATURES, {"center": np.full(6, np.nan)}, "center: holds numbers that are not finite"),
        (FEATURES[:, :0], {}, r"features: need shape \[n, d\] with d of at least 1, got \(199, 0\)"),
        (FEATURES.astype(object), {}, "features must be an array of numbers, got object"),
        (FEATURES.astype(str), {}, "features must be an array of numbers, got <U"),
        (FEATURES.astype(np.longdouble), {}, "features must have at most 64 bits a number, got float128"),
        (FEATURES * 1j, {}, "features: need real numbers, got complex64"),
        (Attached(), {}, r"features cannot be read as an array, got Attached: pass `features\.detach\(\)"),
        (FEATURES, {"center": np.zeros(5)}, r"center: needs shape \(6,\) .* got \(5,\)"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_named(features: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        few_shot(features, LABELS, KEY, **options)


def test_table_of_other_labels_is_named() -> None:
    with pytest.raises(ValueError, match="features: 199 rows for a table of 100 labels"):
        episode_accuracies(FEATURES, class_index(np.arange(100) % 5), KEY, SPEC)


def test_episodes_of_another_shape_are_named() -> None:
    episodes = Episodes(support=jnp.zeros((50, 4, 1), int), query=jnp.zeros((50, 4, 5), int))
    with pytest.raises(ValueError, match=r"episodes: support has shape \(50, 4, 1\), the spec says \(50, 4, 3\)"):
        given_episode_accuracies(FEATURES, episodes, SPEC)
