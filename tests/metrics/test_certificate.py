import itertools

import numpy as np
import pytest

from ncjax import metrics
from tests import reference


def line_classes(seed=0, sizes=(3, 3)):
    """Classes in one dimension, where the bound on tr S_i S_j is an equality."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return (rng.normal(size=(len(labels), 1)) ** 3 + 8 * labels[:, None]).astype(np.float32), labels


def differences(features, labels, shots):
    """|h - m'_1|^2 - |h - m'_0|^2 of every query of class 0 and every choice of shots, each as likely as the others."""
    groups = [np.asarray(features, np.float64)[labels == c] for c in range(2)]
    means = [np.stack([np.mean(drawn, axis=0) for drawn in itertools.product(g, repeat=shots)]) for g in groups]
    squares = [((groups[0][:, None] - m[None]) ** 2).sum(-1) for m in means]
    return (squares[1][:, None, :] - squares[0][:, :, None]).ravel()


@pytest.mark.parametrize("shots", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_moments_are_those_of_all_episodes_there_are(shots, seed):
    features, labels = line_classes(seed)
    s = differences(features, labels, shots)
    assert s.mean() > 0
    pairs = metrics.few_shot_certificate(features, labels, 2, shots).pairs
    # Single precision; Chebyshev's bound does not say more here.
    assert float(pairs[0, 1]) == pytest.approx(reference.cantelli(s.mean(), s.var()), rel=1e-5)


@pytest.mark.parametrize("shots", [1, 5, 50])
@pytest.mark.parametrize("shape", [(3, 5, 40), (7, 3, 30), (4, 20, 9)])
def test_the_table_is_the_definition(shots, shape):
    num_classes, dim, per_class = shape
    rng = np.random.default_rng(3)
    labels = np.arange(num_classes * per_class) % num_classes
    scales = rng.uniform(0.1, 1.0, size=(num_classes, dim))
    features = 2 * rng.normal(size=(num_classes, dim))[labels] + rng.normal(size=(len(labels), dim)) * scales[labels]
    features = features.astype(np.float32)
    pairs = metrics.few_shot_certificate(features, labels, num_classes, shots).pairs
    np.testing.assert_allclose(pairs, reference.few_shot_pairs(features, labels, shots), rtol=1e-4)


def random_distribution(seed):
    """Samples of classes: Gaussian, heavy tails, mixtures, or few directions; near each other or far apart."""
    rng = np.random.default_rng(seed)
    # Few shapes: each is compiled.
    num_classes, dim, size = ((3, 1, 7), (5, 8, 12), (2, 3, 40), (4, 5, 25))[seed // 4 % 4]
    labels = np.repeat(np.arange(num_classes), size)
    kind = seed % 4
    noise = rng.standard_t(2.5, size=(len(labels), dim)) if kind == 1 else rng.normal(size=(len(labels), dim))
    if kind == 2:
        noise += 3 * rng.normal(size=(2 * num_classes, dim))[2 * labels + rng.integers(0, 2, len(labels))]
    if kind == 3:
        noise *= 10.0 ** -np.arange(dim)
    means = 10.0 ** rng.uniform(-0.5, 1.5) * rng.normal(size=(num_classes, dim))
    return (means[labels] + noise).astype(np.float32), labels, num_classes, size


def true_error(features, labels, num_classes, size, shots, episodes, rng):
    """Error of the nearest mean of shots drawn with replacement, over all queries of each episode; and its error."""
    groups = features.astype(np.float64).reshape(num_classes, size, -1)
    drawn = rng.integers(0, size, size=(episodes, num_classes, shots))
    means = groups[np.arange(num_classes)[None, :, None], drawn].mean(axis=2)
    squares = ((groups[None, :, :, None] - means[:, None, None]) ** 2).sum(-1)
    wrong = (squares.argmin(-1) != np.arange(num_classes)[None, :, None]).mean(axis=(1, 2))
    return wrong.mean(), wrong.std() / episodes**0.5


@pytest.mark.slow
def test_no_distribution_has_a_larger_error_and_no_bound_is_looser_than_the_old_one():
    for seed in range(200):
        features, labels, num_classes, size = random_distribution(seed)
        shots = (1.0, 2.0, 5.0)[seed % 3]
        bound = float(metrics.few_shot_certificate(features, labels, num_classes, shots).bound)
        rng = np.random.default_rng(1000 + seed)
        error, uncertainty = true_error(features, labels, num_classes, size, int(shots), 300, rng)
        assert bound >= error - 5 * uncertainty, (seed, bound, error)
        cdnv = metrics.cdnv(metrics.class_stats(features, labels, num_classes))
        assert bound <= min(1, float(metrics.nearest_mean_bound(cdnv, num_classes, shots))) * (1 + 1e-5), seed


def test_fewer_ways_are_the_mean_over_all_choices():
    features, labels, num_classes, _ = random_distribution(4)
    pairs = np.asarray(metrics.few_shot_certificate(features, labels, num_classes, 5).pairs, np.float64)
    chosen = itertools.combinations(range(num_classes), 2)
    mean = np.mean([(pairs[i, j] + pairs[j, i]) / 2 for i, j in chosen])
    assert float(metrics.few_shot_certificate(features, labels, num_classes, 5, ways=2).bound) == pytest.approx(mean)


def test_several_numbers_of_shots_are_one_call():
    features, labels, num_classes, _ = random_distribution(4)
    several = metrics.few_shot_certificate(features, labels, num_classes, np.array([1, 5]))
    assert several.pairs.shape == (2, num_classes, num_classes)
    for k, shots in enumerate((1, 5)):
        alone = metrics.few_shot_certificate(features, labels, num_classes, shots).bound
        assert float(several.bound[k]) == pytest.approx(float(alone), rel=1e-6)


@pytest.mark.parametrize("scale", [2.0**-60, 2.0**66, 1e4])
def test_the_bound_has_no_unit(scale):
    features, labels, num_classes, _ = random_distribution(4)
    value = metrics.few_shot_certificate((features * scale).astype(np.float32), labels, num_classes, 5).bound
    expected = metrics.few_shot_certificate(features, labels, num_classes, 5).bound
    assert float(value) == pytest.approx(float(expected), rel=1e-5)


def test_masked_rows_and_absent_classes_do_not_count():
    features, labels, num_classes, _ = random_distribution(4)
    spoiled = np.concatenate([np.full((2, features.shape[1]), np.nan, np.float32), features])
    more = np.concatenate([[0, num_classes], labels])
    got = metrics.few_shot_certificate(spoiled, more, num_classes + 2, 5, mask=np.arange(len(more)) > 1)
    assert float(got.bound) == pytest.approx(
        float(metrics.few_shot_certificate(features, labels, num_classes, 5).bound), rel=1e-5
    )


@pytest.mark.parametrize("rows", [[0, 1, 3], [0, 1]], ids=["one sample", "one class"])
def test_what_the_samples_do_not_tell_is_not_a_number(rows):
    features, labels = line_classes()
    assert np.isnan(metrics.few_shot_certificate(features[rows], labels[rows], 2, 5).bound)
    kernel = np.array([[-1.0, 1.0]], np.float32)
    assert np.isnan(metrics.classifier_certificate(features[rows], labels[rows], 2, kernel, None).bound)


def test_with_the_true_means_no_shot_errs():
    features, labels = line_classes()
    pairs = metrics.few_shot_certificate(features, labels, 2, np.inf).pairs
    m = reference.Moments(features, labels)
    square = m.squared_distance(0, 1)
    expected = reference.cantelli(square, 4 * square * m.variances[0])
    assert float(pairs[0, 1]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_a_linear_classifier_errs_no_more_than_certified(seed):
    features, labels, num_classes, _ = random_distribution(seed)
    m = reference.Moments(features, labels)
    kernel, bias = (m.means + m.offset).T, -((m.means + m.offset) ** 2).sum(1) / 2
    certificate = metrics.classifier_certificate(
        features, labels, num_classes, kernel.astype(np.float32), bias.astype(np.float32)
    )
    logits = features.astype(np.float64) @ kernel + bias
    error = np.mean(logits.argmax(1) != labels)
    assert float(certificate.bound) >= error
    i, j = 0, num_classes - 1
    margins = (logits[:, i] - logits[:, j])[labels == i]
    assert float(certificate.pairs[i, j]) == pytest.approx(reference.cantelli(margins.mean(), margins.var()), rel=1e-3)


def test_a_class_that_only_the_classifier_knows_can_be_named():
    features, labels = line_classes()
    kernel, bias = np.array([[-1.0, 1.0, 9.0]], np.float32), np.array([0.0, -8.0, 0.0], np.float32)
    pairs = metrics.classifier_certificate(features, labels, 3, kernel, bias).pairs
    assert float(pairs[1, 2]) == 1.0
    assert np.isnan(pairs[2]).all()
