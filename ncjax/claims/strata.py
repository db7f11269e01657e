"""Resampled runs as weights, compared with runs of the same stratum only."""

import numpy as np
from jaxtyping import Float, Int


def weighted(
    count: int, weights: Float[np.ndarray, "b n"] | None, strata: Int[np.ndarray, " n"] | None
) -> tuple[Float[np.ndarray, "b n"], Float[np.ndarray, "n n"]]:
    """Weights, and which runs share a stratum; by default every run counts once, in one stratum.

    Args:
        count: of runs.
        weights: how often each run counts, one row a resample.
        strata: label of each run's stratum.

    Returns:
        Weights [b, n], and a matrix that is 1 for runs of one stratum and 0 otherwise.

    Example:
        >>> weighted(2, None, np.array([0, 1]))[1].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    weights = np.ones((1, count)) if weights is None else weights
    strata = np.zeros(count, dtype=np.int64) if strata is None else strata
    return weights, (strata[:, None] == strata[None, :]).astype(np.float64)


def stratum_weights(weights: Float[np.ndarray, "b n"], together: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "b n"]:
    """The weight of each run's stratum, never below one run's.

    Args:
        weights: how often each run counts, one row a resample.
        together: as `weighted` returns it.

    Returns:
        One row a resample.

    Example:
        >>> stratum_weights(*weighted(3, None, None)).tolist()
        [[3.0, 3.0, 3.0]]
    """
    return np.maximum(weights @ together, 1.0)


def centred(
    values: Float[np.ndarray, "#b n"], weights: Float[np.ndarray, "b n"], together: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "b n"]:
    """Values less the weighted mean of their stratum.

    Args:
        values: one row a resample, or one row for all.
        weights: how often each run counts, one row a resample.
        together: as `weighted` returns it.

    Returns:
        One row a resample.

    Example:
        >>> centred(np.array([[1.0, 3.0]]), *weighted(2, None, None)).tolist()
        [[-1.0, 1.0]]
    """
    return values - (weights * values) @ together / stratum_weights(weights, together)
