"""Probes of frozen features on all of their labels: linear classifiers and nearest neighbours."""

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ncjax.metrics.arrays import ArrayLike, as_count, as_float, as_labels
from ncjax.metrics.compiled import compiled
from ncjax.transfer.credit import credit
from ncjax.transfer.logistic import fit_logistic, logits
from ncjax.transfer.options import is_positive
from ncjax.transfer.precision import matmul

ProbeHead = Literal["logistic", "ridge"]
PROBE_L2 = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class ProbeResult(NamedTuple):
    """What a linear probe found.

    Attributes:
        accuracy: on the test features, in [0, 1]; equal scores share the credit. NaN where features are not finite.
        l2: the λ that the validation split chose; of equally good ones the largest.
        gradient_norm: of the last fit, where it stopped: below the tolerance if it converged.
        validation_accuracy: at each λ, in the order in which they were given.
    """

    accuracy: Float[Array, ""]
    l2: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    validation_accuracy: Float[Array, " l2s"]


@compiled("num_classes", "head", "standardise", "l2", "validation", "tolerance", "max_steps")
def linear_probe(
    train_features: ArrayLike,
    train_labels: ArrayLike,
    test_features: ArrayLike,
    test_labels: ArrayLike,
    num_classes: int,
    key: PRNGKeyArray,
    head: str = "logistic",
    standardise: bool = True,
    l2: tuple[float, ...] = PROBE_L2,
    validation: float = 0.2,
    tolerance: float = 1e-4,
    max_steps: int = 500,
) -> ProbeResult:
    """Accuracy of a linear classifier fitted to all train features, its λ chosen on a split of them.

    Pure; runs under jit and vmap. A random share of the train features is set aside, every λ is fitted to the rest, the
    best is fitted again to all. With C classes, n samples, an intercept b without penalty and one-hot targets y, the
    fit minimises (1/n) Σ_i CE(Wᵀx_i + b, y_i) + (λ/2)‖W‖² (`logistic`; scikit-learn's `LogisticRegression` with
    C = 1/(λn)) or (1/n) Σ_i ‖Wᵀx_i + b − y_i‖² + λ‖W‖² (`ridge`; scikit-learn's `Ridge` with alpha = λn).

    Before that the features are centred by the mean of the train features and divided by their standard deviation:
    each feature by its own if `standardise` (a constant one stays zero), else all by one number, the root of the mean
    variance, so that λ means the same at any scale. The two can disagree: a direction that within-class collapse has
    made small is cheap to use only after standardising.

    Args:
        train_features: [n, d].
        train_labels: [n], 0 to C − 1.
        test_features: [m, d].
        test_labels: [m].
        num_classes: C.
        key: draws the validation split.
        head: `logistic` or `ridge`.
        standardise: each feature by its own standard deviation, or all by one.
        l2: the λ to choose from, all positive.
        validation: share of the train features set aside, above 0 and below 1.
        tolerance: of the gradient norm at which a logistic fit stops, in units of the sum of the samples' own.
        max_steps: of L-BFGS, for each λ.

    Returns:
        Test accuracy, the chosen λ, the gradient norm of the last fit, the validation accuracies.

    Raises:
        ValueError: if shapes do not fit, a concrete label is out of range, or an option is unknown or out of range.

    Source: linear probes: Alain, Bengio 2016, https://arxiv.org/abs/1610.01644; on coarsely trained features Hui et al.
    2022, https://arxiv.org/abs/2202.08384.

    Examples:
        >>> labels = jnp.arange(60) % 3
        >>> features = jax.nn.one_hot(labels, 3)
        >>> probe = jax.jit(linear_probe, static_argnames=("num_classes", "head", "l2"))
        >>> result = probe(features, labels, features, labels, 3, jax.random.key(0), head="ridge", l2=(1e-3, 1e-1))
        >>> float(result.accuracy)
        1.0
    """
    if head not in get_args(ProbeHead):
        raise ValueError(f"head: got {head!r}, expected one of {', '.join(get_args(ProbeHead))}")
    if not isinstance(l2, tuple | list) or not l2 or not all(map(is_positive, l2)):
        raise ValueError(f"l2: needs positive, finite numbers in a tuple, such as (0.001, 0.1), got {l2!r}")
    if not is_positive(validation) or not is_positive(tolerance):
        raise ValueError(f"validation, tolerance: need positive, finite numbers, got {validation!r}, {tolerance!r}")
    max_steps = as_count("max_steps", max_steps)
    num_classes = as_count("num_classes", num_classes)
    train, labels, test, test_labels = _checked(train_features, train_labels, test_features, test_labels, num_classes)
    held_out = round(train.shape[0] * validation)
    if not 0 < held_out < train.shape[0]:
        raise ValueError(
            f"validation: a share of {validation} of {train.shape[0]} train features leaves one side of the split "
            "empty; expected a number between 0 and 1"
        )
    train, test = _scaled(train, test, standardise)
    fitted = jax.random.permutation(key, train.shape[0]) >= held_out
    targets = jax.nn.one_hot(labels, num_classes, dtype=train.dtype)
    counted = (labels < num_classes).astype(train.dtype)

    def validation_accuracy(params: Float[Array, "dplus classes"]) -> Float[Array, ""]:
        return _accuracy(logits(params, train), labels, counted * ~fitted)

    def weights(rows: Float[Array, " n"]) -> Float[Array, " n"]:
        return rows / rows.sum()

    # From the strongest penalty to the weakest: each fit begins where the one before ended.
    descending = sorted(range(len(l2)), key=lambda index: -l2[index])
    strengths = jnp.array([l2[index] for index in descending], train.dtype)
    if head == "ridge":
        params = fit_ridge(train, targets, weights(counted * fitted), strengths)
        accuracies = jax.lax.map(validation_accuracy, params)
        chosen = strengths[jnp.argmax(accuracies)]
        params = fit_ridge(train, targets, weights(counted), chosen[None])[0]
        gradient_norm = _ridge_residual(train, targets, weights(counted), chosen, params)
    else:

        def fit(carry: tuple, strength: Array) -> tuple[tuple, tuple]:
            params, best, chosen = carry
            last = jnp.isnan(strength)  # marks the last fit: the best λ, all samples
            rows = counted * (fitted | last)
            strength = jnp.where(last, chosen, strength)
            minimum = fit_logistic(train, targets, weights(rows), strength, params, tolerance, max_steps)
            accuracy = validation_accuracy(minimum.params)
            better = (accuracy > best) & ~last
            carry = (minimum.params, jnp.where(better, accuracy, best), jnp.where(better, strength, chosen))
            return carry, (accuracy, minimum.gradient_norm)

        # One loop holds all fits, the last included, so that the program holds the minimisation once.
        start = jnp.zeros((train.shape[1] + 1, num_classes), train.dtype)
        first = (start, jnp.array(-1.0, train.dtype), strengths[0])
        steps = jnp.append(strengths, jnp.nan)
        (params, _, chosen), (accuracies, norms) = jax.lax.scan(fit, first, steps)
        accuracies, gradient_norm = accuracies[:-1], norms[-1]
    accuracy = _accuracy(logits(params, test), test_labels, (test_labels < num_classes).astype(train.dtype))
    finite = jnp.isfinite(train).all() & jnp.isfinite(test).all() & jnp.isfinite(gradient_norm)
    order = jnp.array([descending.index(index) for index in range(len(l2))])
    accuracy, chosen = (jnp.where(finite, value, jnp.nan) for value in (accuracy, chosen))
    return ProbeResult(accuracy, chosen, gradient_norm, accuracies[order])


