"""Float64 NumPy definitions, written for clarity from the formulas, that everything else is held against."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


class Moments:
    """Class statistics by the definition: one loop over classes; only classes with a sample."""

    def __init__(self, features: NDArray, labels: NDArray) -> None:
        features = np.asarray(features, np.float64)
        labels = np.asarray(labels)
        self.classes = np.unique(labels)
        groups = [features[labels == c] for c in self.classes]
        # Shifted by the overall mean, so that a large offset costs float64 no digits that matter.
        self.offset = features.mean(axis=0)
        self.counts = np.array([len(group) for group in groups])
        self.means = np.stack([(group - self.offset).mean(axis=0) for group in groups])
        deviations = [group - self.offset - mean for group, mean in zip(groups, self.means, strict=True)]
        self.variances = np.array([(deviation**2).sum(axis=1).mean() for deviation in deviations])
        stacked = np.concatenate(deviations)
        self.within = stacked.T @ stacked / len(features)
        self.centred = self.means - self.means.mean(axis=0)
        # Distances from a perfect frame are differences of nearly equal numbers: tiny ones need more than float64.
        long_means = np.stack([group.astype(np.longdouble).mean(axis=0) for group in groups])
        self.long_centred = long_means - long_means.mean(axis=0)
        self.between = self.centred.T @ self.centred / len(self.classes)
        self.rank = min(features.shape[1], len(self.classes) - 1)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        count = len(self.classes)
        return [(i, j) for i in range(count) for j in range(count) if i != j]

    def squared_distance(self, i: int, j: int) -> float:
        return float(((self.means[i] - self.means[j]) ** 2).sum())


def nc1(m: Moments) -> float:
    # The pseudo-inverse through the singular values of the means: those of their covariance are the squares.
    _, s, vt = np.linalg.svd(m.centred, full_matrices=False)
    # Of means that span fewer directions than there are classes rounding leaves singular values that mean nothing.
    kept = s[: m.rank] > 1e-13 * s[0]
    s, vt = s[: m.rank][kept], vt[: m.rank][kept]
    return float(sum(v @ m.within @ v / x**2 for x, v in zip(s, vt, strict=True)))


def variance_ratio(m: Moments) -> float:
    within = (m.counts * m.variances).sum() / m.counts.sum()
    return float(within / (m.centred**2).sum(axis=1).mean())


def cdnv(m: Moments) -> float:
    v = m.variances
    squares = np.stack([((m.means - mean) ** 2).sum(axis=1) for mean in m.means])
    different = ~np.eye(len(v), dtype=bool)
    return float(((v[:, None] + v[None, :])[different] / (2 * squares[different])).mean())


def vci(m: Moments) -> float:
    """By the definition; its difference has an absolute error of about 1e-12, so compare shallow collapse only."""
    total = m.within + m.between
    return float(1 - np.trace(np.linalg.pinv(total, hermitian=True) @ m.between) / m.rank)


def vci_deep(m: Moments) -> float:
    """Without the difference: mean of x/(1 + x), x the eigenvalues of the relative Schur complement.

    Directions that the means do not reach count as not collapsed. The index does not change when features are scaled,
    and features that never vary change nothing.
    """
    variances = np.diag(m.within) + (m.centred**2).mean(axis=0)
    scale = 1 / np.sqrt(variances[variances > 0])
    centred = m.centred[:, variances > 0] * scale
    within = m.within[variances > 0][:, variances > 0] * scale[:, None] * scale
    _, s, vt = np.linalg.svd(centred, full_matrices=True)
    reached = int((s[: m.rank] > 1e-13 * s[0]).sum())
    inside, outside = vt[:reached], vt[reached:]
    schur = inside @ within @ inside.T
    if len(outside):
        cross = inside @ within @ outside.T
        schur = schur - cross @ np.linalg.pinv(outside @ within @ outside.T, hermitian=True) @ cross.T
    between = np.diag(s[:reached] ** 2) / len(m.classes)
    return float((m.rank - reached + np.trace(schur @ np.linalg.inv(schur + between))) / m.rank)


def equinorm(vectors: Matrix) -> float:
    norms = np.linalg.norm(vectors, axis=1)
    return float(norms.std() / norms.mean())


def cosines(vectors: Matrix) -> Matrix:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return (unit @ unit.T)[~np.eye(len(vectors), dtype=bool)]


def equiangularity(vectors: Matrix) -> float:
    return float(cosines(vectors).std())


def maxangle(vectors: Matrix) -> float:
    return float(np.abs(cosines(vectors) + 1 / vectors.dtype.type(len(vectors) - 1)).mean())


def etf(vectors: Matrix) -> float:
    count = len(vectors)
    gram = vectors @ vectors.T
    frame = (np.eye(count) - 1 / vectors.dtype.type(count)) / np.sqrt(vectors.dtype.type(count - 1))
    return float(np.linalg.norm(gram / np.linalg.norm(gram) - frame))


def uniformity(vectors: Matrix, energy: Callable[[Matrix], Matrix]) -> float:
    return float(energy(np.sqrt(2 - 2 * cosines(vectors))).mean())


def nc3(m: Moments, kernel: NDArray) -> float:
    columns = np.asarray(kernel, np.float64).T[m.classes]
    return float(((columns / np.linalg.norm(columns) - m.centred / np.linalg.norm(m.centred)) ** 2).sum())


def squared_distances_to_means(m: Moments, features: NDArray) -> Matrix:
    shifted = np.asarray(features, np.float64) - m.offset
    return ((shifted[:, None, :] - m.means[None, :, :]) ** 2).sum(axis=-1)


def held_out(m: Moments, features: NDArray, labels: NDArray) -> dict[str, float]:
    squares = squared_distances_to_means(m, features)
    own = np.searchsorted(m.classes, labels)
    between = (m.centred**2).sum(axis=1).mean()
    return {
        "strong_variance": float(squares[np.arange(len(own)), own].mean() / between),
        "weak_variance": float(squares.min(axis=1).mean() / between),
        "ncc_error": float((squares.argmin(axis=1) != own).mean()),
    }


def nc4(m: Moments, kernel: NDArray, bias: NDArray, features: NDArray) -> float:
    logits = np.asarray(features, np.float64) @ np.asarray(kernel, np.float64) + np.asarray(bias, np.float64)
    named = logits[:, m.classes].argmax(axis=1)
    return float((named != squared_distances_to_means(m, features).argmin(axis=1)).mean())


def report(features: NDArray, labels: NDArray, kernel: NDArray | None = None) -> dict[str, float]:
    """Every quantity that needs only class statistics and a kernel, under the names of the library's report."""
    m = Moments(features, labels)
    vectors = {"": m.long_centred}
    if kernel is not None:
        vectors["_classifier"] = np.asarray(kernel, np.longdouble).T[m.classes]
    values = {"nc1": nc1(m), "variance_ratio": variance_ratio(m), "cdnv": cdnv(m)}
    # Fewer samples than directions leave some without variance, as rounding to the grid at a large offset may: the
    # index is degenerate there.
    if len(features) - len(m.classes) >= features.shape[1] == np.linalg.matrix_rank(m.within, hermitian=True):
        values["vci"] = vci_deep(m)
    for suffix, rows in vectors.items():
        values[f"nc2_equinorm{suffix}"] = equinorm(rows)
        values[f"nc2_equiangularity{suffix}"] = equiangularity(rows)
        values[f"nc2_maxangle{suffix}"] = maxangle(rows)
        values[f"nc2_etf{suffix}"] = etf(rows)
    values["uniformity_log"] = uniformity(m.centred, lambda distance: -np.log(distance))
    values["uniformity_inverse"] = uniformity(m.centred, lambda distance: 1 / distance)
    if kernel is not None:
        values["nc3"] = nc3(m, kernel)
    return values


