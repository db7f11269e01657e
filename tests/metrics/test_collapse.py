import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference
from tests.metrics.accuracy import (
    COLUMNS,
    FRAME,
    LARGE,
    PAGE,
    SHAPES,
    Shape,
    allowed,
    compiled_report,
    lines,
    promised,
    relative_errors,
    samples,
    stats_of,
)


def assert_report_matches(report, truth, rtol: float, atol: float) -> None:
    for name, value in truth.items():
        slack = atol if name.startswith(FRAME) else 0
        np.testing.assert_allclose(float(report[name]), value, rtol=rtol, atol=slack, err_msg=name)


def assert_as_exact_as_promised(column: str, shape: Shape) -> None:
    for sample in samples():
        for name, error in relative_errors(shape, COLUMNS[column][1], *sample).items():
            assert error <= allowed(column, name), (name, sample)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_every_measure_is_as_exact_as_promised_at_any_depth_offset_and_imbalance(shape):
    assert_as_exact_as_promised("small", shape)


@pytest.mark.slow
@pytest.mark.parametrize("shape", LARGE)
def test_every_measure_of_large_shapes_is_as_exact_as_promised(shape):
    assert_as_exact_as_promised("large", shape)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [SHAPES[3], SHAPES[5]])
def test_every_measure_in_double_precision_is_as_exact_as_promised(x64, shape):
    assert_as_exact_as_promised("double", shape)


def test_the_table_of_promises_is_the_one_that_the_command_writes():
    written = {name: {column: promised(column)[name] for column in COLUMNS} for name in promised("small")}
    assert "\n".join(lines(written)) in PAGE.read_text(encoding="utf-8")


# Within classes one direction wider or one narrower than the others, all falling off, one sample far from its class.
SPOILED = [
    *[("wide", factor) for factor in (1e1, 1e2, 1e3, 1e5)],
    *[("narrow", factor) for factor in (1e-1, 1e-3, 1e-5)],
    *[("falling", factor) for factor in (1e1, 1e2, 1e4)],
    *[("axes", factor) for factor in (1e2, 1e5)],
    *[("far", factor) for factor in (1e1, 1e3, 1e4, 1e5, 1e6)],
    *[("flat means", factor) for factor in (1e5, 1e6, 3e6)],
]


