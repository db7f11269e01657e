"""Transferability scores: numbers of a target's features and labels that are said to rank source networks."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Integer

from ncjax.metrics.arrays import ArrayLike, as_count, as_float, as_labels, single_or_better
from ncjax.metrics.class_stats import class_stats
from ncjax.metrics.compiled import compiled
from ncjax.transfer.precision import matmul

# Of the fixed point of LogME: relative change of the ratio of its two precisions, and steps at most.
_SETTLED, _MOST_STEPS = 1e-5, 200
# Of TransRate, as in its code.
_DISTORTION = 1e-4


@compiled("num_classes")
def scores(
    features: Float[ArrayLike, "n d"], labels: Integer[ArrayLike, " n"], num_classes: int
) -> dict[str, Float[Array, ""]]:
    """All transferability scores at once: higher is said to mean better transfer. O(C n d min(n, d)).

    They are of the target's own features and labels, and need neither the source data nor a trained head. What they
    promise is a ranking of networks on one target, not an accuracy.

    Args:
        features: [n, d] floats of the target.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C; those without a sample take no part.

    Returns:
        `log_me`, `h_score`, `h_score_shrunk`, `gbc`, `trans_rate`; not numbers where a feature is none, or, inside a
        compiled program, where a label is out of range. See the functions of these names.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Examples:
        >>> labels = jnp.arange(40) % 2
        >>> apart = jnp.stack([labels * 4.0 - 2.0, jnp.sin(jnp.arange(40.0))], axis=1)
        >>> good, bad = scores(apart, labels, 2), scores(apart[:, 1:], labels, 2)
        >>> all(bool(good[name] > bad[name]) for name in ("log_me", "h_score", "gbc", "trans_rate"))
        True
    """
    given = (features, labels, num_classes)
    return {
        "log_me": log_me(*given),
        "h_score": h_score(*given),
        "h_score_shrunk": h_score_shrunk(*given),
        "gbc": gbc(*given),
        "trans_rate": trans_rate(*given),
    }


@compiled("num_classes")
def log_me(features: Float[ArrayLike, "n d"], labels: Integer[ArrayLike, " n"], num_classes: int) -> Float[Array, ""]:
    """LogME: log evidence a sample of Bayesian linear regression on the one-hot labels, mean over classes.

    The evidence is at its maximum over the precisions of weights and noise, found by MacKay's fixed point. Features are
    taken as they come, without an intercept, as in the paper; the value does not depend on their scale. Where d exceeds
    n the directions without a feature count as in the formula, which the published code leaves out.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.

    Returns:
        A logarithm.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: You, Liu, Wang, Long, ICML 2021, https://arxiv.org/abs/2102.11005, section 4

    Examples:
        >>> labels = jnp.arange(40) % 2
        >>> noise = jnp.sin(jnp.arange(40.0))[:, None]
        >>> bool(log_me(labels[:, None] * 4.0 - 2.0 + 0.1 * noise, labels, 2) > log_me(noise, labels, 2))
        True
    """
    rows, own = _checked(features, labels, num_classes)
    n = rows.shape[0]
    left, values, _ = jnp.linalg.svd(rows / _largest(rows), full_matrices=False)
    # In units of the largest, so that squares stay in range and the fixed point starts near its end.
    spectrum = (values / values[0]) ** 2
    targets = jax.nn.one_hot(own, num_classes, dtype=rows.dtype)
    inside = matmul(left.T, targets) ** 2
    outside = jnp.maximum(targets.sum(axis=0) - inside.sum(axis=0), 0)

    def evidence(inside: Array, outside: Array) -> Array:
        def precisions(ratio: Array) -> tuple[Array, Array, Array, Array]:
            weights = jnp.sum(spectrum * inside / (ratio + spectrum) ** 2)
            residual = jnp.sum(inside * (ratio / (ratio + spectrum)) ** 2) + outside
            freedom = jnp.sum(spectrum / (ratio + spectrum))
            tiny = jnp.finfo(rows.dtype).tiny
            return freedom / jnp.maximum(weights, tiny), (n - freedom) / jnp.maximum(residual, tiny), weights, residual

        def step(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            ratio, _, steps = state
            alpha, beta, *_ = precisions(ratio)
            return jnp.clip(alpha / beta, 1e-20, 1e20), ratio, steps + 1

        def going(state: tuple[Array, Array, Array]) -> Array:
            ratio, before, steps = state
            return (jnp.abs(ratio - before) > _SETTLED * ratio) & (steps < _MOST_STEPS)

        start = (jnp.ones((), rows.dtype), jnp.zeros((), rows.dtype), jnp.zeros((), jnp.int32))
        ratio = lax.while_loop(going, step, start)[0]
        alpha, beta, weights, residual = precisions(ratio)
        # log α·d − Σ log(α + βσ) with its common part taken out: only the directions that vary are left.
        determinant = -jnp.sum(jnp.log1p(spectrum / ratio))
        fit = n * jnp.log(beta) - beta * residual - alpha * weights - n * jnp.log(2 * jnp.pi)
        return (determinant + fit) / (2 * n)

    values = jax.vmap(evidence)(inside.T, outside)
    return _where_sound(rows, own, num_classes, jnp.mean(values, where=targets.sum(axis=0) > 0))


@compiled("num_classes")
def h_score(features: Float[ArrayLike, "n d"], labels: Integer[ArrayLike, " n"], num_classes: int) -> Float[Array, ""]:
    """H-score: tr(Sigma_T^+ Sigma_B), Sigma_B weighing classes by their samples. From 0 to C - 1.

    Σ_c n_c |mean of U over class c|^2, U the left singular vectors of the centred features, so that no matrix is
    inverted. Where d is near n it is C - 1 whatever the features: see `h_score_shrunk`.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.

    Returns:
        A number of directions.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Bao et al., ICIP 2019, https://arxiv.org/abs/2212.10082, definition 2

    Examples:
        >>> f"{float(h_score(jnp.array([[1.0], [1.0], [-1.0], [-1.0]]), jnp.array([0, 0, 1, 1]), 2)):.4f}"
        '1.0000'
    """
    rows, own = _checked(features, labels, num_classes)
    left, values = _centred_svd(rows)
    sums = jax.ops.segment_sum(left, own, num_classes + 1)[:-1]
    # Beyond rounding: the pseudo-inverse leaves out what is not there.
    there = values > max(rows.shape) * jnp.finfo(rows.dtype).eps * values[0]
    return _where_sound(
        rows, own, num_classes, jnp.sum(jnp.where(there[None, :], sums**2, 0) / _counts(own, num_classes)[:, None])
    )


@compiled("num_classes")
def h_score_shrunk(
    features: Float[ArrayLike, "n d"], labels: Integer[ArrayLike, " n"], num_classes: int
) -> Float[Array, ""]:
    """H-score with Sigma_T shrunk towards a multiple of the identity by Ledoit and Wolf's rule.

    (1 - a) tr(((1 - a) Sigma_T + a s I)^-1 Sigma_B), s = tr Sigma_T/d and a the shrinkage, as scikit-learn's.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.

    Returns:
        At most the plain score.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Ibrahim, Ponomareva, Mazumder, ECML PKDD 2022, https://arxiv.org/abs/2110.06893, section 4.1

    Examples:
        >>> labels = jnp.arange(20) % 2
        >>> features = jnp.sin(jnp.arange(100.0)).reshape(20, 5)
        >>> bool(h_score_shrunk(features, labels, 2) <= h_score(features, labels, 2))
        True
    """
    rows, own = _checked(features, labels, num_classes)
    n, dim = rows.shape
    left, values = _centred_svd(rows)
    # In units of the largest singular value: the score is free of the features' scale.
    values = values / values[0]
    variances = values**2 / n
    mean = variances.sum() / dim
    squares = jnp.sum(variances**2)
    lengths = jnp.sum((left * values[None, :]) ** 2, axis=1)
    spread = (jnp.mean(lengths**2) - squares) / (dim * n)
    target = (squares - dim * mean**2) / dim
    shrinkage = jnp.where(target > 0, jnp.clip(spread / jnp.where(target > 0, target, 1), 0, 1), 1)
    sums = jax.ops.segment_sum(left * values[None, :], own, num_classes + 1)[:-1]
    between = jnp.sum(sums**2 / _counts(own, num_classes)[:, None], axis=0) / n
    kept = (1 - shrinkage) * between / ((1 - shrinkage) * variances + shrinkage * mean)
    return _where_sound(rows, own, num_classes, jnp.sum(jnp.where(between > 0, kept, 0)))


@compiled("num_classes")
def gbc(features: Float[ArrayLike, "n d"], labels: Integer[ArrayLike, " n"], num_classes: int) -> Float[Array, ""]:
    """GBC with spherical covariances: minus the sum over ordered pairs of classes of exp(-Bhattacharyya distance).

    Each class is a Gaussian with variance v_c/d in every direction: distance |D|^2/(4 (s_i + s_j)) + (d/2) ln((s_i +
    s_j)/(2 sqrt(s_i s_j))), s = v/d. The paper reduces features to 64 principal directions first; here they are as
    given.

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.

    Returns:
        At most 0, which means that no classes overlap; not a number where a class does not vary.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Pándy, Agostinelli, Uijlings, Ferrari, Mensink, CVPR 2022, https://arxiv.org/abs/2111.12780

    Examples:
        >>> labels = jnp.arange(40) % 2
        >>> noise = jnp.sin(jnp.arange(40.0))[:, None]
        >>> float(gbc(noise + 50 * labels[:, None], labels, 2)) > -1e-9
        True
    """
    rows, own = _checked(features, labels, num_classes)
    rows = (rows - rows[:1]) / _largest(rows - rows[:1])
    stats = class_stats(rows, own, num_classes, mask=own < num_classes, scatter=False)
    there = stats.counts > 0
    centred = stats.means - jnp.mean(stats.means, axis=0, keepdims=True, where=there[:, None])
    spread = stats.within / jnp.where(there, stats.counts, 1) / rows.shape[1]

    def of_class(own: tuple[Array, Array, Array]) -> Array:
        mean, variance, number = own
        apart = jnp.sum((centred - mean[None, :]) ** 2, axis=1)
        both = spread + variance
        distance = apart / (4 * both) + rows.shape[1] / 2 * jnp.log(both / (2 * jnp.sqrt(spread * variance)))
        others = there & (jnp.arange(num_classes) != number)
        return jnp.sum(jnp.where(others, jnp.exp(-distance), 0))

    overlaps = lax.map(of_class, (centred, spread, jnp.arange(num_classes)))
    varies = jnp.all(jnp.where(there, spread > 0, True))
    return _where_sound(rows, own, num_classes, jnp.where(varies, -jnp.sum(jnp.where(there, overlaps, 0)), jnp.nan))


@compiled("num_classes")
def trans_rate(
    features: Float[ArrayLike, "n d"], labels: Integer[ArrayLike, " n"], num_classes: int
) -> Float[Array, ""]:
    """TransRate: coding rate of the centred features minus the mean over classes of the rate of each class.

    R(Z) = ½ ln det(I + ZᵀZ/(n e)), e = 1e-4, as in the authors' code; of a class too about the mean of all features. It
    depends on the features' scale. O(C n d min(n, d)).

    Args:
        features: [n, d] floats.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.

    Returns:
        Nats.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Huang, Huang, Rong, Yang, Wei, ICML 2022, https://arxiv.org/abs/2106.09362, equation 5

    Examples:
        >>> labels = jnp.arange(40) % 2
        >>> apart = jnp.stack([labels * 4.0 - 2.0, jnp.sin(jnp.arange(40.0))], axis=1)
        >>> bool(trans_rate(apart, labels, 2) > trans_rate(apart[:, 1:], labels, 2))
        True
    """
    rows, own = _checked(features, labels, num_classes)
    rows = rows - rows[:1]
    rows = rows - jnp.mean(rows, axis=0, keepdims=True)
    counts = jax.ops.segment_sum(jnp.ones(own.shape, rows.dtype), own, num_classes + 1)[:-1]

    def rate(part: Array, number: Array) -> Array:
        values = jnp.linalg.svd(part, compute_uv=False)
        return 0.5 * jnp.sum(jnp.log1p(values**2 / (number * _DISTORTION)))

    def of_class(number: Array) -> Array:
        mask = (own == number)[:, None]
        return rate(jnp.where(mask, rows, 0), jnp.maximum(counts[number], 1))

    each = lax.map(of_class, jnp.arange(num_classes))
    whole = rate(jnp.where((own < num_classes)[:, None], rows, 0), counts.sum())
    return _where_sound(rows, own, num_classes, whole - jnp.mean(each, where=counts > 0))


@compiled("num_classes")
def leep(logits: Float[ArrayLike, "n Z"], labels: Integer[ArrayLike, " n"], num_classes: int) -> Float[Array, ""]:
    """LEEP: log likelihood a sample of the target's labels, read off what the source classifier says.

    With t_iz the softmax that sample i has on source class z, and P(y | z) the share of the target class y in all that
    z is given: the mean over i of ln sum_z P(y_i | z) t_iz. O(n (Z + C Z)).

    Args:
        logits: [n, Z] of the source classifier on the target; of given probabilities their logarithms.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of target classes C.

    Returns:
        At most 0. Of a classifier that says the same of all samples it is minus the entropy of the labels.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: Nguyen, Hassner, Seeger, Archambeau, ICML 2020, https://arxiv.org/abs/2002.12462, equation 2

    Examples:
        >>> labels = jnp.arange(40) % 2
        >>> f"{float(leep(jnp.zeros((40, 5)), labels, 2)):.4f}"
        '-0.6931'
        >>> f"{float(leep(50 * jnp.eye(2)[labels], labels, 2)):.4f}"
        '0.0000'
    """
    rows, own = _checked(logits, labels, num_classes, "logits")
    said = jax.nn.softmax(rows, axis=1)
    joint = jax.ops.segment_sum(said, own, num_classes + 1)[:-1]
    marginal = said.sum(axis=0, keepdims=True)
    conditional = joint / jnp.where(marginal > 0, marginal, 1)
    likelihood = jnp.sum(conditional[jnp.minimum(own, num_classes - 1)] * said, axis=1)
    # A logit of minus infinity is a probability of zero; of what is no number no softmax is.
    return _where_sound(said, own, num_classes, jnp.mean(jnp.log(likelihood)))


def _checked(features: ArrayLike, labels: ArrayLike, num_classes: int, name: str = "features") -> tuple[Array, Array]:
    rows = as_float(name, features, ndim=2)
    number = as_count("num_classes", num_classes)
    return rows.astype(single_or_better(rows.dtype)), as_labels(labels, rows.shape[0], number)


def _centred_svd(rows: Float[Array, "n d"]) -> tuple[Float[Array, "n k"], Float[Array, " k"]]:
    rows = rows - rows[:1]
    rows = rows - jnp.mean(rows, axis=0, keepdims=True)
    left, values, _ = jnp.linalg.svd(rows / _largest(rows), full_matrices=False)
    return left, values


def _largest(rows: Float[Array, "n d"]) -> Float[Array, ""]:
    largest = jnp.max(jnp.abs(rows))
    return jnp.where(largest > 0, largest, 1)


def _counts(own: Integer[Array, " n"], num_classes: int) -> Float[Array, " C"]:
    """Samples of each class, at least 1."""
    return jnp.maximum(jax.ops.segment_sum(jnp.ones(own.shape), own, num_classes + 1)[:-1], 1)


def _where_sound(
    rows: Float[Array, "n d"], own: Integer[Array, " n"], num_classes: int, value: Float[Array, ""]
) -> Float[Array, ""]:
    """The value, if every feature is a number and every label one of a class: under a trace that cannot be an error."""
    return jnp.where(jnp.isfinite(rows).all() & (own < num_classes).all(), value, jnp.nan)
