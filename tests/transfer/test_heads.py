from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as ReferenceLogistic
from sklearn.linear_model import Ridge as ReferenceRidge
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from ncjax.transfer import (
    HEADS,
    LinearSVM,
    LogisticRegression,
    NearestMean,
    NearestMeanCosine,
    Ridge,
    choose_head,
    few_shot,
    find_head,
    svm,
)
from ncjax.transfer.crammer_singer import crammer_singer
from tests.transfer.references import logistic_scores, ridge_scores, ridge_tolerance

SHAPES = [(2, 1, 3), (5, 1, 8), (5, 5, 64), (3, 10, 4)]  # ways, shots, d; the last has more supports than features
RIDGE = jax.jit(Ridge(50.0).scores)


def _logistic(rows: jax.Array, unit: bool) -> tuple[jax.Array, jax.Array]:
    head = LogisticRegression(unit=unit)
    prepared = head.prepare(rows, None)
    return head.solve(prepared[:25].reshape(5, 5, -1), prepared[25:])


LOGISTIC = {unit: jax.jit(partial(_logistic, unit=unit)) for unit in (True, False)}


def episode(ways: int, shots: int, dim: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(ways + shots + dim)
    means = generator.normal(size=(ways, 1, dim))
    support = means + generator.normal(size=(ways, shots, dim))
    query = means + generator.normal(size=(ways, 15, dim))
    return support.astype(np.float32), query.reshape(-1, dim).astype(np.float32)


def nearest_centroid(support: np.ndarray, query: np.ndarray) -> np.ndarray:
    ways, shots, dim = support.shape
    # The same means without identical or single samples, whose zero variance scikit-learn warns about.
    pairs = np.concatenate([support - 1.0, support + 1.0], axis=1).astype(np.float64)
    reference = NearestCentroid().fit(pairs.reshape(-1, dim), np.repeat(np.arange(ways), 2 * shots))
    return reference.predict(query.astype(np.float64))


@pytest.mark.parametrize(("ways", "shots", "dim"), SHAPES)
def test_nearest_mean_predicts_as_scikit_learn(ways: int, shots: int, dim: int) -> None:
    support, query = episode(ways, shots, dim)
    scores = NearestMean().scores(jnp.asarray(support), jnp.asarray(query))
    np.testing.assert_array_equal(scores.argmax(axis=1), nearest_centroid(support, query))


@pytest.mark.parametrize(("ways", "shots", "dim"), SHAPES)
def test_cosine_head_predicts_as_scikit_learn_on_centred_unit_features(ways: int, shots: int, dim: int) -> None:
    support, query = episode(ways, shots, dim)
    features = np.concatenate([support.reshape(-1, dim), query]) + np.float32(5)
    head = NearestMeanCosine()
    prepared = head.prepare(jnp.asarray(features), None)
    scores = head.scores(prepared[: ways * shots].reshape(ways, shots, dim), prepared[ways * shots :])
    unit = normalize(features - features.mean(axis=0, dtype=np.float64))
    reference = nearest_centroid(unit[: ways * shots].reshape(ways, shots, dim), unit[ways * shots :])
    np.testing.assert_array_equal(scores.argmax(axis=1), reference)


@pytest.mark.parametrize("l2", [0.1, 50.0])
@pytest.mark.parametrize(("ways", "shots", "dim"), SHAPES)
def test_ridge_scores_equal_scikit_learn_up_to_their_mean_over_the_ways(
    ways: int, shots: int, dim: int, l2: float
) -> None:
    support, query = episode(ways, shots, dim)
    reference = ReferenceRidge(alpha=l2, fit_intercept=False)
    reference.fit(support.reshape(-1, dim).astype(np.float64), np.repeat(np.eye(ways), shots, axis=0))
    scores = Ridge(l2).scores(jnp.asarray(support), jnp.asarray(query))
    expected = reference.predict(query.astype(np.float64))
    expected -= expected.mean(axis=1, keepdims=True)
    # Float32 rounding grows with the condition number of the Gram matrix plus λ, here at most about 3,000.
    np.testing.assert_allclose(scores, expected, atol=3e-4 * np.abs(expected).max())


@pytest.mark.parametrize("offset", [0.0, 1e2, 1e4])
@pytest.mark.parametrize("scale", [1e-20, 1e-4, 1.0, 1e18])
@pytest.mark.parametrize(("ways", "shots", "dim"), [(5, 5, 64), (3, 10, 4)])
def test_ridge_keeps_its_digits_under_a_common_mean_and_at_any_scale(
    ways: int, shots: int, dim: int, scale: float, offset: float
) -> None:
    support, query = (((part + offset) * scale).astype(np.float32) for part in episode(ways, shots, dim))
    samples, queries = support.reshape(-1, dim).astype(np.float64), query.astype(np.float64)
    scores = np.asarray(RIDGE(support, query))
    expected = ridge_scores(samples, np.repeat(np.eye(ways), shots, axis=0), queries, 50.0)
    tolerance = ridge_tolerance(samples, 50.0)
    assert tolerance < 0.01
    np.testing.assert_allclose(scores / np.abs(scores).max(), expected, atol=tolerance)


@pytest.mark.parametrize(
    ("unit", "offset", "scale"),
    [(True, 1e2, 1.0), (True, 1e4, 1.0), (False, 1e4, 1.0), (False, 1e3, 1e-3), (False, 0.0, 1e-6)],
)
def test_the_logistic_head_keeps_its_digits_under_a_common_mean(unit: bool, offset: float, scale: float) -> None:
    ways, shots, dim = 5, 5, 64
    support, query = (((part + offset) * scale).astype(np.float32) for part in episode(ways, shots, dim))
    rows = np.concatenate([support.reshape(-1, dim), query])
    scores, gradient_norm = LOGISTIC[unit](rows)
    assert float(gradient_norm) <= 1e-5
    rows = rows.astype(np.float64)
    if unit:
        rows = normalize(rows)
    samples, queries = rows[: ways * shots], rows[ways * shots :]
    expected = logistic_scores(samples, np.repeat(np.eye(ways), shots, axis=0), queries, 1.0)
    spread = np.sqrt(np.mean(np.sum((samples - samples.mean(axis=0)) ** 2, axis=1)))
    farthest = np.linalg.norm(queries - samples.mean(axis=0), axis=1).max()
    # The objective is λ-strongly convex in the kernel, whose gradient is at most 1e-5 of the spread times the number of
    # samples, and the intercept's gradient at most 1e-5 of what the logits make of it.
    tolerance = 2e-5 * (spread * ways * shots * farthest + ways * np.abs(expected).max())
    assert tolerance < 0.02 * np.abs(expected).max() or not unit
    scores = np.asarray(scores, np.float64)
    np.testing.assert_allclose(scores - scores.mean(axis=1, keepdims=True), expected, atol=tolerance)
    # Where the penalty rules, logits are almost linear in the features and predictions do not depend on its strength.
    if unit:
        np.testing.assert_array_equal(scores.argmax(axis=1), expected.argmax(axis=1))


@pytest.mark.parametrize("scale", [1e-20, 1e-10])
def test_features_so_small_that_only_the_order_of_the_logits_is_left(scale: float) -> None:
    support, query = episode(5, 5, 64)
    rows = np.concatenate([support.reshape(-1, 64), query])
    scores, _ = LOGISTIC[False](rows * np.float32(scale))
    expected = logistic_scores(*(rows[:25] * 1e-6, np.repeat(np.eye(5), 5, axis=0), rows[25:] * 1e-6), 1.0)
    np.testing.assert_array_equal(scores.argmax(axis=1), expected.argmax(axis=1))


@pytest.mark.parametrize("offset", [0.0, 1e2, 1e4])
@pytest.mark.parametrize(("ways", "shots", "dim", "c"), [(5, 5, 64, 0.1), (3, 10, 4, 1.0), (2, 1, 3, 1.0)])
def test_the_svm_reaches_the_bound_of_its_dual_under_a_common_mean(
    ways: int, shots: int, dim: int, c: float, offset: float
) -> None:
    support, _ = episode(ways, shots, dim)
    samples = (support + np.float32(offset)).reshape(ways * shots, dim).astype(np.float64)
    targets = np.repeat(np.eye(ways), shots, axis=0)
    kernel = svm.margins(c, ways, samples[None], np.eye(dim)[None])[0]
    scores = samples @ kernel
    losses = (1 - targets + scores).max(axis=1) - (targets * scores).sum(axis=1)
    primal = 0.5 * np.sum(kernel**2) + c * losses.sum()
    # Any α within the constraints bounds the optimum from below, whoever found it.
    unit = ((samples - samples.mean(axis=0)) ** 2).sum(axis=1).max()
    gram = samples @ samples.T / unit
    alpha = crammer_singer(gram[None], targets, np.array([c * unit]))[0]
    assert np.abs(alpha.sum(axis=1)).max() < 1e-9 * np.abs(alpha).max()
    assert (alpha <= c * unit * targets + 1e-3 * np.abs(alpha).max()).all()
    dual = (np.sum(alpha * targets) - 0.5 * np.sum(alpha * (gram @ alpha))) / unit
    # The gap, and what is added to the diagonal so that rounding does not make G indefinite.
    assert dual == pytest.approx(primal, rel=1e-4 + 1e-15 * np.trace(gram) * c * unit * len(samples))


@pytest.mark.parametrize("scale", [1e-20, 1e18])
def test_the_svm_is_finite_at_any_scale(scale: float) -> None:
    support, query = (part * np.float32(scale) for part in episode(5, 5, 64))
    scores = np.asarray(LinearSVM().scores(jnp.asarray(support), jnp.asarray(query)))
    # Far separated means: every query of a way is nearest to it.
    assert np.isfinite(scores).all()
    assert (scores.argmax(axis=1) == np.repeat(np.arange(5), 15)).mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in HEADS if name != "svm"])
