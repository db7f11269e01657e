import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from ncjax import transfer

RNG = np.random.default_rng(0)


def case(n, d, classes, apart=1.0):
    labels = RNG.integers(0, classes, size=n)
    labels[: 2 * classes] = np.tile(np.arange(classes), 2)
    return (apart * RNG.normal(size=(classes, d))[labels] + RNG.normal(size=(n, d))).astype(np.float32), labels


CASES = [case(120, 8, 4), case(60, 30, 3, 3.0), case(30, 50, 5), case(200, 5, 2, 0.1)]


def log_me(features, labels, classes):
    """By the normal equations, at the fixed point that MacKay's rule reaches from both precisions one."""
    (n, d), total = features.shape, 0.0
    gram = features.T @ features
    for c in range(classes):
        y, alpha, beta = (labels == c).astype(float), 1.0, 1.0
        for _ in range(5000):
            posterior = alpha * np.eye(d) + beta * gram
            weights = beta * np.linalg.solve(posterior, features.T @ y)
            freedom = beta * np.trace(np.linalg.solve(posterior, gram))
            residual = ((features @ weights - y) ** 2).sum()
            new = freedom / (weights @ weights), (n - freedom) / residual
            if np.allclose(new, (alpha, beta), rtol=1e-9):
                break
            alpha, beta = new
        logs = d * np.log(alpha) + n * np.log(beta) - np.linalg.slogdet(alpha * np.eye(d) + beta * gram)[1]
        total += (logs - beta * residual - alpha * weights @ weights - n * np.log(2 * np.pi)) / (2 * n)
    return total / classes


def between(features, labels):
    means = np.stack([features[labels == c].mean(axis=0) for c in np.unique(labels)])[
        np.searchsorted(np.unique(labels), labels)
    ]
    return np.cov(means.T, bias=True)


def h_score(features, labels, _):
    return np.trace(np.linalg.pinv(np.cov(features.T, bias=True), rcond=1e-10) @ between(features, labels))


def h_score_shrunk(features, labels, _):
    covariance, shrinkage = ledoit_wolf(features)
    return (1 - shrinkage) * np.trace(np.linalg.solve(covariance, between(features, labels)))


def gbc(features, labels, classes):
    parts, d, total = [features[labels == c] for c in range(classes)], features.shape[1], 0.0
    moments = [(part.mean(axis=0), ((part - part.mean(axis=0)) ** 2).sum(axis=1).mean() / d) for part in parts]
    for i, (mean, variance) in enumerate(moments):
        for j, (other, spread) in enumerate(moments):
            if i != j:
                both = (variance + spread) / 2
                distance = ((mean - other) ** 2).sum() / (8 * both)
                total -= np.exp(-distance - d / 2 * np.log(both / np.sqrt(variance * spread)))
    return total


def trans_rate(features, labels, classes):
    def rate(part):
        return np.linalg.slogdet(np.eye(part.shape[1]) + part.T @ part / (len(part) * 1e-4))[1] / 2

    centred = features - features.mean(axis=0)
    return rate(centred) - np.mean([rate(centred[labels == c]) for c in range(classes)])


REFERENCES = {
    "log_me": log_me,
    "h_score": h_score,
    "h_score_shrunk": h_score_shrunk,
    "gbc": gbc,
    "trans_rate": trans_rate,
}


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("number", range(len(CASES)))
def test_every_score_is_its_definition(name, number):
    features, labels = CASES[number]
    classes = int(labels.max()) + 1
    expected = REFERENCES[name](features.astype(np.float64), labels, classes)
    found = float(getattr(transfer, name)(features, labels, classes))
    assert found == pytest.approx(expected, rel=2e-4, abs=1e-5)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_all_at_once_are_the_single_ones_and_absent_classes_take_no_part(number):
    features, labels = CASES[number]
    classes = int(labels.max()) + 1
    found = transfer.scores(features, labels, classes + 3)
    assert found.keys() == REFERENCES.keys()
    for name, value in found.items():
        assert float(value) == pytest.approx(float(getattr(transfer, name)(features, labels, classes)), rel=1e-4), name


