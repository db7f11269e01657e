"""How exact the measures are, as docs/conventions.md promises: ``python -m tests.metrics.accuracy [--write]``.

Prints the worst relative error of each against the float64 definitions, over depth of collapse, offset, span of the
class means, spread of the directions within classes and shape, in three merged batches under jit; ``--write`` puts the
table into that page. The tests allow ten times what stands there, for other processors and compilers.
"""

import itertools
import sys
import warnings
from pathlib import Path

import jax
import numpy as np

from ncjax import metrics
from tests import reference, reference_classes

Shape = tuple[int, int, int]

SHALLOW_TO_DEEP = [1.0, 1e-3, 1e-5, 1e-7]
# Classes, features, samples a class: few and many, d < C - 1, d = 1, two classes.
SHAPES = [(2, 1, 50), (5, 200, 7), (10, 64, 40), (10, 5, 40), (60, 90, 11), (40, 12, 9)]
LARGE = [(1000, 32, 3), (3, 2048, 7), (100, 512, 8)]
# Columns of the table: their shapes, and whether features are double.
COLUMNS = {
    "small": (SHAPES, np.float32),
    "large": (LARGE, np.float32),
    "double": (SHAPES, np.float64),
}
# Errors below these are written as these: their last digits are those of one processor.
FLOORS = {"small": 0.0, "large": 0.0, "double": 1e-11}
# Distances from a perfect frame, which are zero for two classes.
FRAME = ("nc2_", "nc3")
SLACK = 10

PAGE = Path(__file__).resolve().parents[2] / "docs" / "conventions.md"
_START, _END = "<!-- accuracy -->\n", "<!-- end of accuracy -->\n"

compiled_report = jax.jit(metrics.collapse_report)


def stats_of(features, labels, num_classes: int, batches: int = 3) -> metrics.ClassStats:
    stats = metrics.ClassStats.empty(num_classes, features.shape[1], dtype=features.dtype)
    for part, names in zip(np.array_split(features, batches), np.array_split(labels, batches), strict=True):
        stats = stats.merge(metrics.class_stats(part, names, num_classes))
    return stats


def relative_errors(shape: Shape, dtype: type, std: float, offset: float, span: float) -> dict[str, float]:
    """Of each measure on one sample; where the true value is 0 there is none."""
    num_classes, dim, _ = shape
    rng = np.random.default_rng(0)
    # Directions within classes that differ leave their digits only to shapes with many samples.
    spread = 10.0 if offset == 0 and shape in SHAPES else 1.0
    features, labels = reference.collapsed_features(
        rng, *shape, std=std, offset=offset, span=span, spread=spread, imbalance=std < 1e-2
    )
    features = features.astype(dtype)
    kernel: np.ndarray = rng.normal(size=(dim, num_classes)).astype(dtype)
    truth = reference.report(features, labels, kernel) | reference.ranks(features, num_classes)
    truth["directional_cdnv"] = reference.directional_cdnv(features, labels)
    truth["lidar"] = reference_classes.lidar(reference.Moments(features, labels), delta=1e-4)
    stats = stats_of(features, labels, num_classes)
    report = compiled_report(stats, kernel)
    report |= metrics.rank_report(features, num_classes)
    report["directional_cdnv"] = metrics.directional_cdnv(features, labels, num_classes)
    report["lidar"] = metrics.lidar(stats)
    return {
        name: abs(float(report[name]) - value) / abs(value)
        for name, value in truth.items()
        if value != 0 and not (num_classes == 2 and name.startswith(FRAME))
    }


def samples() -> itertools.product:
    """Depth of collapse, offset, and spread of the class means' singular values."""
    return itertools.product(SHALLOW_TO_DEEP, (0.0, 1e4), (1.0, 1e4))


def promised(column: str) -> dict[str, float]:
    """What the page says of each measure, those of the classifier under the name of the measure."""
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index(_START) : text.index(_END)]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    place = 1 + list(COLUMNS).index(column)
    return {cells[0].strip("`"): float(cells[place]) for cells in rows[2:]}


def allowed(column: str, name: str) -> float:
    """Relative error that a test allows a measure."""
    return SLACK * promised(column)[name.removesuffix("_classifier")]


def measured() -> dict[str, dict[str, float]]:
    """The worst error of each measure by column."""
    errors: dict[str, dict[str, float]] = {}
    for column, (shapes, dtype) in COLUMNS.items():
        with jax.enable_x64(dtype is np.float64):
            for shape, sample in itertools.product(shapes, samples()):
                for name, error in relative_errors(shape, dtype, *sample).items():
                    worst = errors.setdefault(name.removesuffix("_classifier"), {})
                    # A comparison with NaN is false: written this way round, NaN stays and shows.
                    worst[column] = error if not error <= worst.get(column, 0.0) else worst.get(column, 0.0)
    return errors


def lines(errors: dict[str, dict[str, float]]) -> list[str]:
    """The table in Markdown."""

    def named(shape: Shape) -> str:
        return f"C={shape[0]} d={shape[1]}"

    heads = ["those shapes", ", ".join(map(named, LARGE)), "those shapes, double precision"]
    rows = [
        f"| `{name}` | " + " | ".join(f"{max(row[c], FLOORS[c]):.1e}" for c in COLUMNS) + " |"
        for name, row in errors.items()
    ]
    return ["| measure | " + " | ".join(heads) + " |", "|---" * (1 + len(heads)) + "|", *rows]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    table = "\n".join(lines(measured())) + "\n"
    print(table)
    if "--write" in sys.argv:
        text = PAGE.read_text(encoding="utf-8")
        before, after = text[: text.index(_START) + len(_START)], text[text.index(_END) :]
        PAGE.write_text(f"{before}\n{table}\n{after}", encoding="utf-8")
