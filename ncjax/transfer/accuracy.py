"""Few-shot accuracy of frozen features over many episodes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from ncjax.metrics.arrays import as_array
from ncjax.metrics.compiled import compiled
from ncjax.transfer.episodes import (
    ArrayLike,
    ClassIndex,
    Episodes,
    EpisodeSpec,
    ScalarInt,
    check_fits,
    chunk_sizes,
    class_index,
    sample_episode,
)
from ncjax.transfer.evaluation import episode_measures, in_turn
from ncjax.transfer.heads import Head, find_head


class FewShotResult(NamedTuple):
    """Accuracy over episodes, with its interval.

    Attributes:
        mean: mean accuracy, in [0, 1].
        ci95: half-width of the 95% t interval of the mean over episodes.
        per_episode: accuracy of each episode, along the last axis.
        gradient_norm: of a head that iterates, the largest over the episodes at which its fit stopped, in the head's
            unit; 0 of a head in closed form, None where it was not asked for.
    """

    mean: Float[Array, "*groups"]
    ci95: Float[Array, "*groups"]
    per_episode: Float[Array, "*groups episodes"]
    gradient_norm: Float[Array, "*groups"] | None = None


class EpisodeResults(NamedTuple):
    """What every head does on every episode.

    Attributes:
        accuracy: in [0, 1]; NaN where a feature of the episode or a score is not finite, as in a diverged network. (The
            nearest means and the logistic head's unit vectors are computed with all features: then all are NaN.)
        gradient_norm: where the fit of a head that iterates stopped, in the head's unit; 0 of a head in closed form.
    """

    accuracy: Float[Array, "heads shots episodes"]
    gradient_norm: Float[Array, "heads shots episodes"]


@compiled("spec")
def episode_results(
    features: Float[ArrayLike, "n d"],
    table: ClassIndex,
    key: PRNGKeyArray,
    spec: EpisodeSpec,
    first: ScalarInt = 0,
    center: Float[ArrayLike, " d"] | None = None,
) -> EpisodeResults:
    """Measures every head at every number of shots on the same randomly drawn episodes.

    Pure; runs under jit (with `spec` static), vmap, lax.map and shard_map, in chunks of bounded memory. Episode i
    depends on fold_in(key, first + i) alone. Equal scores share the credit (a query whose t best ways include the right
    one counts 1/t), so the order of the classes never matters and features that carry nothing score 1/ways.

    Args:
        features: [n, d]; integers and half precision are computed in float32.
        table: `class_index` of the n labels.
        key: a key.
        spec: ways, shots, queries, episodes and heads (static).
        first: number of the first episode: devices or hosts can share the work.
        center: [d], the mean of the source features for the cosine head; by default the mean of `features`.

    Returns:
        Accuracies in [0, 1] and gradient norms, in the order of `spec.heads` and `spec.shots`.

    Raises:
        ValueError: if shapes do not fit, or the data set is too small for the episodes.

    Source: Vinyals et al. 2016, https://arxiv.org/abs/1606.04080.

    Examples:
        >>> import jax, jax.numpy as jnp
        >>> labels = jnp.arange(60) % 6
        >>> features = 100.0 * jax.nn.one_hot(labels, 6)  # fully collapsed
        >>> spec = EpisodeSpec(shots=(1, 5), queries=5, episodes=20, heads=("ncm", "ridge"))
        >>> results = episode_results(features, class_index(labels), jax.random.key(0), spec)
        >>> results.accuracy.mean(axis=2).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    check_fits(table, spec)
    if features.shape[0] != table.order.shape[0]:
        raise ValueError(f"features: {features.shape[0]} rows for a table of {table.order.shape[0]} labels")

    def draw(number: Int[Array, ""]) -> Episodes:
        return sample_episode(table, jax.random.fold_in(key, number + first), spec)

    return _evaluate(features, draw, spec, center)


def episode_accuracies(
    features: Float[ArrayLike, "n d"],
    table: ClassIndex,
    key: PRNGKeyArray,
    spec: EpisodeSpec,
    first: ScalarInt = 0,
    center: Float[ArrayLike, " d"] | None = None,
) -> Float[Array, "heads shots episodes"]:
    """The accuracies of `episode_results` alone, with the same arguments and errors.

    Args:
        features: [n, d].
        table: `class_index` of the n labels.
        key: a key.
        spec: ways, shots, queries, episodes and heads (static).
        first: number of the first episode.
        center: as for `episode_results`.

    Returns:
        Accuracies, in the order of `spec.heads` and `spec.shots`.

    Examples:
        >>> import jax, jax.numpy as jnp
        >>> labels = jnp.arange(40) % 2
        >>> spec = EpisodeSpec(ways=2, shots=(1,), queries=5, episodes=3)
        >>> episode_accuracies(jax.nn.one_hot(labels, 2), class_index(labels), jax.random.key(0), spec).tolist()
        [[[1.0, 1.0, 1.0]]]
    """
    return episode_results(features, table, key, spec, first, center).accuracy


@compiled("spec")
def given_episode_results(
    features: Float[ArrayLike, "n d"],
    episodes: Episodes,
    spec: EpisodeSpec,
    center: Float[ArrayLike, " d"] | None = None,
) -> EpisodeResults:
    """Measures every head at every number of shots on a given list of episodes, for comparison with other software.

    Args:
        features: [n, d].
        episodes: support [episodes, ways, shots] and query [episodes, ways, queries], rows of `features`.
        spec: heads, shots and chunk; its other counts must be those of `episodes` (static).
        center: as for `episode_results`.

    Returns:
        As `episode_results`.

    Raises:
        ValueError: if the episodes' shapes are not those of `spec`.

    Examples:
        >>> import jax.numpy as jnp
        >>> features = jnp.array([[0.0], [0.1], [1.0], [0.2]])
        >>> episodes = Episodes(support=jnp.array([[[0], [2]]]), query=jnp.array([[[1], [3]]]))
        >>> spec = EpisodeSpec(ways=2, shots=(1,), queries=1, episodes=1)
        >>> given_episode_results(features, episodes, spec).accuracy.tolist()
        [[[0.5]]]
    """
    shapes = {
        "support": (spec.episodes, spec.ways, max(spec.shots)),
        "query": (spec.episodes, spec.ways, spec.queries),
    }
    for name, shape in shapes.items():
        if getattr(episodes, name).shape != shape:
            raise ValueError(f"episodes: {name} has shape {getattr(episodes, name).shape}, the spec says {shape}")
    support, query = jnp.asarray(episodes.support), jnp.asarray(episodes.query)
    return _evaluate(features, lambda number: Episodes(support[number], query[number]), spec, center)


def given_episode_accuracies(
    features: Float[ArrayLike, "n d"],
    episodes: Episodes,
    spec: EpisodeSpec,
    center: Float[ArrayLike, " d"] | None = None,
) -> Float[Array, "heads shots episodes"]:
    """The accuracies of `given_episode_results` alone, with the same arguments and errors.

    Args:
        features: [n, d].
        episodes: support and query, rows of `features`.
        spec: heads, shots and chunk; its other counts must be those of `episodes` (static).
        center: as for `episode_results`.

    Returns:
        Accuracies, in the order of `spec.heads` and `spec.shots`.

    Examples:
        >>> import jax.numpy as jnp
        >>> episodes = Episodes(support=jnp.array([[[0], [2]]]), query=jnp.array([[[1], [3]]]))
        >>> spec = EpisodeSpec(ways=2, shots=(1,), queries=1, episodes=1)
        >>> given_episode_accuracies(jnp.array([[0.0], [0.1], [1.0], [0.9]]), episodes, spec).tolist()
        [[[1.0]]]
    """
    return given_episode_results(features, episodes, spec, center).accuracy


def accuracy_interval(
    per_episode: Float[Array, "*groups episodes"], gradient_norm: Float[Array, "*groups episodes"] | None = None
) -> FewShotResult:
    """Averages accuracies over episodes, with the 95% t interval of the mean.

    The interval covers the draw of episodes from these features: with more episodes it shrinks to nothing. It does not
    cover the draw of the classes and samples in the data set nor the training seed.

    Args:
        per_episode: accuracies; episodes along the last axis.
        gradient_norm: where each fit stopped, or None.

    Returns:
        Mean, half-width of the interval (NaN for a single episode), the argument, and the largest gradient norm.

    Examples:
        >>> import jax.numpy as jnp
        >>> result = accuracy_interval(jnp.array([0.5, 0.7, 0.9]))
        >>> f"{result.mean:.3f} ± {result.ci95:.3f}"
        '0.700 ± 0.497'
    """
    episodes = per_episode.shape[-1]
    mean = per_episode.mean(axis=-1)
    worst = None if gradient_norm is None else gradient_norm.max(axis=-1)
    if episodes < 2:
        return FewShotResult(mean, jnp.full_like(mean, jnp.nan), per_episode, worst)
    quantile = float(scipy.special.stdtrit(episodes - 1, 0.975))
    return FewShotResult(mean, quantile * per_episode.std(axis=-1, ddof=1) / episodes**0.5, per_episode, worst)


def few_shot(
    features: ArrayLike,
    labels: ArrayLike,
    key: PRNGKeyArray,
    ways: int = 5,
    shots: int = 5,
    queries: int = 15,
    episodes: int = 10_000,
    head: str | Head = "ncm",
    chunk: int | None = None,
    center: ArrayLike | None = None,
) -> FewShotResult:
    """Measures how well a simple head, fitted to a few samples, classifies features of classes never trained on.

    Called from the host; inside a compiled program use `class_index`, `episode_results` and `accuracy_interval`,
    which this function is made of.

    Args:
        features: floats [n, d].
        labels: integers [n], any values; classes may differ in size.
        key: decides the episodes, whatever the head, the number of shots and the chunk.
        ways: classes an episode.
        shots: supports a class.
        queries: queries a class.
        episodes: number of episodes.
        head: a name in `HEADS` or a head, such as `Ridge(l2=1.0)`.
        chunk: episodes computed at once; by default as many as fit a memory bound.
        center: [d], the mean of the source features for the cosine head; by default the mean of `features`.

    Returns:
        Mean accuracy, half-width of its 95% interval over episodes, accuracy per episode [episodes], largest gradient
        norm of the head's fits.

    Raises:
        ValueError: if shapes do not fit, features are not finite, a count or the head is unknown or out of range, there
            are more ways than classes, or a class has fewer than shots + queries samples.

    Source: Vinyals et al. 2016, https://arxiv.org/abs/1606.04080; 10,000 episodes as in Bertinetto et al.
    2019, https://arxiv.org/abs/1805.08136.

    Examples:
        >>> import jax
        >>> labels = jax.numpy.arange(200) % 10
        >>> noise = jax.random.normal(jax.random.key(0), (200, 8))
        >>> result = few_shot(noise, labels, jax.random.key(1), episodes=200)
        >>> bool(abs(result.mean - 0.2) < 0.05)
        True
    """
    spec = EpisodeSpec(ways=ways, shots=(shots,), queries=queries, episodes=episodes, heads=(head,), chunk=chunk)
    table = class_index(labels)
    rows = checked_features(features, table.order.shape[0])
    middle = None if center is None else as_array("center", center).astype(rows.dtype)
    if middle is not None and middle.shape != rows.shape[1:]:
        raise ValueError(f"center: needs shape {rows.shape[1:]} as one row of the features, got {middle.shape}")
    if middle is not None and not bool(jnp.isfinite(middle).all()):
        raise ValueError("center: holds numbers that are not finite")
    return _compiled_few_shot(rows, table, key, spec, middle)


@partial(jax.jit, static_argnames="spec")
def _compiled_few_shot(
    features: Float[Array, "n d"],
    table: ClassIndex,
    key: PRNGKeyArray,
    spec: EpisodeSpec,
    center: Float[Array, " d"] | None,
) -> FewShotResult:
    results = episode_results(features, table, key, spec, center=center)
    return accuracy_interval(results.accuracy[0, 0], results.gradient_norm[0, 0])


def checked_features(features: ArrayLike, num_labels: int) -> Array:
    """Features as floats on the device, or one clear line, on the host.

    Args:
        features: [n, d].
        num_labels: n.

    Returns:
        Floats [n, d]; integers become float32.

    Raises:
        ValueError: if it is no array of numbers, the shape does not fit or a value is not finite.

    Examples:
        >>> checked_features(np.ones((2, 3), int), 2).dtype
        dtype('float32')
    """
    rows = _matrix(features)
    if rows.shape[0] != num_labels:
        raise ValueError(f"features: {rows.shape[0]} rows for {num_labels} labels")
    if not jnp.issubdtype(rows.dtype, jnp.floating):
        rows = rows.astype(jnp.float32)
    bad = np.flatnonzero(~np.asarray(jnp.isfinite(rows).all(axis=1)))
    if bad.size:
        raise ValueError(f"features: {bad.size} of {num_labels} rows are not finite (the first: row {bad[0]})")
    return rows


def _matrix(features: ArrayLike) -> Shaped[Array, "n d"]:
    rows = as_array("features", features)
    if rows.ndim != 2 or not rows.shape[1]:
        raise ValueError(
            f"features: need shape [n, d] with d of at least 1, got {rows.shape}; flatten or pool what is more than a "
            "vector"
        )
    if jnp.issubdtype(rows.dtype, jnp.complexfloating):
        raise ValueError(f"features: need real numbers, got {rows.dtype}")
    return rows


def _evaluate(
    features: Float[ArrayLike, "n d"],
    draw: Callable[[Int[Array, ""]], Episodes],
    spec: EpisodeSpec,
    center: Float[ArrayLike, " d"] | None,
) -> EpisodeResults:
    rows = _matrix(features)
    dtype = jnp.promote_types(rows.dtype, jnp.float32)
    rows = rows.astype(dtype)
    center = None if center is None else jnp.asarray(center, dtype)
    heads = [find_head(head) for head in spec.heads]
    prepared = [head.prepare(rows, center) for head in heads]
    finite = jnp.isfinite(rows).all(axis=1)

    def evaluate(numbers: Int[Array, " chunk"]) -> Float[Array, "heads shots chunk measures"]:
        episodes = jax.vmap(draw)(numbers)
        return in_turn(
            [
                partial(episode_measures, head, seen, finite, spec.shots)
                for head, seen in zip(heads, prepared, strict=True)
            ],
            episodes,
        )

    num_chunks, chunk = chunk_sizes(spec, rows.shape[1], dtype.itemsize)
    numbers = jnp.arange(num_chunks * chunk).reshape(num_chunks, chunk)
    measures = jnp.moveaxis(jax.lax.map(evaluate, numbers), 0, 2)
    by_episode = measures.reshape(len(heads), len(spec.shots), -1, 2)[:, :, : spec.episodes]
    return EpisodeResults(by_episode[..., 0], by_episode[..., 1])
