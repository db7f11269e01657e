"""Bounds on the error of the nearest class mean through geometric complexity, beside the error."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax import metrics


def error_bounds(
    measured: dict[str, Array], poincare_constant: Float[Array, ""], num_classes: int, num_train: int
) -> dict[str, Float[Array, ""]]:
    """The nearest-mean bound by CDNV, and what the Poincaré inequality makes of it by geometric complexity.

    With class means of n = num_train/C samples: error ≤ 16(C − 1)(1 + 2/n)·cdnv ≤ 16(C − 1)(1 + 2/n)·c·(geometric
    collapse). The constant c is known only by a lower bound, the largest variance of a class's images in a direction,
    so that the second step may fail: ``chain_slack`` says by how much it holds.

    Args:
        measured: of the splits train and test ``<split>/cdnv`` and ``<split>/geometric_collapse_tight``.
        poincare_constant: lower bound of c, in squared units of normalised pixels.
        num_classes: C.
        num_train: train images.

    Returns:
        ``<split>/nearest_mean_bound``, ``<split>/complexity_bound``, ``<split>/chain_slack`` and
        ``train/poincare_lower_bound``.
    """
    row = {"train/poincare_lower_bound": jnp.asarray(poincare_constant)}
    for split in ("train", "test"):
        cdnv = measured[f"{split}/cdnv"]
        through = poincare_constant * measured[f"{split}/geometric_collapse_tight"]
        for name, value in (("nearest_mean_bound", cdnv), ("complexity_bound", through)):
            row[f"{split}/{name}"] = metrics.nearest_mean_bound(value, num_classes, num_train / num_classes)
        row[f"{split}/chain_slack"] = through / cdnv
    return row