def test_accuracy_under_a_common_mean_is_that_of_double_precision(name: str) -> None:
    # Offsets that are whole numbers, and features of few digits: shifting them rounds nothing.
    labels = np.arange(400) % 10
    generator = np.random.default_rng(4)
    features = generator.normal(size=(10, 64))[labels] * 0.45 + generator.normal(size=(400, 64))
    features = np.round(features * 64) / 64
    measure = partial(few_shot, labels=labels, key=jax.random.key(0), episodes=60, head=name)
    # A penalty in units of the mean square acts on the mean as well: far from zero all queries go to one way.
    offset = 8.0 if name == "ridge_relative" else 8192.0
    moved = float(measure(features.astype(np.float32) + np.float32(offset)).mean)
    with jax.enable_x64(True):
        expected = float(measure(features + offset).mean)
    # 4,500 queries: a few whose best two ways tie to rounding may go either way.
    assert expected > 0.5
    assert abs(moved - expected) < 4 / 4_500


@pytest.mark.parametrize("l2", [0.1, 1.0])
@pytest.mark.parametrize(("ways", "shots", "dim"), [(5, 5, 64), (3, 10, 4)])
def test_logistic_probabilities_equal_scikit_learn(ways: int, shots: int, dim: int, l2: float) -> None:
    support, query = episode(ways, shots, dim)
    head = LogisticRegression(l2)
    prepared = head.prepare(jnp.concatenate([support.reshape(-1, dim), query]), None)
    scores, gradient_norm = jax.jit(head.solve)(
        prepared[: ways * shots].reshape(ways, shots, dim), prepared[ways * shots :]
    )
    reference = ReferenceLogistic(C=1 / l2, tol=1e-10, max_iter=10_000)
    reference.fit(normalize(support.reshape(-1, dim).astype(np.float64)), np.repeat(np.arange(ways), shots))
    # The objective is λ-strongly convex in the kernel: it lies within ‖gradient‖/λ of the minimum, and logits of unit
    # queries with it; the unit of the gradient norm is below 2·ways·shots. Rounding adds far less.
    tolerance = 2e-5 * ways * shots / l2
    assert float(gradient_norm) <= 1e-5
    expected = reference.predict_proba(normalize(query.astype(np.float64)))
    np.testing.assert_allclose(jax.nn.softmax(scores, axis=1), expected, atol=tolerance)


