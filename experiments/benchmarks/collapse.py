"""Every measure of collapse at once, against the formulas in torch."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from experiments.benchmarks import peers
from experiments.benchmarks.case import OURS, Case, Options
from experiments.benchmarks.timing import alternate
from ncjax import metrics

# Beyond single precision's reach in the formulas as they stand, not in ours.
_TOLERANCE = 2e-2


def collapse(options: Options) -> Iterator[Case]:
    """Features of 50,000 × 512 in 10 and 100 classes, and of 10,000 × 2,048 in 100."""
    sizes = [(500, 16, 4)] if options.quick else [(50_000, 512, 10), (50_000, 512, 100), (10_000, 2048, 100)]
    for samples, dim, classes in sizes:
        title = f"collapse_report, {samples:,} × {dim:,}, C = {classes}"
        if options.wants(title):
            yield _case(samples, dim, classes, title, options).aiming(ratio=5.0)


def clustered_features(samples: int, dim: int, classes: int) -> tuple[np.ndarray, ...]:
    """Gaussian clusters about random means, with a random classifier: features, labels, kernel [d, C], bias."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(samples) % classes).astype(np.int32)
    means = rng.normal(size=(classes, dim)).astype(np.float32)
    features = means[labels] + rng.normal(size=(samples, dim)).astype(np.float32)
    kernel = (means.T + rng.normal(size=(dim, classes))).astype(np.float32)
    return features, labels, kernel, np.zeros(classes, np.float32)


def report_function(classes: int) -> Callable[..., dict[str, Any]]:
    """Ours, compiled: features, labels, kernel and bias to scalars by name."""

    @jax.jit
    def report(features: Any, labels: Any, kernel: Any, bias: Any) -> dict[str, Any]:
        stats = metrics.class_stats(features, labels, classes)
        return metrics.collapse_report(stats, kernel, bias, features, labels)

    return report


def _case(samples: int, dim: int, classes: int, title: str, options: Options) -> Case:
    arrays = clustered_features(samples, dim, classes)
    ours = jax.device_put(arrays)
    report = report_function(classes)
    contestants: dict[str, Callable[[], Any]] = {OURS: lambda: jax.block_until_ready(report(*ours))}
    notes = []
    if peers.torch is not None:
        from experiments.benchmarks import torch_metrics

        features, labels, kernel, bias = (peers.tensor(array) for array in arrays)
        values = jax.device_get(report(*ours))
        for name, hermitian in (("torch pinv", False), ("torch pinv hermitian", True)):
            contestants[name] = lambda hermitian=hermitian: torch_metrics.collapse_formulas(
                features, labels, classes, kernel.T.contiguous(), bias, hermitian
            )
            notes.append(f"{name}: {_agreement(values, contestants[name]())}")
    timings = alternate(contestants, options.repeats, options.max_seconds)
    # The scatter and two products with the classes' vectors are nearly all of it.
    flops = 2 * samples * dim**2 + 6 * samples * dim * classes
    return Case(
        "collapse",
        title,
        timings,
        flops=flops,
        bytes=2 * 4 * samples * dim,
        items=(samples, "samples"),
        notes=tuple(notes),
    )


def _agreement(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Raises unless both hold the same names and about the same numbers; says how far they agree."""
    if ours.keys() != theirs.keys():
        raise AssertionError(f"other measures: {sorted(ours.keys() ^ theirs.keys())}")
    errors = {name: abs(float(ours[name]) - float(theirs[name])) / (abs(float(ours[name])) + 1e-3) for name in ours}
    worst = max(errors, key=lambda name: errors[name])
    if not errors[worst] < _TOLERANCE:
        raise AssertionError(f"{worst}: {float(ours[worst]):.6g} here, {float(theirs[worst]):.6g} there")
    return f"values agree to {errors[worst]:.0e} ({worst})"