def fit_ridge(
    samples: Float[Array, "n d"],
    targets: Float[Array, "n classes"],
    weights: Float[Array, " n"],
    l2: Float[Array, " l2s"],
) -> Float[Array, "l2s dplus classes"]:
    """Minimises Σ_i w_i‖Wᵀx_i + b − y_i‖² + λ‖W‖² for several λ by one eigendecomposition. O(n d² + d³).

    Args:
        samples: [n, d].
        targets: [n, C].
        weights: [n], summing to 1.
        l2: the λ.

    Returns:
        For each λ [d + 1, C], the intercept b in the last row.

    Examples:
        >>> fit_ridge(jnp.array([[-1.0], [1.0]]), jnp.eye(2), jnp.full(2, 0.5), jnp.array([1.0]))[0].round(4).tolist()
        [[-0.25, 0.25], [0.5, 0.5]]
    """
    mean, target_mean, covariance, products = _moments(samples, targets, weights)
    eigenvalues, vectors = jnp.linalg.eigh(covariance)
    along = matmul(vectors.T, products)

    def solve(strength: Array) -> Array:
        kernel = matmul(vectors, along / (jnp.maximum(eigenvalues, 0) + strength)[:, None])
        return jnp.concatenate([kernel, (target_mean - matmul(mean[None, :], kernel)[0])[None, :]])

    return jax.lax.map(solve, l2)