def test_svm_margins_equal_scikit_learn_on_the_features_themselves() -> None:
    support, query = episode(5, 5, 64)
    reference = LinearSVC(C=0.1, multi_class="crammer_singer", fit_intercept=False, tol=1e-8, random_state=0)
    reference.fit(support.reshape(-1, 64).astype(np.float64), np.repeat(np.arange(5), 5))
    expected = reference.decision_function(query.astype(np.float64))
    scores = LinearSVM().scores(jnp.asarray(support), jnp.asarray(query))
    # Ours stops at liblinear's default tolerance of 1e-4 on a dual whose entries lie below C.
    np.testing.assert_allclose(scores, expected, atol=1e-2 * np.abs(expected).max())


def test_the_ridge_of_the_validation_episodes_is_the_best_of_the_candidates() -> None:
    # One direction tells the classes apart, thirty louder ones do not: only a weak penalty finds it at ten shots.
    labels = np.repeat(np.arange(4), 40)
    noise = np.random.default_rng(0).normal(size=(160, 31))
    features = np.concatenate([noise[:, :1] / 10 + labels[:, None], noise[:, 1:]], axis=1).astype(np.float32)
    candidates = (Ridge(1e6), Ridge(10.0), Ridge(1e7))
    chosen = choose_head(features, labels, jax.random.key(0), candidates, ways=4, shots=10, episodes=50)
    assert chosen.head == candidates[int(chosen.accuracy.argmax())]
    assert chosen.accuracy.max() > chosen.accuracy.min()