def geometric_collapse_tight(m: Moments, complexity: Matrix) -> float:
    g = complexity
    return float(np.mean([(g[i] + g[j]) / (2 * m.squared_distance(i, j)) for i, j in m.pairs]))


def geometric_collapse_pooled(m: Moments, complexity: float) -> float:
    inverse = sum(1 / m.squared_distance(i, j) for i, j in m.pairs if i < j)
    return float(complexity / (len(m.classes) - 1) * inverse)


def simplex_etf(count: int, dim: int) -> Matrix:
    """[C, d] rows of unit length with equal angles, d >= C - 1."""
    frame = np.sqrt(count / (count - 1)) * (np.eye(count) - 1 / count)
    basis = np.linalg.svd(frame)[2][: count - 1]
    rows = frame @ basis.T
    return np.pad(rows, ((0, 0), (0, dim - count + 1)))


def collapsed_features(
    rng: np.random.Generator,
    num_classes: int,
    dim: int,
    per_class: int,
    *,
    std: float = 1.0,
    offset: float = 0.0,
    span: float = 1.0,
    spread: float = 1.0,
    imbalance: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Float32 features whose class means have singular values spanning `span` and whose noise has the given std.

    The means have unit root mean square length. The noise has standard deviations that fall by the factor `spread` from
    one direction, oblique to all, to the last. Imbalance gives every other class a single sample, and as many samples
    in all. What rounding to float32 does is part of the features.
    """
    rank = min(num_classes - 1, dim)
    centre = np.eye(num_classes) - 1 / num_classes
    left = np.linalg.qr(centre @ rng.normal(size=(num_classes, rank)))[0]
    right = np.linalg.qr(rng.normal(size=(dim, rank)))[0]
    values = np.geomspace(1, 1 / span, rank) if rank > 1 else np.ones(1)
    means = (left * values) @ right.T
    means *= np.sqrt(num_classes) / np.linalg.norm(means)
    counts = np.full(num_classes, per_class)
    if imbalance:
        even = num_classes // 2 * 2
        counts[:even:2], counts[1:even:2] = 1, 2 * per_class - 1
    labels = rng.permutation(np.repeat(np.arange(num_classes), counts)).astype(np.int32)
    noise = rng.normal(size=(len(labels), dim))
    if spread != 1:
        falling = np.geomspace(1, 1 / spread, dim)
        noise = noise * (falling / np.sqrt((falling**2).mean())) @ np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    features = offset + means[labels] + std / np.sqrt(dim) * noise
    return features.astype(np.float32), labels


def directional_cdnv(features: NDArray, labels: NDArray) -> float:
    m = Moments(features, labels)
    features = np.asarray(features, np.float64)
    total = 0.0
    for i, own in enumerate(m.classes):
        lines = np.delete(m.means, i, axis=0) - m.means[i]
        residuals = features[labels == own] - m.offset - m.means[i]
        total += (((residuals @ lines.T) ** 2).mean(axis=0) / (lines**2).sum(axis=1) ** 2).sum()
    return float(total / len(m.pairs))


def entropy_rank(shares: NDArray) -> float:
    return float(np.exp(-(shares * np.log(shares)).sum()))


def ranks(features: NDArray, num_classes: int) -> dict[str, float]:
    features = np.asarray(features, np.float64)
    plain = np.linalg.svd(features, compute_uv=False)
    values = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    # Centring leaves a value of zero where there are no more rows than columns, and rounding leaves something of it.
    values = values[: len(features) - 1]
    squares = values**2
    return {
        "rankme": entropy_rank(plain / plain.sum() + 1e-7),
        "effective_rank": entropy_rank(values / values.sum()),
        "stable_rank": float(squares.sum() / squares[0]),
        "participation_ratio": float(squares.sum() ** 2 / (squares**2).sum()),
        "top_variance": float(squares[: max(1, num_classes - 1)].sum() / squares.sum()),
    }


def cantelli(mean: float, variance: float) -> float:
    return variance / (variance + mean**2) if mean > 0 else 1.0


def few_shot_pairs(features: NDArray, labels: NDArray, shots: int) -> Matrix:
    """Bounds by moments written out one by one, from the terms of the difference of squared distances."""
    m = Moments(features, labels)
    features = np.asarray(features, np.float64)
    residuals = [features[labels == c] - m.offset - mean for c, mean in zip(m.classes, m.means, strict=True)]
    covariances = [x.T @ x / len(x) for x in residuals]
    traces = [float(np.trace(s)) for s in covariances]
    frobenius = [float(np.linalg.norm(s)) for s in covariances]

    def variance_of_square(c: int) -> float:
        fourth = float(((residuals[c] ** 2).sum(axis=1) ** 2).mean())
        return (fourth - traces[c] ** 2 - 2 * frobenius[c] ** 2) / shots**3 + 2 * frobenius[c] ** 2 / shots**2

    table = np.full((len(m.classes),) * 2, np.nan)
    for i, j in m.pairs:
        line = m.means[j] - m.means[i]
        square = float(line @ line)
        third = float(((residuals[j] @ line) * (residuals[j] ** 2).sum(axis=1)).mean())
        variance = 4 * line @ covariances[i] @ line + 4 * line @ covariances[j] @ line / shots
        variance += 4 * (frobenius[i] ** 2 + frobenius[i] * frobenius[j]) / shots
        variance += variance_of_square(i) + variance_of_square(j) + 4 * third / shots**2
        chebyshev = 16 * (traces[i] + (traces[i] + traces[j]) / shots) / square
        table[i, j] = min(cantelli(square + (traces[j] - traces[i]) / shots, variance), chebyshev, 1.0)
    return table
