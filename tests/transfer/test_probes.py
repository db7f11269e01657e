from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from ncjax.transfer import knn_accuracy, linear_probe

CLASSES, DIM = 4, 6
KEY = jax.random.key(3)
probe = jax.jit(
    linear_probe,
    static_argnames=("num_classes", "head", "standardise", "l2", "validation", "tolerance", "max_steps"),
)
neighbours_of = jax.jit(knn_accuracy, static_argnames=("num_classes", "neighbours", "standardise", "chunk"))


class Attached:
    """What matters here of a PyTorch tensor that requires grad."""

    def detach(self):
        raise NotImplementedError

    def __array__(self, *_, **__):
        raise RuntimeError("Can't call numpy() on Tensor that requires grad.")


def sample(seed: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, rows)
    means = np.random.default_rng(0).normal(size=(CLASSES, DIM))
    scales = 10.0 ** np.linspace(-1, 1, DIM)  # features of unlike scale: standardising matters
    return ((means[labels] + generator.normal(size=(rows, DIM))) * scales + 3).astype(np.float32), labels


TRAIN, TEST = sample(1, 201), sample(2, 301)


def scaled(standardise: bool) -> tuple[np.ndarray, np.ndarray]:
    """Train and test as scikit-learn standardises them, or centred and divided by one number."""
    train, test = TRAIN[0].astype(np.float64), TEST[0].astype(np.float64)
    if standardise:
        scaler = StandardScaler().fit(train)
        return scaler.transform(train), scaler.transform(test)
    unit = np.sqrt(train.var(axis=0).mean())
    return (train - train.mean(axis=0)) / unit, (test - train.mean(axis=0)) / unit


def accuracy_range(margins: np.ndarray, slack: float) -> tuple[float, float]:
    """Accuracies that are possible if each score is off by up to `slack`: queries nearer to a tie may go either way."""
    own = margins[np.arange(len(margins)), TEST[1]]
    others = np.where(np.eye(CLASSES)[TEST[1]] == 1, -np.inf, margins).max(axis=1)
    return float((own > others + 2 * slack).mean()), float((own > others - 2 * slack).mean())


@pytest.mark.parametrize(("standardise", "l2"), [(True, 1e-2), (False, 1e-1)])
def test_logistic_probe_predicts_as_scikit_learn(standardise: bool, l2: float) -> None:
    result = probe(*TRAIN, *TEST, CLASSES, KEY, standardise=standardise, l2=(l2,), tolerance=1e-6)
    assert float(result.gradient_norm) <= 1e-6
    train, test = scaled(standardise)
    reference = LogisticRegression(C=1 / (l2 * len(train)), tol=1e-10, max_iter=10_000).fit(train, TRAIN[1])
    # λ-strong convexity: the kernel is within ‖gradient‖/λ, at most 1e-6·3/λ, of the minimum.
    low, high = accuracy_range(reference.decision_function(test), 3e-6 / l2 * np.linalg.norm(test, axis=1).max())
    assert high - low < 0.02
    assert low - 1e-6 <= float(result.accuracy) <= high + 1e-6


@pytest.mark.parametrize("standardise", [True, False])
def test_ridge_probe_predicts_as_scikit_learn(standardise: bool) -> None:
    result = probe(*TRAIN, *TEST, CLASSES, KEY, head="ridge", standardise=standardise, l2=(0.1,))
    train, test = scaled(standardise)
    reference = Ridge(alpha=0.1 * len(train)).fit(train, np.eye(CLASSES)[TRAIN[1]])
    low, high = accuracy_range(reference.predict(test), 1e-4)
    assert low - 1e-6 <= float(result.accuracy) <= high + 1e-6
    assert float(result.gradient_norm) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("head", ["logistic", "ridge"])
def test_the_l2_is_that_of_the_best_validation_accuracy(head: str) -> None:
    grid = (1e2, 1e-3, 1e-1)
    result = probe(*TRAIN, *TEST, CLASSES, KEY, head=head, l2=grid)
    assert float(result.l2) == pytest.approx(grid[int(result.validation_accuracy.argmax())])
    alone = probe(*TRAIN, *TEST, CLASSES, KEY, head=head, l2=grid[-1:])
    # Fits that start elsewhere end within the tolerance of each other: one of the 40 held-out queries may differ.
    assert abs(float(result.validation_accuracy[-1] - alone.validation_accuracy[0])) <= 1 / 40 + 1e-6


@pytest.mark.parametrize("neighbours", [1, 5])
@pytest.mark.parametrize("standardise", [True, False])
def test_nearest_neighbours_vote_as_in_scikit_learn(neighbours: int, standardise: bool) -> None:
    train, test = scaled(standardise)
    votes = KNeighborsClassifier(neighbours).fit(train, TRAIN[1]).predict_proba(test)
    best = votes == votes.max(axis=1, keepdims=True)
    expected = (best[np.arange(len(test)), TEST[1]] / best.sum(axis=1)).mean()
    result = neighbours_of(*TRAIN, *TEST, CLASSES, neighbours=neighbours, standardise=standardise, chunk=64)
    assert float(result) == pytest.approx(expected, abs=1e-6)


def test_neighbours_are_found_within_collapsed_classes() -> None:
    # Two coarse classes far apart, each a cloud of relative size 3e-5 with two fine classes inside.
    generator = np.random.default_rng(5)
    fine = np.arange(200) % 4
    coarse = np.where(fine[:, None] < 2, 1.0, -1.0) * np.ones((1, 3))
    inside = np.where(fine % 2 == 0, 1.0, -1.0)[:, None] * np.eye(1, 3) + 0.1 * generator.normal(size=(200, 3))
    features = (coarse + 3e-5 * inside).astype(np.float32)
    accuracy = neighbours_of(features[:120], fine[:120], features[120:], fine[120:], 4, neighbours=3)
    assert float(accuracy) == 1