@compiled("num_classes", "neighbours", "standardise", "chunk")
def knn_accuracy(
    train_features: ArrayLike,
    train_labels: ArrayLike,
    test_features: ArrayLike,
    test_labels: ArrayLike,
    num_classes: int,
    neighbours: int = 5,
    standardise: bool = False,
    chunk: int = 256,
) -> Float[Array, ""]:
    """Accuracy of a vote among the nearest train features in Euclidean distance.

    Pure; runs under jit and vmap. Distances are taken relative to the class mean nearest to the query, so that
    neighbours within a class are told apart at deep collapse, where |q|² − 2qᵀt + |t|² would lose them to rounding.

    Args:
        train_features: [n, d].
        train_labels: [n], 0 to C − 1.
        test_features: [m, d].
        test_labels: [m].
        num_classes: C.
        neighbours: how many vote, from 1 to n; classes with equally many votes share the credit.
        standardise: whether each feature is divided by its standard deviation over the train features.
        chunk: queries at once; memory is chunk times n numbers.

    Returns:
        Accuracy in [0, 1]; NaN where features are not finite.

    Raises:
        ValueError: if shapes do not fit, a concrete label is out of range, or `neighbours` is.

    Source: Cover, Hart 1967, https://doi.org/10.1109/TIT.1967.1053964.

    Examples:
        >>> features, labels = jnp.array([[0.0], [1.0], [5.0], [6.0]]), jnp.array([0, 0, 1, 1])
        >>> float(knn_accuracy(features, labels, jnp.array([[0.4], [4.9]]), jnp.array([0, 1]), 2, neighbours=1))
        1.0
    """
    num_classes = as_count("num_classes", num_classes)
    train, labels, test, test_labels = _checked(train_features, train_labels, test_features, test_labels, num_classes)
    chunk = as_count("chunk", chunk)
    whole = isinstance(neighbours, int | np.integer) and not isinstance(neighbours, bool)
    if not whole or not 1 <= neighbours <= train.shape[0]:
        raise ValueError(
            f"neighbours: got {neighbours!r}, expected a whole number from 1 to {train.shape[0]}, the number of train "
            "features"
        )
    train, test = _scaled(train, test, standardise)
    votes_of = jax.nn.one_hot(labels, num_classes, dtype=train.dtype)
    counts = votes_of.sum(axis=0)
    means = matmul(votes_of.T, train) / jnp.maximum(counts, 1)[:, None]
    own = jnp.minimum(labels, num_classes - 1)
    residuals = train - means[own]
    from_means = jax.lax.map(lambda mean: jnp.sum((train - mean[None, :]) ** 2, axis=1), means)
    there = labels < num_classes

    def votes(query: Float[Array, " d"]) -> Float[Array, " classes"]:
        near = jnp.argmin(jnp.where(counts > 0, jnp.sum((means - query[None, :]) ** 2, axis=1), jnp.inf))
        offset = query - means[near]
        products = matmul(residuals, offset[:, None])[:, 0]
        between = matmul(means - means[near][None, :], offset[:, None])[:, 0]
        distances = from_means[near] - 2 * (products + between[own])
        _, nearest = jax.lax.top_k(jnp.where(there, -distances, -jnp.inf), neighbours)
        return votes_of[nearest].sum(axis=0)

    scores = jax.lax.map(votes, test, batch_size=min(chunk, test.shape[0]))
    accuracy = _accuracy(scores, test_labels, (test_labels < num_classes).astype(train.dtype))
    return jnp.where(jnp.isfinite(train).all() & jnp.isfinite(test).all(), accuracy, jnp.nan)


