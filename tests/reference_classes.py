"""Float64 NumPy definitions of measures class by class and of many classes, as those of `tests.reference`."""

import numpy as np
from numpy.typing import NDArray

from tests.reference import Matrix, Moments, entropy_rank


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