def test_relative_ridge_is_ridge_in_units_of_the_mean_square() -> None:
    features = jax.random.normal(jax.random.key(0), (50, 6)) * 3 + 1
    head = Ridge(l2=2.0, relative=True)
    prepared = head.prepare(features, None)
    relative = head.scores(prepared[:10].reshape(5, 2, 6), prepared[10:])
    absolute = Ridge(l2=2.0 * float(jnp.mean(features**2))).scores(features[:10].reshape(5, 2, 6), features[10:])
    np.testing.assert_allclose(relative, absolute, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e30])
@pytest.mark.parametrize("name", ["ncm", "ncm_cosine", "ridge_relative", "logistic"])
def test_predictions_do_not_depend_on_the_scale(name: str, scale: float) -> None:
    head, features = HEADS[name], jax.random.normal(jax.random.key(1), (90, 6))

    @jax.jit
    def predictions(features: jax.Array) -> jax.Array:
        prepared = head.prepare(features, None)
        return head.scores(prepared[:15].reshape(5, 3, 6), prepared[15:]).argmax(axis=1)

    np.testing.assert_array_equal(predictions(features * scale), predictions(features))


def test_nearest_mean_survives_a_large_common_mean() -> None:
    offsets = np.float32(2**-10) * np.array([[0, 1], [0, 2], [4, 1], [4, 2], [0, 3], [4, 3]], np.float32)
    prepared = NearestMean().prepare(jnp.asarray(offsets + np.float32(1000)), None)
    scores = NearestMean().scores(prepared[:4].reshape(2, 2, 2), prepared[4:])
    assert scores.argmax(axis=1).tolist() == [0, 1]


def test_feature_at_the_centre_stays_zero() -> None:
    prepared = NearestMeanCosine().prepare(jnp.array([[1.0, 2.0], [1.0, 5.0]]), jnp.array([1.0, 2.0]))
    assert prepared.tolist() == [[0.0, 0.0], [0.0, 1.0]]


def test_ridge_is_finite_where_lambda_is_below_rounding() -> None:
    support = 1e6 * jnp.ones((5, 5, 8)) + jnp.arange(5.0)[:, None, None]
    assert bool(jnp.isfinite(Ridge(l2=1e-3).scores(support, support[:, 0])).all())


@pytest.mark.parametrize("l2", [0.0, -1.0, float("nan"), float("inf")])
def test_ridge_names_a_bad_lambda(l2: float) -> None:
    with pytest.raises(ValueError, match="l2: the ridge head needs a positive, finite number"):
        Ridge(l2)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (LogisticRegression, {"l2": 0.0}, "l2: the logistic head needs a positive, finite number, got 0.0"),
        (LogisticRegression, {"tolerance": -1.0}, "tolerance: the logistic head needs a positive"),
        (LogisticRegression, {"max_steps": 0}, "max_steps: the logistic head needs at least 1, got 0"),
        (LinearSVM, {"c": float("inf")}, "c: the svm head needs a positive, finite number, got inf"),
    ],
)
def test_heads_name_a_bad_option(make, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize(("name", "nearest"), [("nmc", "ncm"), ("rigde", "ridge"), ("cosine", "ncm_cosine")])
def test_unknown_head_suggests_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"head: unknown name '{name}'.*did you mean '{nearest}'"):
        find_head(name)


def test_head_objects_pass_through() -> None:
    assert find_head(Ridge(l2=3.0)) == Ridge(l2=3.0)