@pytest.mark.parametrize("scale", [1e-15, 1e15])
@pytest.mark.parametrize("name", ["log_me", "h_score", "h_score_shrunk", "gbc"])
def test_scores_are_blind_to_scale(name, scale):
    features, labels = CASES[0]
    one, other = (getattr(transfer, name)((s * features).astype(np.float32), labels, 4) for s in (1.0, scale))
    assert float(other) == pytest.approx(float(one), rel=1e-4)


@pytest.mark.parametrize("name", ["h_score", "h_score_shrunk", "gbc", "trans_rate"])
def test_a_common_offset_costs_few_digits(name):
    features, labels = CASES[0]
    one, other = (getattr(transfer, name)((features + offset).astype(np.float32), labels, 4) for offset in (0.0, 1e3))
    assert float(other) == pytest.approx(float(one), rel=2e-3)


@pytest.mark.parametrize("name", REFERENCES)
def test_what_is_no_number_is_none(name):
    features, labels = CASES[0]
    broken = features.copy()
    broken[3, 2] = np.nan
    assert np.isnan(float(getattr(transfer, name)(broken, labels, 4)))
    traced = jax.jit(lambda labels: getattr(transfer, name)(features, labels, 4))(jnp.asarray(labels).at[0].set(9))
    assert np.isnan(float(traced))


def test_equal_networks_but_for_noise_are_ranked_by_how_far_classes_are_apart():
    labels = np.arange(100) % 4
    centres, noise = RNG.normal(size=(4, 6)), RNG.normal(size=(100, 6))
    ranked = [transfer.scores((a * centres[labels] + noise).astype(np.float32), labels, 4) for a in (0.2, 1.0, 4.0)]
    for name in REFERENCES:
        values = [float(each[name]) for each in ranked]
        assert values == sorted(values), name


@pytest.mark.parametrize("name", REFERENCES)
def test_labels_out_of_range_are_named(name):
    features, _ = CASES[0]
    with pytest.raises(ValueError, match=r"labels must lie in 0..3, got 4"):
        getattr(transfer, name)(features, np.full(120, 4), 4)


def leep(logits, labels, classes):
    """By loops over samples and both kinds of classes."""
    said = np.exp(logits - logits.max(axis=1, keepdims=True))
    said /= said.sum(axis=1, keepdims=True)
    joint = np.zeros((classes, said.shape[1]))
    for row, label in zip(said, labels, strict=True):
        joint[label] += row / len(labels)
    conditional = joint / joint.sum(axis=0)
    return np.mean([np.log(conditional[label] @ row) for row, label in zip(said, labels, strict=True)])


@pytest.mark.parametrize("number", range(len(CASES)))
def test_leep_is_its_definition(number):
    logits, labels = CASES[number]
    classes = int(labels.max()) + 1
    found = float(transfer.leep(logits, labels, classes))
    assert found == pytest.approx(leep(logits.astype(np.float64), labels, classes), rel=1e-5)


def test_leep_of_a_sure_classifier_that_is_never_asked_is_a_number():
    logits = np.full((20, 6), -1e4, np.float32)
    labels = np.arange(20) % 2
    logits[np.arange(20), labels] = 1e4
    assert float(transfer.leep(logits, labels, 2)) == 0


def test_leep_takes_the_logarithms_of_probabilities_that_are_zero():
    labels = np.arange(20) % 2
    with np.errstate(divide="ignore"):
        logits = np.log(np.eye(3, dtype=np.float32)[labels])
    assert float(transfer.leep(logits, labels, 2)) == 0


def test_leep_of_what_is_no_number_or_out_of_range_is_none():
    logits, labels = CASES[0]
    broken = logits.copy()
    broken[3, 2] = np.nan
    assert np.isnan(float(transfer.leep(broken, labels, 4)))
    with pytest.raises(ValueError, match=r"labels must lie in 0..3, got 4"):
        transfer.leep(logits, np.full(120, 4), 4)
