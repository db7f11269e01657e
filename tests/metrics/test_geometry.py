import itertools

import numpy as np
import pytest

from ncjax import metrics

RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 4
FEATURES = (RNG.normal(size=(4, 7))[LABELS] + 0.3 * RNG.normal(size=(40, 7))).astype(np.float32)
OTHER = RNG.normal(size=(40, 5)).astype(np.float32)


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_class_separation_is_its_definition():
    wide = FEATURES.astype(np.float64)
    distances = np.array([[1 - cosine(a, b) for b in wide] for a in wide])
    groups = [np.flatnonzero(c == LABELS) for c in range(4)]
    within = np.mean([distances[own][:, own].mean() for own in groups])
    every = np.mean([distances[a][:, b].mean() for a, b in itertools.product(groups, groups)])
    value = metrics.class_separation(FEATURES, LABELS, num_classes=5)
    assert float(value) == pytest.approx(1 - within / every, rel=1e-5)
    # Features of zero have no direction.
    more = np.concatenate([FEATURES, np.zeros((3, 7), np.float32)])
    value = metrics.class_separation(more, np.append(LABELS, [0, 0, 4]), num_classes=5)
    assert float(value) == pytest.approx(1 - within / every, rel=1e-5)


def test_class_separation_near_collapse_keeps_its_digits():
    angles = np.array([0.0, 1e-3, 1.0, 1.001])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    wide = features.astype(np.float64)
    units = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    within = np.mean([((units[2 * c] - units[2 * c + 1]) ** 2).sum() / 4 for c in range(2)])
    means = units.reshape(2, 2, 2).mean(axis=1)
    between = ((means - means.mean(axis=0)) ** 2).sum(axis=1).mean()
    value = 1 - float(metrics.class_separation(features, np.array([0, 0, 1, 1]), num_classes=2))
    # 1 minus a number that near to 1 is known to eps; the share itself to its digits.
    assert value == pytest.approx(within / (within + between), abs=2e-7)


def test_linear_cka_is_its_definition():
    x, y = (part.astype(np.float64) - part.mean(axis=0, dtype=np.float64) for part in (FEATURES, OTHER))
    expected = np.linalg.norm(y.T @ x) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    assert float(metrics.linear_cka(FEATURES, OTHER)) == pytest.approx(expected, rel=1e-5)
    assert float(metrics.linear_cka(OTHER, FEATURES)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_linear_cka_is_blind_to_rotation_offset_and_scale(scale):
    turned = FEATURES @ np.linalg.qr(RNG.normal(size=(7, 7)))[0] + 1
    assert float(metrics.linear_cka(FEATURES, (scale * turned).astype(np.float32))) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_nc0_is_the_share_of_the_common_weight(scale):
    kernel = RNG.normal(size=(7, 4))
    expected = np.linalg.norm(kernel.sum(axis=1)) ** 2 / 4 / np.linalg.norm(kernel) ** 2
    assert float(metrics.nc0((scale * kernel).astype(np.float32))) == pytest.approx(expected, rel=1e-5)
    centred = kernel - kernel.mean(axis=1, keepdims=True)
    assert float(metrics.nc0(centred.astype(np.float32))) == pytest.approx(0, abs=1e-12)


def test_nc5_is_its_definition_and_absent_classes_take_no_part():
    means = np.stack([FEATURES[c == LABELS].mean(axis=0, dtype=np.float64) for c in range(4)])
    other = RNG.normal(size=(9, 7)).astype(np.float32) + 1
    expected = np.mean([abs(cosine(mean, other.mean(axis=0, dtype=np.float64))) for mean in means])
    stats = metrics.class_stats(FEATURES, LABELS, num_classes=6)
    assert float(metrics.nc5(stats, other)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("directions", [1, 3, 7])
def test_neco_is_its_definition(directions):
    train = FEATURES.astype(np.float64)
    mean = train.mean(axis=0)
    leading = np.linalg.svd(train - mean)[2][:directions]
    rows = RNG.normal(size=(6, 7)).astype(np.float32)
    expected = np.linalg.norm((rows - mean) @ leading.T, axis=1) / np.linalg.norm(rows - mean, axis=1)
    np.testing.assert_allclose(metrics.neco(FEATURES, rows, directions=directions), expected, rtol=2e-4)


def test_what_does_not_fit_is_named(unchecked):
    with pytest.raises(ValueError, match=r"second must have the 40 rows of first, got 3"):
        metrics.linear_cka(FEATURES, OTHER[:3])
    with pytest.raises(ValueError, match=r"features must have the 7 columns of train, got 5"):
        metrics.neco(FEATURES, OTHER, directions=2)
    with pytest.raises(ValueError, match=r"features must have shape \(n, 7\), got \(40, 5\)"):
        metrics.nc5(metrics.class_stats(FEATURES, LABELS, num_classes=4), OTHER)
