"""The dual problem of Crammer and Singer's support vector machine, for many small episodes at once."""

import numpy as np
from jaxtyping import Float

# A gap of 1e-9 of the objective leaves margins right to about its root.
TOLERANCE = 1e-9
MAX_STEPS = 60


def crammer_singer(
    gram: Float[np.ndarray, "episodes n n"], targets: Float[np.ndarray, "n ways"], limit: Float[np.ndarray, " episodes"]
) -> Float[np.ndarray, "episodes n ways"]:
    """Minimises ½ Σ_w α_wᵀ G α_w − Σ_i α_i,yᵢ where Σ_w α_iw = 0 and α_iw ≤ C·[w = y_i], by an interior-point method.

    Coordinate descent (liblinear) needs as many rounds as G is ill-conditioned: ten thousand are not enough where the
    samples share a mean a hundred times their spread. A Newton step does not care, and is cheap, since the ways meet
    only in the constraint on their sum: one inverse of an n by n matrix for each way.

    Args:
        gram: G, products of the samples in units in which they differ from their mean by about one.
        targets: one-hot rows.
        limit: C > 0.

    Returns:
        α. Its columns weight the samples in each way's weight vector. NaN where a number was not finite.

    Source: predictor and corrector: Mehrotra 1992, https://doi.org/10.1137/0802028; the problem: Crammer, Singer 2001,
    https://jmlr.org/papers/v2/crammer01a.html.

    Examples:
        >>> crammer_singer(np.eye(2)[None], np.eye(2), np.array([0.1])).round(3).tolist()
        [[[0.1, -0.1], [-0.1, 0.1]]]
    """
    ways = targets.shape[1]
    broken = ~(np.isfinite(gram).all(axis=(1, 2)) & np.isfinite(limit))
    gram = np.where(broken[:, None, None], np.eye(len(targets)), gram)
    # More samples than features make G singular, and a limit far away leaves it so.
    rounding = 1e-13 + 1e-15 * np.trace(gram, axis1=1, axis2=2)
    gram = gram + rounding[:, None, None] * np.eye(len(targets))
    limit = np.where(broken, 1.0, limit)
    # In units in which a limit below one is one.
    unit = np.minimum(limit, 1.0)[:, None, None]
    gram, upper = gram * unit, (limit[:, None, None] / unit) * targets
    alpha = 0.5 * (targets - (1 - targets) / (ways - 1))
    alpha = np.broadcast_to(alpha, upper.shape).copy()
    slack, common = upper - alpha, np.zeros((*alpha.shape[:2], 1))
    price = 1 / np.maximum(slack, 1.0)
    for _ in range(MAX_STEPS):
        residual = gram @ alpha - targets + price + common
        gap = (price * slack).mean(axis=(1, 2))
        going = np.maximum(gap, np.abs(residual).max(axis=(1, 2))) > TOLERANCE
        if not going.any():
            break
        step = _newton(gram, residual, alpha.sum(axis=2, keepdims=True), price, slack, gap)
        length = np.where(going, 1.0, 0.0)[:, None, None] * _length(step[0], step[1], price, slack)
        alpha, price, common = alpha + length * step[0], price + length * step[1], common + length * step[2]
        slack = slack - length * step[0]
    # What rounding left of the sums shifts the scores of all ways alike.
    alpha = alpha - alpha.mean(axis=2, keepdims=True)
    return np.where(broken[:, None, None], np.nan, alpha * unit)


def _newton(
    gram: np.ndarray, residual: np.ndarray, excess: np.ndarray, price: np.ndarray, slack: np.ndarray, gap: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Changes of α, of the limits' prices and of the sums' prices."""
    weight = price / slack
    ways_first = np.swapaxes(weight, 1, 2)[..., None] * np.eye(gram.shape[1])
    inverses = np.linalg.inv(gram[:, None] + ways_first)
    together = np.linalg.inv(inverses.sum(axis=1))

    def solve(product: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        right = product / slack - residual
        alone = np.einsum("ewij,ejw->eiw", inverses, right)
        common = together @ (alone.sum(axis=2, keepdims=True) + excess)
        change = alone - np.einsum("ewij,ej->eiw", inverses, common[..., 0])
        return change, (price * change - product) / slack, common

    change, priced, _ = solve(price * slack)
    length = _length(change, priced, price, slack)
    ahead = ((price + length * priced) * (slack - length * change)).mean(axis=(1, 2))
    target = (np.clip(ahead / gap, 0, 1) ** 3 * gap)[:, None, None]
    return solve(price * slack - change * priced - target)


def _length(change: np.ndarray, priced: np.ndarray, price: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """How far a step may go, at most all the way, so that prices and slacks stay positive."""
    shrink = np.maximum(-priced / price, change / slack).max(axis=(1, 2), keepdims=True)
    return np.minimum(1.0, 0.995 / np.maximum(shrink, 1e-300))