def spoiled_features(kind: str, factor: float, num_classes: int, dim: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(14)
    labels = np.arange(count) % num_classes
    means, noise = rng.normal(size=(num_classes, dim)), 0.3 * rng.normal(size=(count, dim))
    basis = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    if kind in ("wide", "narrow"):
        noise = noise + (factor - 1) * np.outer(noise @ basis[0], basis[0])
    elif kind in ("falling", "axes"):
        noise = noise * np.geomspace(1, 1 / factor, dim) @ (basis if kind == "falling" else np.eye(dim))
    elif kind == "far":
        noise[0] += factor * basis[0]
    else:
        left, values, right = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
        rank = min(num_classes - 1, dim)
        means = left[:, :rank] * values[0] * np.geomspace(1, 1 / factor, rank) @ right[:rank]
        noise = 1e-6 * noise
    return means[labels] + noise, labels


@pytest.mark.parametrize("shape", [(5, 8, 1000), (12, 9, 300)])
def test_nc1_and_vci_are_right_or_not_a_number(shape):
    measure = jax.jit(lambda h, y: [f(metrics.class_stats(h, y, shape[0])) for f in (metrics.nc1, metrics.vci)])
    known = set()
    for kind, factor in SPOILED:
        features, labels = spoiled_features(kind, factor, *shape)
        features = features.astype(np.float32)
        truth = reference.Moments(features, labels)
        for name, right, got in zip(
            ("nc1", "vci"), (reference.nc1(truth), reference.vci_deep(truth)), measure(features, labels), strict=True
        ):
            if not np.isnan(float(got)):
                known.add((name, kind, factor))
                np.testing.assert_allclose(float(got), right, rtol=1e-3, err_msg=f"{name} of {kind} {factor}")
    # Not a number is no way out where the digits are there.
    assert known >= {("nc1", "wide", 1e1), ("vci", "wide", 1e1), ("nc1", "narrow", 1e-5), ("nc1", "falling", 1e4)}
    assert known >= {("nc1", "axes", 1e2), ("vci", "axes", 1e2), ("nc1", "far", 1e1), ("vci", "far", 1e1)}


def test_units_that_never_fire_and_a_wide_spread_of_the_means_leave_nc1_its_digits():
    # As in a trained network of as many features as classes: nine dead units, singular values of 43 down to 1.4e-3.
    rng = np.random.default_rng(3)
    left, _ = np.linalg.qr(rng.normal(size=(64, 55)) - rng.normal(size=(64, 55)).mean(axis=0))
    means = left * np.geomspace(43, 1.4e-3, 55) @ np.linalg.qr(rng.normal(size=(55, 55)))[0]
    labels = np.arange(64 * 40) % 64
    live = means[labels] * (1 + 0.3 * rng.normal(size=(2560, 55)))
    features = np.concatenate([live, np.zeros((2560, 9))], axis=1).astype(np.float32)
    x = features[:, :55].astype(np.float64)
    centres = np.stack([x[labels == c].mean(axis=0) for c in range(64)])
    within = (x - centres[labels]).T @ (x - centres[labels]) / len(x)
    centred = centres - centres.mean(axis=0)
    expected = np.trace(np.linalg.solve(centred.T @ centred / 64, within)) / 64
    np.testing.assert_allclose(float(metrics.nc1(metrics.class_stats(features, labels, 64))), expected, rtol=1e-3)


def test_double_precision_reaches_further(x64):
    for kind, factor in [("wide", 1e5), ("far", 1e6), ("falling", 1e4), ("flat means", 1e6)]:
        features, labels = spoiled_features(kind, factor, 5, 8, 1000)
        truth = reference.Moments(features, labels)
        stats = metrics.class_stats(features, labels, 5)
        np.testing.assert_allclose(float(metrics.nc1(stats)), reference.nc1(truth), rtol=1e-4, err_msg=kind)
        np.testing.assert_allclose(float(metrics.vci(stats)), reference.vci_deep(truth), rtol=1e-4, err_msg=kind)


@pytest.mark.parametrize("seed", range(5))
def test_vci_of_fewer_samples_than_features_is_never_negative(seed):
    features, labels = reference.collapsed_features(np.random.default_rng(seed), 3, 40, 4, std=0.3)
    assert float(metrics.vci(metrics.class_stats(features, labels, 3))) == 0


def test_deep_and_shallow_reference_of_vci_agree():
    features, labels = reference.collapsed_features(np.random.default_rng(3), 6, 9, 50, std=0.5)
    moments = reference.Moments(features, labels)
    np.testing.assert_allclose(reference.vci_deep(moments), reference.vci(moments), rtol=1e-9)


def test_vci_of_too_few_samples_is_zero():
    features, labels = reference.collapsed_features(np.random.default_rng(4), 3, 40, 4)
    assert abs(float(metrics.vci(metrics.class_stats(features, labels, 3)))) < 1e-6


@pytest.mark.slow
def test_absent_and_single_sample_classes_take_part_as_defined():
    rng = np.random.default_rng(5)
    features, labels = reference.collapsed_features(rng, 6, 8, 12)
    kept = (labels != 2) & ((labels != 4) | (np.cumsum(labels == 4) == 1))
    features, labels = features[kept], labels[kept]
    kernel = rng.normal(size=(8, 6)).astype(np.float32)
    truth = reference.report(features, labels, kernel)
    assert_report_matches(compiled_report(stats_of(features, labels, 6), kernel), truth, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["nc1", "variance_ratio", "cdnv", "vci"])
def test_one_class_has_no_between_class_variance(name):
    stats = metrics.class_stats(np.random.default_rng(6).normal(size=(9, 3)).astype(np.float32), np.zeros(9, int), 4)
    assert np.isnan(float(getattr(metrics, name)(stats)))


@pytest.mark.parametrize("name", ["nc1", "variance_ratio", "cdnv", "vci"])
def test_full_collapse_is_zero(name):
    features = np.repeat(reference.simplex_etf(4, 5), 3, axis=0).astype(np.float32)
    stats = metrics.class_stats(features, np.repeat(np.arange(4), 3), 4)
    assert float(getattr(metrics, name)(stats)) == 0


@pytest.mark.parametrize(
    ("name", "invariances"),
    [
        ("nc1", {"rotation", "translation", "scale", "relabelling"}),
        ("vci", {"rotation", "translation", "scale", "relabelling", "linear"}),
        ("cdnv", {"rotation", "translation", "scale", "relabelling"}),
        ("variance_ratio", {"rotation", "translation", "scale", "relabelling"}),
        ("nc2_etf", {"rotation", "translation", "scale", "relabelling"}),
        ("hyperspherical_uniformity", {"rotation", "translation", "scale", "relabelling"}),
    ],
)
def test_invariances(name, invariances):
    rng = np.random.default_rng(7)
    features, labels = reference.collapsed_features(rng, 5, 8, 20)
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0]
    changes: dict[str, tuple[np.ndarray, np.ndarray]] = {
        "rotation": (features @ rotation, labels),
        "translation": (features + rng.normal(size=8), labels),
        "scale": (features * 37, labels),
        "relabelling": (features, rng.permutation(5)[labels]),
        "linear": (features @ (np.eye(8) + 0.2 * rng.normal(size=(8, 8))), labels),
    }
    measure = jax.jit(getattr(metrics, name))
    before = float(measure(metrics.class_stats(features, labels, 5)))
    for change in sorted(invariances):
        moved, names = changes[change]
        after = float(measure(metrics.class_stats(moved.astype(np.float32), names, 5)))
        np.testing.assert_allclose(after, before, rtol=1e-4, err_msg=change)


