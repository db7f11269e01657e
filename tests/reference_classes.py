"""Float64 NumPy definitions of measures class by class and of many classes, as those of `tests.reference`."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from tests.reference import Matrix, Moments, entropy_rank, squared_distances_to_means


def class_ranks(features: NDArray, labels: NDArray, num_classes: int) -> tuple[Matrix, Matrix]:
    """Effective rank and participation ratio of each class's residuals."""
    effective, participation = np.full(num_classes, np.nan), np.full(num_classes, np.nan)
    for c in range(num_classes):
        rows = np.asarray(features, np.float64)[np.asarray(labels) == c]
        # Centring leaves a value of zero where there are no more rows than columns.
        if len(rows) > 1:
            values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[: len(rows) - 1]
            effective[c] = entropy_rank(values / values.sum())
            participation[c] = (values**2).sum() ** 2 / (values**4).sum()
    return effective, participation


def lidar(m: Moments, delta: float) -> float:
    root = np.linalg.cholesky(m.within + delta * np.eye(len(m.within)))
    values = np.linalg.svd(np.linalg.solve(root, m.centred.T), compute_uv=False)[: m.rank] ** 2
    return entropy_rank(values[values > 0] / values.sum())


def principal_angles(first: Matrix, second: Matrix) -> Matrix:
    """Angles whose cosines and sines are singular values, rising."""
    one, two = np.linalg.qr(first)[0], np.linalg.qr(second)[0]
    if one.shape[1] < two.shape[1]:
        one, two = two, one
    cosines = np.linalg.svd(one.T @ two, compute_uv=False)
    sines = np.linalg.svd(two - one @ (one.T @ two), compute_uv=False)[::-1]
    return np.arctan2(sines, cosines)


def hull_distances(rows: Matrix) -> Matrix:
    """Distance of each row's direction from the convex hull of the others', by non-negative least squares.

    The nearest point of a hull to zero is that of the combination x >= 0 with the least |A^T x|^2 + (sum x - 1)^2, over
    the sum of its weights: for any share of weights the best sum rises as the distance falls.
    """
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    distances = []
    for c, unit in enumerate(units):
        others = np.delete(units, c, axis=0) - unit
        system = np.vstack([others.T, np.ones(len(others))])
        weights, _ = nnls(system, np.append(np.zeros(len(unit)), 1.0), maxiter=100 * len(others))
        distances.append(np.linalg.norm(others.T @ weights) / weights.sum())
    return np.array(distances)


def moments(values: Matrix) -> tuple[float, float, float]:
    return float(values.mean()), float(values.std()), float(values.std() / abs(values.mean()))


def pair_distances(rows: Matrix) -> Matrix:
    """Distances of the directions of all ordered pairs of rows."""
    units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    distances = np.linalg.norm(units[:, None] - units[None], axis=-1)
    return distances[~np.eye(len(rows), dtype=bool)]


def duality_cosines(m: Moments, kernel: NDArray) -> Matrix:
    columns = np.asarray(kernel, np.longdouble).T[m.classes]
    lengths = np.linalg.norm(columns, axis=1) * np.linalg.norm(m.long_centred, axis=1)
    return (columns * m.long_centred).sum(axis=1) / lengths


def between_by_shares(m: Moments) -> Matrix:
    """Rows whose Gram matrix is Sigma_B with classes weighing as their samples."""
    shares = m.counts / m.counts.sum()
    return np.sqrt(shares)[:, None] * (m.means - shares @ m.means)


def nc1_by_shares(m: Moments) -> float:
    _, s, vt = np.linalg.svd(between_by_shares(m), full_matrices=False)
    return float(sum(v @ m.within @ v / x**2 for x, v in zip(s[: m.rank], vt, strict=False)) / len(m.classes))


def class_table(features: NDArray, labels: NDArray) -> dict[str, NDArray]:
    """Of the classes that have a sample."""
    m = Moments(features, labels)
    distances = np.linalg.norm(m.means[:, None] - m.means[None], axis=-1) + np.diag(np.full(len(m.means), np.inf))
    named = squared_distances_to_means(m, features).argmin(axis=1)
    own = np.searchsorted(m.classes, labels)
    return {
        "samples": m.counts,
        "norm": np.linalg.norm(m.centred, axis=1),
        "variance": m.variances,
        "nearest": m.classes[distances.argmin(axis=1)],
        "distance": distances.min(axis=1),
        "error": np.array([(named[own == c] != c).mean() for c in range(len(m.classes))]),
    }
