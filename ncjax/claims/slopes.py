"""Slopes of one logarithm on another over runs, with weights and strata, vectorised over resamples."""

import numpy as np
from jaxtyping import Float, Int

from ncjax.claims.strata import centred, weighted


def log_slope(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, "b n"] | None = None,
    strata: Int[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " b"]:
    """Least-squares slope of log y on log x over runs, comparing runs of the same stratum only.

    Args:
        x: one number a run, positive.
        y: one number a run, positive.
        weights: how often each run counts, one row a resample; None is once each.
        strata: label of each run's stratum; None is one stratum.

    Returns:
        Slopes [b]: 1 means that y is proportional to x; 0 where x is constant in every stratum.

    Example:
        >>> x = np.array([1.0, 2.0, 4.0])
        >>> log_slope(x, 5 * x**2).round(6).tolist()
        [2.0]
    """
    weights, together = weighted(len(x), weights, strata)
    along, across = (centred(np.log(values)[None, :], weights, together) for values in (x, y))
    spread = np.sum(weights * along**2, axis=1)
    product = np.sum(weights * along * across, axis=1)
    return np.where(spread > 1e-12, product / np.maximum(spread, 1e-12), 0.0)