def test_gaussian_classes_have_the_known_cdnv():
    # Means on the axes at distance 2, variance d s^2: cdnv = d s^2 / 4.
    rng = np.random.default_rng(8)
    labels = np.repeat(np.arange(4), 20_000)
    features = (np.sqrt(2) * np.eye(4)[labels] + 0.3 * rng.normal(size=(len(labels), 4))).astype(np.float32)
    np.testing.assert_allclose(float(metrics.cdnv(metrics.class_stats(features, labels, 4))), 4 * 0.09 / 4, rtol=0.02)


def test_isotropic_noise_on_a_frame_has_the_known_values():
    # Noise that is exactly isotropic within each class: plus and minus e along every axis.
    count, dim, e = 4, 6, 0.2
    means = reference.simplex_etf(count, dim)
    noise = e * np.concatenate([np.eye(dim), -np.eye(dim)])
    features = (means[:, None, :] + noise[None, :, :]).reshape(-1, dim).astype(np.float32)
    stats = metrics.class_stats(features, np.repeat(np.arange(count), 2 * dim), count)
    variance = e**2 / dim
    between = 1 / (count - 1)
    np.testing.assert_allclose(float(metrics.variance_ratio(stats)), e**2, rtol=1e-5)
    np.testing.assert_allclose(float(metrics.cdnv(stats)), e**2 * (count - 1) / (2 * count), rtol=1e-5)
    np.testing.assert_allclose(float(metrics.nc1(stats)), (count - 1) * variance / between / count, rtol=1e-5)
    np.testing.assert_allclose(float(metrics.vci(stats)), variance / (variance + between), rtol=1e-5)


def test_cdnv_matrix_holds_the_pairs():
    features, labels = reference.collapsed_features(np.random.default_rng(9), 4, 3, 6)
    m = reference.Moments(features, labels)
    matrix = np.asarray(metrics.cdnv_matrix(metrics.class_stats(features, labels, 5)))
    for i, j in m.pairs:
        truth = (m.variances[i] + m.variances[j]) / (2 * m.squared_distance(i, j))
        np.testing.assert_allclose(matrix[i, j], truth, rtol=1e-5)
    assert np.isnan(matrix[4]).all()
    assert np.isnan(np.diag(matrix)).all()


def test_spectra_are_those_of_the_covariances():
    features, labels = reference.collapsed_features(np.random.default_rng(10), 5, 8, 12, span=100.0)
    m = reference.Moments(features, labels)
    stats = metrics.class_stats(features, labels, 5)
    np.testing.assert_allclose(metrics.spectrum_within(stats), np.linalg.eigvalsh(m.within)[::-1], rtol=1e-4)
    between = np.asarray(metrics.spectrum_between(stats))
    np.testing.assert_allclose(between[:4], np.linalg.eigvalsh(m.between)[::-1][:4], rtol=1e-4)
    assert between[4] == 0


