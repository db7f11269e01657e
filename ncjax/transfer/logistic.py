"""Multinomial logistic regression: the loss, and the few-shot head that minimises it."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.transfer.minimise import Minimum, minimise
from ncjax.transfer.precision import matmul, support_coordinates, unit_range


@dataclass(frozen=True)
class LogisticRegression:
    """Multinomial logistic regression with an intercept, minimised until its gradient has all but vanished.

    With supports s_i of way y_i the scores of a query q are Wᵀq + b, where W and b minimise
    Σ_i −log softmax(Wᵀs_i + b)[y_i] + (λ/2)‖W‖²: the same as scikit-learn's `LogisticRegression(C=1/λ)`. The supports'
    span is all of the space that matters, so that the work hardly depends on d.

    With `unit`, the default, each feature vector is first divided by its norm: with λ = 1 this is the head of
    RFS-simple, and it does not depend on the features' scale. Otherwise λ acts on the features as they come.

    Attributes:
        l2: λ > 0.
        unit: whether features are divided by their norms; a zero stays zero.
        tolerance: of the gradient norm, in units of Σ_i ‖(s_i, 1)‖·‖softmax − target‖ at W = 0.
        max_steps: of L-BFGS. What it reached is the second result of `solve`.

    Raises:
        ValueError: if `l2` or `tolerance` is not positive and finite, or `max_steps` is below 1.

    Source: Tian et al. 2020 (RFS), section 3, https://arxiv.org/abs/2003.11539.

    Example:
        >>> support = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> scores, gradient_norm = jax.jit(LogisticRegression().solve)(support, jnp.array([[3.0, 1.0], [0.2, 0.9]]))
        >>> scores.argmax(axis=1).tolist(), bool(gradient_norm <= 1e-5)
        ([0, 1], True)
    """

    l2: float = 1.0
    unit: bool = True
    tolerance: float = 1e-5
    max_steps: int = 200

    def __post_init__(self) -> None:
        for name in ("l2", "tolerance"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(
                    f"{name}: the logistic head needs a positive, finite number, got {getattr(self, name)}"
                )
        if self.max_steps < 1:
            raise ValueError(f"max_steps: the logistic head needs at least 1, got {self.max_steps}")

    def prepare(self, features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:  # noqa: ARG002
        """Divides each feature vector by its norm if `unit`, else leaves the features as they are."""
        return unit_rows(features) if self.unit else features

    def scores(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> Float[Array, "queries ways"]:
        """Scores each query by its logits."""
        return self.solve(support, query)[0]

    def solve(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> tuple[Float[Array, "queries ways"], Float[Array, ""]]:
        """The scores, and the gradient norm at which the minimisation stopped."""
        ways, shots, _ = support.shape
        samples, queries = support_coordinates(support, query)
        targets = jnp.repeat(jnp.eye(ways, dtype=samples.dtype), shots, axis=0)
        start = jnp.zeros((samples.shape[1] + 1, ways), samples.dtype)
        weights = jnp.ones(ways * shots, samples.dtype)
        fit = fit_logistic(samples, targets, weights, self.l2, start, self.tolerance, self.max_steps)
        scores = logits(fit.params, queries)
        return jnp.where(jnp.isfinite(fit.gradient_norm), scores, jnp.nan), fit.gradient_norm


def fit_logistic(
    samples: Float[Array, "n d"],
    targets: Float[Array, "n classes"],
    weights: Float[Array, " n"],
    l2: Float[Array, ""] | float,
    start: Float[Array, "dplus classes"],
    tolerance: float = 1e-5,
    max_steps: int = 200,
) -> Minimum:
    """Minimises Σ_i w_i·CE_i + (λ/2)‖W‖² over the kernel W and an intercept without penalty.

    Args:
        samples: [n, d].
        targets: one-hot [n, C].
        weights: w [n], of at least 0.
        l2: λ; may be traced.
        start: [d + 1, C], the intercept in the last row.
        tolerance: of the gradient norm, in units of Σ_i w_i ‖(s_i, 1)‖·‖softmax − target‖ at zero.
        max_steps: of L-BFGS.

    Returns:
        The minimum; `params` [d + 1, C].

    Example:
        >>> fit = jax.jit(fit_logistic)(jnp.array([[-1.0], [1.0]]), jnp.eye(2), jnp.ones(2), 1.0, jnp.zeros((2, 2)))
        >>> logits(fit.params, jnp.array([[5.0]])).argmax(axis=1).tolist()
        [1]
    """
    classes = targets.shape[1]
    at_zero = jnp.linalg.norm(1 / classes - targets, axis=1)
    scale = jnp.sum(weights * jnp.sqrt(1 + jnp.sum(samples**2, axis=1)) * at_zero)

    def loss(params: Float[Array, "dplus classes"]) -> Float[Array, ""]:
        scores = logits(params, samples)
        losses = jax.nn.logsumexp(scores, axis=1) - jnp.sum(scores * targets, axis=1)
        return jnp.sum(weights * losses) + 0.5 * l2 * jnp.sum(params[:-1] ** 2)

    return minimise(loss, start, scale, tolerance, max_steps)


def logits(params: Float[Array, "dplus classes"], samples: Float[Array, "n d"]) -> Float[Array, "n classes"]:
    """Scores of samples: their product with all rows but the last, plus the last.

    Args:
        params: [d + 1, C], the intercept in the last row.
        samples: [n, d].

    Returns:
        Logits [n, C].

    Example:
        >>> logits(jnp.array([[2.0, 0.0], [1.0, 3.0]]), jnp.array([[1.0]])).tolist()
        [[3.0, 3.0]]
    """
    return matmul(samples, params[:-1]) + params[-1][None, :]


def unit_rows(features: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Divides each row by its norm; a row of zeros stays.

    Args:
        features: [n, d], of any finite size.

    Returns:
        The same directions.

    Example:
        >>> unit_rows(jnp.array([[0.0, 4e-30], [0.0, 0.0]])).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    scaled = unit_range(features)
    norms = jnp.linalg.norm(scaled, axis=1, keepdims=True)
    return jnp.where(norms == 0, 0, scaled / jnp.where(norms == 0, 1, norms))
