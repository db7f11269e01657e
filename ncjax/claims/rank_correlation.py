"""Spearman's rho with weights and strata, vectorised over resamples.

A resample enters as weights, so its mid-ranks are one matrix product: the rank of run i is the weight of the runs below
it plus half of the weight of those equal to it. Ranks are taken within strata and centred there; the correlation is
pooled over strata.
"""

import numpy as np
from jaxtyping import Float, Int

from ncjax.claims.strata import centred, stratum_weights, weighted


def spearman(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, "b n"] | None = None,
    strata: Int[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " b"]:
    """Spearman's rank correlation of two quantities over runs, comparing runs of the same stratum only.

    Args:
        x: one number a run, finite.
        y: one number a run, finite.
        weights: how often each run counts, one row a resample; None is once each.
        strata: label of each run's stratum; None is one stratum.

    Returns:
        Correlations [b] in [-1, 1]; 0 where x or y is constant in every stratum, which says nothing about order.

    Source:
        Spearman, The proof and measurement of association between two things (1904); strata: Taylor, Kendall's and
        Spearman's correlation coefficients in the presence of a blocking variable (Biometrics 43, 1987).

    Example:
        >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 8.0, 27.0])).tolist()
        [1.0]
        >>> x, y = np.array([1.0, 2.0, 8.0, 9.0]), np.array([8.0, 9.0, 1.0, 2.0])
        >>> within = spearman(x, y, strata=np.array([0, 0, 1, 1]))
        >>> round(float(spearman(x, y)[0]), 2), float(within[0])
        (-0.6, 1.0)
    """
    weights, together = weighted(len(x), weights, strata)
    return _correlation(_centred_ranks(x, weights, together), _centred_ranks(y, weights, together), weights)


def partial_spearman(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    given: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, "b n"] | None = None,
    strata: Int[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " b"]:
    """Rank correlation of two quantities with a third held fixed (linearly in the ranks).

    Args:
        x: one number a run, finite.
        y: one number a run, finite.
        given: the quantity that is held fixed, one number a run.
        weights: how often each run counts, one row a resample; None is once each.
        strata: label of each run's stratum; None is one stratum.

    Returns:
        Correlations [b] in [-1, 1]; 0 where the third quantity leaves no spread.

    Source:
        Kendall & Stuart, The Advanced Theory of Statistics, vol. 2, chapter 27: r_xy.z on Spearman's correlations.

    Example:
        >>> loss = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        >>> x, y = np.array([2.0, 1.0, 4.0, 3.0, 6.0, 5.0]), np.array([1.0, 3.0, 2.0, 5.0, 4.0, 6.0])
        >>> float(spearman(x, y)[0]) > 0.4, float(partial_spearman(x, y, loss)[0]) < 0
        (True, True)
    """
    xy, xz, yz = (spearman(first, second, weights, strata) for first, second in ((x, y), (x, given), (y, given)))
    spread = np.sqrt(np.clip((1 - xz**2) * (1 - yz**2), 0, None))
    # Below this spread the numerator is rounding error.
    return np.clip(np.where(spread > 1e-6, (xy - xz * yz) / np.maximum(spread, 1e-6), 0.0), -1, 1)


def _centred_ranks(
    values: Float[np.ndarray, " n"], weights: Float[np.ndarray, "b n"], together: Float[np.ndarray, "n n"]
) -> Float[np.ndarray, "b n"]:
    below = (values[:, None] < values[None, :]) + 0.5 * (values[:, None] == values[None, :])
    # Dividing by the stratum's weight lets strata of different sizes count run by run.
    grades = (weights @ (together * below)) / stratum_weights(weights, together)
    return centred(grades, weights, together)


def _correlation(
    x: Float[np.ndarray, "b n"], y: Float[np.ndarray, "b n"], weights: Float[np.ndarray, "b n"]
) -> Float[np.ndarray, " b"]:
    product = np.sum(weights * x * y, axis=1)
    scale = np.sqrt(np.sum(weights * x**2, axis=1) * np.sum(weights * y**2, axis=1))
    return np.clip(np.where(scale > 1e-9, product / np.maximum(scale, 1e-9), 0.0), -1, 1)