@pytest.mark.parametrize("name", ["nc1", "vci"])
def test_without_scatter_is_an_error(name):
    stats = metrics.class_stats(np.eye(3, dtype=np.float32), np.arange(3), 3, scatter=False)
    with pytest.raises(ValueError, match="scatter=True"):
        getattr(metrics, name)(stats)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nc1", "variance_ratio", "cdnv", "vci"])
def test_gradient_matches_finite_differences(name, x64):
    rng = np.random.default_rng(11)
    labels = np.arange(24) % 3
    features, direction = rng.normal(size=(24, 4)), rng.normal(size=(24, 4))

    def along(t):
        return getattr(metrics, name)(metrics.class_stats(features + t * direction, labels, 3))

    slope = (along(1e-5) - along(-1e-5)) / 2e-5
    np.testing.assert_allclose(float(jax.grad(along)(0.0)), float(slope), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nc1", "cdnv", "vci"])
def test_gradient_is_finite_where_all_singular_values_coincide(name):
    labels = np.repeat(np.arange(4), 6)
    noise = 0.01 * np.random.default_rng(12).normal(size=(24, 3))
    features = (reference.simplex_etf(4, 3)[labels] + noise - noise.mean(axis=0)).astype(np.float32)
    grad = jax.grad(lambda x: getattr(metrics, name)(metrics.class_stats(x, labels, 4)))(jnp.asarray(features))
    assert np.isfinite(grad).all()


def test_vmap_over_runs():
    rng = np.random.default_rng(13)
    runs = [metrics.class_stats(*reference.collapsed_features(rng, 4, 5, 6), 4) for _ in range(2)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)
    for measure in (metrics.nc1, metrics.cdnv, metrics.nc2_etf):
        values = jax.jit(jax.vmap(measure))(stacked)
        np.testing.assert_allclose(values, [float(measure(stats)) for stats in runs], rtol=1e-4)


def test_means_on_one_line_count_in_that_direction_alone():
    # All numbers are exact in single precision, and so are the means.
    line, noise = np.array([1.0, 2.0, -1.0, 0.5]), np.array([[0.25, 0.5, 0.0, 0.125], [0.0, -0.5, 0.25, 0.0]])
    labels = np.repeat(np.arange(5), 4)
    features = (np.arange(5)[labels, None] * line + np.tile(np.concatenate([noise, -noise]), (5, 1))).astype(np.float32)
    unit = line / np.linalg.norm(line)
    within = ((noise @ unit) ** 2).mean()
    # Positions 0 to 4 on the line have variance 2; the C of the definition is the C of the pseudo-inverse.
    expected = within / (2 * 5 * (line @ line))
    assert reference.nc1(reference.Moments(features, labels)) == pytest.approx(expected, rel=1e-9)
    assert float(metrics.nc1(metrics.class_stats(features, labels, 5))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("num_classes", [6, 14])
def test_units_that_are_hardly_ever_active_leave_nc1_and_vci_their_digits(num_classes):
    # As networks with ReLU have them: one dead unit, two whose features are a ten-thousandth of the others'.
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(num_classes), 40)
    scales = np.array([1, 1, 1, 1, 1, 1, 1e-3, 1e-4, 1e-4, 0])
    means = 2 * rng.normal(size=(num_classes, 10))[labels]
    features = (np.maximum(means + rng.normal(size=(len(labels), 10)), 0) * scales).astype(np.float32)
    truth = reference.Moments(features, labels)
    stats = metrics.class_stats(features, labels, num_classes)
    assert float(metrics.nc1(stats)) == pytest.approx(reference.nc1(truth), rel=1e-4)
    assert float(metrics.vci(stats)) == pytest.approx(reference.vci_deep(truth), rel=1e-4)


def test_the_reference_of_vci_is_the_definition_where_units_are_dead():
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(8), 20)
    features = (rng.normal(size=(8, 6))[labels] + rng.normal(size=(160, 6))) * np.array([1, 1, 1, 1, 0, 0])
    truth = reference.Moments(features, labels)
    assert reference.vci_deep(truth) == pytest.approx(reference.vci(truth), rel=1e-9)
