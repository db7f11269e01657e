"""Multinomial logistic regression: the loss, and the few-shot head that minimises it."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.transfer.minimise import Minimum, minimise
from ncjax.transfer.options import is_positive
from ncjax.transfer.precision import (
    about_mean,
    matmul,
    range_exponent,
    span_coordinates,
    times_power_of_two,
    unit_range,
)


@dataclass(frozen=True)
class LogisticRegression:
    """Multinomial logistic regression with an intercept, minimised until its gradient has all but vanished.

    With supports s_i of way y_i the scores of a query q are Wᵀq + b, where W and b minimise
    Σ_i −log softmax(Wᵀs_i + b)[y_i] + (λ/2)‖W‖²: the same as scikit-learn's `LogisticRegression(C=1/λ)`. The supports'
    span is all of the space that matters, so that the work hardly depends on d.

    With `unit`, the default, each feature vector is first divided by its norm: with λ = 1 this is the head of
    RFS-simple, and it does not depend on the features' scale. Otherwise λ acts on the features as they come.

    A large common mean costs no precision: the intercept has no penalty, so a shift of all features changes b alone and
    no score. `prepare` returns each unit vector minus that of the mean feature, from differences that hold their digits
    (`shifted_unit_rows`), and `solve` centres by the mean of the supports.

    Attributes:
        l2: λ > 0.
        unit: whether features are divided by their norms; a zero stays zero.
        tolerance: of the gradient norm, in the unit of `fit_logistic`.
        max_steps: of L-BFGS. What it reached is the second result of `solve`.

    Raises:
        ValueError: if `l2` or `tolerance` is not positive and finite, or `max_steps` is below 1.

    Source: Tian et al. 2020 (RFS), section 3, https://arxiv.org/abs/2003.11539.

    Examples:
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
            if not is_positive(getattr(self, name)):
                raise ValueError(
                    f"{name}: the logistic head needs a positive, finite number, got {getattr(self, name)}"
                )
        if self.max_steps < 1:
            raise ValueError(f"max_steps: the logistic head needs at least 1, got {self.max_steps}")

    def prepare(self, features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:  # noqa: ARG002
        """Divides each feature vector by its norm and shifts all alike if `unit`, else leaves them as they are."""
        return shifted_unit_rows(features) if self.unit else features

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
        centred = about_mean(support, query)
        samples, queries = span_coordinates(centred.samples, centred.queries)
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

    Samples are scaled by a power of two, and the kernel by p = 1/√(m + λC/Σw), m the mean of their ‖s_i‖²: all
    curvatures are then at most about one, whatever the size of samples and λ. The loss is written in softmax − 1/C, so
    that logits far below one, as of a strong penalty or of small differences, keep their digits. Beyond λ = 2⁶⁰ of the
    samples' unit, where the ordering of the logits no longer depends on λ, they are too large by a common factor.

    Args:
        samples: [n, d], centred: a large common mean makes the fit slow and coarse.
        targets: one-hot [n, C].
        weights: w [n], of at least 0.
        l2: λ; may be traced.
        start: [d + 1, C], the intercept in the last row.
        tolerance: of the gradient norm, each part in its unit: √m·a for the kernel and, for the intercept, ρ²·a or the
            pull of unequal classes if that is larger; a = Σ_i w_i ‖softmax − target‖ at zero, ρ = p√m ≤ 1 (ρ² is
            about the size of the logits).
        max_steps: of L-BFGS.

    Returns:
        The minimum; `params` [d + 1, C].

    Examples:
        >>> fit = jax.jit(fit_logistic)(jnp.array([[-1.0], [1.0]]), jnp.eye(2), jnp.ones(2), 1.0, jnp.zeros((2, 2)))
        >>> logits(fit.params, jnp.array([[5.0]])).argmax(axis=1).tolist()
        [1]
    """
    classes = targets.shape[1]
    exponent = range_exponent(samples)
    samples = times_power_of_two(samples, -exponent)
    strength = jnp.minimum(
        times_power_of_two(jnp.asarray(l2, samples.dtype), jnp.clip(-2 * exponent, -100, 60)), 2.0**60
    )
    each = jnp.sum(weights) / classes
    weights, strength = weights / each, strength / each
    squares = jnp.sum(weights * jnp.sum(samples**2, axis=1)) / classes
    to_kernel = 1 / jnp.sqrt(squares + strength)
    scaled = samples * to_kernel
    # What pulls at zero, where softmax is 1/C. Sums of weights, not of differences: classes of equal size cancel.
    weighted = weights[:, None] * targets
    pull_intercept = jnp.sum(weighted, axis=0) - jnp.sum(weights) / classes
    pull = jnp.concatenate([matmul(scaled.T, weighted - weights[:, None] / classes), pull_intercept[None, :]])

    def loss(params: Float[Array, "dplus classes"]) -> Float[Array, ""]:
        curved = jnp.sum(weights * _excess(logits(params, scaled)))
        return curved - jnp.sum(pull * params) + 0.5 * strength * to_kernel**2 * jnp.sum(params[:-1] ** 2)

    at_zero = jnp.sum(weights * jnp.linalg.norm(1 / classes - targets, axis=1))
    size = squares * to_kernel**2
    of_intercept = jnp.maximum(size, jnp.linalg.norm(pull_intercept) / classes)
    scale = at_zero * jnp.append(jnp.full(samples.shape[1], jnp.sqrt(size)), of_intercept)[:, None]
    factors = jnp.append(
        jnp.full(samples.shape[1], times_power_of_two(to_kernel, -exponent)), jnp.ones((), samples.dtype)
    )
    minimum = minimise(loss, start / factors[:, None], scale, tolerance, max_steps)
    return minimum._replace(params=minimum.params * factors[:, None])


@jax.custom_jvp
def _excess(scores: Float[Array, "n classes"]) -> Float[Array, " n"]:
    """The logarithm of the mean of exp(scores), minus the mean of the scores."""
    shift = scores.max(axis=1)
    return shift - scores.mean(axis=1) + jnp.log1p(jnp.expm1(scores - shift[:, None]).mean(axis=1))


@_excess.defjvp
def _excess_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # softmax − 1/C without taking 1/C from a number that is near to it.
    (scores,), (change,) = primals, tangents
    exponentials = jnp.expm1(scores - scores.max(axis=1, keepdims=True))
    centred = exponentials - exponentials.mean(axis=1, keepdims=True)
    slope = centred / (scores.shape[1] + exponentials.sum(axis=1, keepdims=True))
    return _excess(scores), jnp.sum(slope * change, axis=1)


def logits(params: Float[Array, "dplus classes"], samples: Float[Array, "n d"]) -> Float[Array, "n classes"]:
    """Scores of samples: their product with all rows but the last, plus the last.

    Args:
        params: [d + 1, C], the intercept in the last row.
        samples: [n, d].

    Returns:
        Logits [n, C].

    Examples:
        >>> logits(jnp.array([[2.0, 0.0], [1.0, 3.0]]), jnp.array([[1.0]])).tolist()
        [[3.0, 3.0]]
    """
    return matmul(samples, params[:-1]) + params[-1][None, :]


def shifted_unit_rows(features: Float[Array, "n d"]) -> Float[Array, "n d"]:
    """Divides each row x by its norm and subtracts the unit vector of the mean row c; a row of zeros has no direction.

    With r = x − c this is r/‖x‖ − (c/‖c‖)·(2cᵀr + ‖r‖²)/(‖x‖(‖c‖ + ‖x‖)): rows that differ by little from a large mean
    keep the digits of their differences.

    Args:
        features: [n, d], of any finite size.

    Returns:
        x/‖x‖ − c/‖c‖, of any size from 0 to 2.

    Examples:
        >>> (shifted_unit_rows(jnp.array([[4e-30, 0.0], [0.0, 0.0]])) + 0).tolist()  # c/‖c‖ is (1, 0)
        [[0.0, 0.0], [-1.0, 0.0]]
    """
    scaled = unit_range(features)
    mean = scaled.mean(axis=0)
    rest = scaled - mean[None, :]
    norms, size = jnp.linalg.norm(scaled, axis=1)[:, None], jnp.linalg.norm(mean)
    direction = mean[None, :] / jnp.where(size == 0, 1, size)
    longer = 2 * matmul(rest, mean[:, None]) + jnp.sum(rest**2, axis=1)[:, None]
    there = jnp.where(norms == 0, 1, norms)
    return jnp.where(norms == 0, -direction, (rest - direction * (longer / (size + there))) / there)
