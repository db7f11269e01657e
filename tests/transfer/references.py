"""Few-shot heads in float64, straight from their definitions."""

import numpy as np

EPS = np.finfo(np.float32).eps


def ridge_scores(samples: np.ndarray, targets: np.ndarray, queries: np.ndarray, l2: float) -> np.ndarray:
    """Q Sᵀ (S Sᵀ + λI)⁻¹ Y by the singular values of S, minus the mean over the ways, divided by the largest."""
    unit = np.abs(samples).max()
    left, values, right = np.linalg.svd(samples / unit, full_matrices=False)
    strength = l2 / unit**2
    # In units of 1/(1 + λ): a product with the inverse of a huge λ would leave the range.
    gains = values / ((values**2 + strength) / (1 + strength))
    scores = (queries / unit) @ right.T @ (gains[:, None] * (left.T @ targets))
    scores = scores - scores.mean(axis=1, keepdims=True)
    return scores / np.abs(scores).max()


def ridge_tolerance(samples: np.ndarray, l2: float) -> float:
    """Rounding of single precision, and the floor of 4 eps times the trace, times the centred Gram's condition."""
    values = np.linalg.svd(samples - samples.mean(axis=0), compute_uv=False)
    rank = min(len(samples) - 1, samples.shape[1])
    condition = (values[0] ** 2 + l2) / (values[rank - 1] ** 2 + l2)
    return 8 * len(samples) * EPS * condition


def logistic_scores(samples: np.ndarray, targets: np.ndarray, queries: np.ndarray, l2: float) -> np.ndarray:
    """Logits at the minimum of Σ CE + (λ/2)‖W‖² for classes of equal size, by Newton's method; their mean is zero.

    The intercept's own pull is zero for such classes and is left out, and softmax − 1/C comes from expm1, so that
    logits far below one keep their digits here as well.
    """
    mean, classes = samples.mean(axis=0), targets.shape[1]
    left, values, right = np.linalg.svd(samples - mean, full_matrices=False)
    strength = l2 / values[0] ** 2
    factor = 1 / np.sqrt(1 + strength)
    inputs = np.hstack([left * (values / values[0]) * factor, np.ones((len(samples), 1))])
    penalty = np.append(np.full(inputs.shape[1] - 1, strength * factor**2), 0.0)
    pull = inputs.T @ (targets - 1 / classes)
    pull[-1] = 0
    # The same number added to all of a sample's logits changes nothing: this much curvature fixes it at zero.
    fixed = np.kron(np.diag(np.append(np.zeros(len(penalty) - 1), 1.0)), np.ones((classes, classes)))
    params = np.zeros((inputs.shape[1], classes))
    for _ in range(100):
        logits = inputs @ params
        growth = np.expm1(logits - logits.max(axis=1, keepdims=True))
        excess = (growth - growth.mean(axis=1, keepdims=True)) / (classes + growth.sum(axis=1, keepdims=True))
        softmax = excess + 1 / classes
        gradient = inputs.T @ excess - pull + penalty[:, None] * params
        curvature = softmax[:, :, None] * np.eye(classes) - softmax[:, :, None] * softmax[:, None, :]
        hessian = np.einsum("ni,nj,nab->iajb", inputs, inputs, curvature).reshape(params.size, params.size)
        hessian += np.diag(np.repeat(penalty, classes)) + fixed
        step = np.linalg.solve(hessian, gradient.ravel()).reshape(params.shape)
        params = params - step
        if np.abs(step).max() <= 1e-12 * np.abs(params).max():
            break
    scores = ((queries - mean) @ right.T / values[0] * factor) @ params[:-1] + params[-1]
    return scores - scores.mean(axis=1, keepdims=True)
