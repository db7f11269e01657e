"""Bounds on the error of the nearest class mean through geometric complexity, beside the error."""

import jax.numpy as jnp

from ncjax import metrics
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.row import Row
from ncjax.training.sharding import split_batch


def error_bounds(at: Checkpoint, known: Row) -> Row:
    """The nearest-mean bound by CDNV and, through the Poincaré inequality, by complexity, if `measure.bounds` says so.

    With class means of n = num_train/C samples: error ≤ 16(C − 1)(1 + 2/n)·cdnv ≤ 16(C − 1)(1 + 2/n)·c·(geometric
    collapse). The constant c is known only by a lower bound, the largest variance of a class's images in a direction,
    so that the second step may fail: `chain_slack` says by how much it holds.

    Args:
        at: The checkpoint.
        known: Of other measures, of train and test, `cdnv` and `geometric_collapse_tight`.

    Returns:
        `<split>/nearest_mean_bound`, `<split>/complexity_bound`, `<split>/chain_slack` of train and test, and
        `train/poincare_lower_bound`; and by complexity along the lines between class means alone
        `train/directional_geometric_collapse` and `train/directional_complexity_bound`.
    """
    if not at.options.bounds:
        return {}
    constant, classes = jnp.asarray(at.inputs.poincare_constant), at.spec.num_classes
    shots = len(at.inputs.train_labels) / classes
    row: Row = {"train/poincare_lower_bound": constant}
    for split in ("train", "test"):
        cdnv = known[f"{split}/cdnv"]
        through = constant * known[f"{split}/geometric_collapse_tight"]
        for name, value in (("nearest_mean_bound", cdnv), ("complexity_bound", through)):
            row[f"{split}/{name}"] = metrics.nearest_mean_bound(value, classes, shots)
        row[f"{split}/chain_slack"] = through / cdnv
    stats, pixels = at.stats["train"], at.pixels(at.inputs.train_sample_images)
    labels = at.inputs.train_labels[at.inputs.train_sample]
    along = metrics.directional_complexity(at.embed, split_batch(pixels), labels, stats)
    row["train/directional_geometric_collapse"] = metrics.directional_geometric_collapse(stats, along)
    row["train/directional_complexity_bound"] = metrics.directional_complexity_bound(stats, along, constant)
    return row