def _checked(
    train: ArrayLike, train_labels: ArrayLike, test: ArrayLike, test_labels: ArrayLike, num_classes: int
) -> tuple[Array, Array, Array, Array]:
    train, test = as_float("train_features", train, ndim=2), as_float("test_features", test, ndim=2)
    if train.shape[1] != test.shape[1]:
        raise ValueError(f"test_features: got {test.shape[1]} columns, expected the {train.shape[1]} of train_features")
    if not train.size or not test.size:
        raise ValueError(
            "train_features and test_features: need at least one row and one column each, got shapes "
            f"{train.shape} and {test.shape}"
        )
    labels = []
    for name, values, rows in (("train", train_labels, train.shape[0]), ("test", test_labels, test.shape[0])):
        try:
            labels.append(as_labels(values, rows, num_classes))
        except ValueError as error:
            raise ValueError(f"{name}_{error}") from None
    return train, labels[0], test.astype(train.dtype), labels[1]


def _scaled(train: Array, test: Array, standardise: bool) -> tuple[Array, Array]:
    """Both centred by the train mean and divided by the train standard deviation, of each feature or of all."""
    # First by the range, since squares of very small or large features leave the range of float32.
    mean = train.mean(axis=0)
    train, test = train - mean[None, :], test - mean[None, :]
    largest = jnp.max(jnp.abs(train), axis=0) if standardise else jnp.max(jnp.abs(train))[None]
    # What is left of a constant feature is rounding, and must not be blown up.
    noise = 8 * jnp.finfo(train.dtype).eps * (jnp.abs(mean) if standardise else jnp.max(jnp.abs(mean))[None])
    constant = largest <= noise
    unit = jnp.where(constant, 1, largest)[None, :]
    ranged = train / unit
    variance = jnp.mean(ranged**2, axis=0) if standardise else jnp.mean(ranged**2)[None]
    std = unit * jnp.sqrt(jnp.where(constant, 1, variance))[None, :]
    # A constant train feature has nothing to tell, whatever it is on test.
    return tuple(jnp.where(constant[None, :], 0, part / std) for part in (train, test))  # type: ignore[return-value]


def _moments(samples: Array, targets: Array, weights: Array) -> tuple[Array, Array, Array, Array]:
    mean, target_mean = weights @ samples, weights @ targets
    centred = samples - mean[None, :]
    weighted = (centred * weights[:, None]).T
    return mean, target_mean, matmul(weighted, centred), matmul(weighted, targets - target_mean[None, :])


def _ridge_residual(samples: Array, targets: Array, weights: Array, l2: Array, params: Array) -> Array:
    """Norm of the normal equations' residual, in units of their right-hand side."""
    _, _, covariance, products = _moments(samples, targets, weights)
    residual = jnp.linalg.norm(matmul(covariance, params[:-1]) + l2 * params[:-1] - products)
    return jnp.where(residual == 0, 0, residual / jnp.linalg.norm(products))


def _accuracy(scores: Float[Array, "n classes"], labels: Int[Array, " n"], counted: Float[Array, " n"]) -> Array:
    """Mean credit over the rows that count; a label outside of the classes is of none."""
    shares = credit(scores, jnp.minimum(labels, scores.shape[1] - 1))
    return jnp.sum(jnp.where(counted > 0, counted * shares, 0)) / jnp.sum(counted)
