"""Prints the worst relative error of every collapse metric in single precision: ``python -m tests.metrics.accuracy``.

Against the float64 definitions, over depth of collapse, offset, spread of the class means and shape, in three batches.
With ``large`` as argument the shapes are large ones, and with ``x64`` the features are double.
"""

import itertools
import sys
import warnings

import jax
import numpy as np

from tests import reference
from tests.metrics.test_collapse import FRAME, SHALLOW_TO_DEEP, SHAPES, compiled_report, stats_of

LARGE = [(1000, 32, 3), (3, 2048, 7), (100, 512, 8)]


def worst_errors(shapes: list[tuple[int, int, int]], dtype: type) -> dict[str, float]:
    """The largest relative error of each metric over the range; where the true value is 0 there is none."""
    worst: dict[str, float] = {}
    for shape, span, std, offset in itertools.product(shapes, (1.0, 1e4), SHALLOW_TO_DEEP, (0.0, 1e4)):
        num_classes, dim, _ = shape
        rng = np.random.default_rng(0)
        features, labels = reference.collapsed_features(
            rng, *shape, std=std, offset=offset, span=span, imbalance=std < 1e-2
        )
        features = features.astype(dtype)
        kernel: np.ndarray = rng.normal(size=(dim, num_classes)).astype(dtype)
        truth = reference.report(features, labels, kernel)
        if np.linalg.matrix_rank(reference.Moments(features, labels).within) < dim:
            truth.pop("vci")
        report = compiled_report(stats_of(features, labels, num_classes), kernel)
        for name, value in truth.items():
            if value == 0 or (num_classes == 2 and name.startswith(FRAME)):
                continue
            error = abs(float(report[name]) - value) / abs(value)
            worst[name] = max(worst.get(name, 0.0), error)
    return worst


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    jax.config.update("jax_enable_x64", "x64" in sys.argv)
    errors = worst_errors(LARGE if "large" in sys.argv else SHAPES, np.float64 if "x64" in sys.argv else np.float32)
    for metric, error in sorted(errors.items()):
        print(f"{metric:32} {error:.1e}")