def test_noise_probes_at_chance() -> None:
    noise = np.random.default_rng(6).normal(size=(800, DIM)).astype(np.float32)
    labels = np.arange(800) % CLASSES
    split = (noise[:400], labels[:400], noise[400:], labels[400:])
    # Four standard errors of a binomial of 400 queries at 1/4.
    assert abs(float(probe(*split, CLASSES, KEY, head="ridge").accuracy) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 400)
    assert abs(float(neighbours_of(*split, CLASSES)) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 400)


@pytest.mark.parametrize("value", [0.0, 0.1, -3e7])
def test_features_that_never_vary_probe_at_chance(value: float) -> None:
    labels = np.arange(40) % CLASSES
    features = np.full((40, DIM), value, np.float32)
    for standardise in (True, False):
        result = probe(
            features, labels, features, labels, CLASSES, KEY, head="ridge", standardise=standardise, l2=(0.1,)
        )
        assert float(result.accuracy) == pytest.approx(0.25)


def test_features_in_either_byte_order_probe_alike() -> None:
    train, test = (tuple(part.astype(part.dtype.newbyteorder()) for part in split) for split in (TRAIN, TEST))
    assert float(knn_accuracy(train[0], train[1], test[0], test[1], CLASSES)) == float(
        knn_accuracy(*TRAIN, *TEST, CLASSES)
    )


@pytest.mark.parametrize("measure", [partial(probe, key=KEY, head="ridge", l2=(0.1,)), neighbours_of])
def test_features_that_are_not_finite_probe_as_not_a_number(measure) -> None:
    for value in (np.nan, np.inf):
        for which in (0, 1):
            features = [TRAIN[0].copy(), TEST[0].copy()]
            features[which][3, 2] = value
            result = measure(features[0], TRAIN[1], features[1], TEST[1], num_classes=CLASSES)
            assert np.isnan(getattr(result, "accuracy", result))
            assert np.isnan(getattr(result, "l2", np.nan))


def test_one_feature_that_never_varies_changes_nothing() -> None:
    def with_constant(split: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return np.hstack([split[0], np.full((len(split[0]), 1), 0.1, np.float32)]), split[1]

    extended = probe(*with_constant(TRAIN), *with_constant(TEST), CLASSES, KEY, head="ridge", l2=(0.1,))
    alone = probe(*TRAIN, *TEST, CLASSES, KEY, head="ridge", l2=(0.1,))
    assert float(extended.accuracy) == float(alone.accuracy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "svm"}, "head: got 'svm', expected one of logistic, ridge"),
        ({"l2": ()}, "l2: needs positive, finite numbers"),
        ({"l2": (0.0,)}, "l2: needs positive, finite numbers"),
        ({"l2": 1e-3}, "l2: needs positive, finite numbers in a tuple, such as .*, got 0.001"),
        ({"l2": ("1",)}, "l2: needs positive, finite numbers in a tuple"),
        ({"max_steps": 2.0}, "max_steps must be a whole number, got 2.0"),
        ({"num_classes": jnp.float32(CLASSES)}, "num_classes must be a whole number, got Array"),
        (
            {"train_features": TRAIN[0][:, :0], "test_features": TEST[0][:, :0]},
            "train_features must have at least one column",
        ),
        ({"train_features": TRAIN[0].astype(object)}, "train_features must be an array of numbers, got object"),
        ({"test_features": TEST[0].astype(str)}, "test_features must be an array of numbers, got <U"),
        ({"test_features": TEST[0].astype(np.longdouble)}, "test_features must have at most 64 bits a number"),
        (
            {"train_features": Attached()},
            r"train_features cannot be read as an array, got Attached: pass `train_features\.detach\(\)",
        ),
        ({"validation": 1.0}, "validation: a share of 1.0 of 201 train features leaves one side"),
        ({"test_features": TEST[0][:, :2]}, "test_features: got 2 columns, expected the 6 of train_features"),
        ({"train_labels": TRAIN[1] + 1}, r"train_labels must lie in 0\.\.3, got 4"),
        ({"test_labels": TEST[1][:-1]}, r"test_labels must have shape \(301,\)"),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_a_bad_probe_is_named(changes: dict, message: str) -> None:
    names = ("train_features", "train_labels", "test_features", "test_labels")
    arguments = dict(zip(names, (*TRAIN, *TEST), strict=True)) | changes
    options: dict[str, Any] = {"num_classes": CLASSES, "key": KEY} | arguments
    with pytest.raises(ValueError, match=message):
        linear_probe(**options)


@pytest.mark.parametrize("neighbours", [0, 202, 2.0, True])
@pytest.mark.usefixtures("unchecked")
def test_a_bad_number_of_neighbours_is_named(neighbours) -> None:
    with pytest.raises(ValueError, match=f"neighbours: got {neighbours}, expected a whole number from 1 to 201"):
        knn_accuracy(*TRAIN, *TEST, CLASSES, neighbours=neighbours)


def test_labels_out_of_range_are_dropped_inside_a_program() -> None:
    labels = jnp.asarray(np.where(np.arange(301) < 20, 9, TEST[1]))
    dropped = neighbours_of(*TRAIN, TEST[0], labels, CLASSES)
    np.testing.assert_allclose(dropped, neighbours_of(*TRAIN, TEST[0][20:], TEST[1][20:], CLASSES), rtol=1e-6)
