"""Few-shot accuracy of frozen features over many episodes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats
from jaxtyping import Array, Float, Int, PRNGKeyArray

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
from ncjax.transfer.heads import Head, find_head


class FewShotResult(NamedTuple):
    """Accuracy over episodes, with its interval.

    Attributes:
        mean: mean accuracy, in [0, 1].
        ci95: half-width of the 95% t interval of the mean over episodes.
        per_episode: accuracy of each episode, along the last axis.
    """

    mean: Float[Array, "*groups"]
    ci95: Float[Array, "*groups"]
    per_episode: Float[Array, "*groups episodes"]


def episode_accuracies(
    features: Float[ArrayLike, "n d"],
    table: ClassIndex,
    key: PRNGKeyArray,
    spec: EpisodeSpec,
    first: ScalarInt = 0,
    center: Float[ArrayLike, " d"] | None = None,
) -> Float[Array, "heads shots episodes"]:
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
        Accuracies in [0, 1], in the order of `spec.heads` and `spec.shots`. NaN where a score is not finite, as when
        a diverged network's features are not.

    Raises:
        ValueError: if shapes do not fit, or the data set is too small for the episodes.

    Source: Vinyals et al. 2016, https://arxiv.org/abs/1606.04080.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> labels = jnp.arange(60) % 6
        >>> features = 100.0 * jax.nn.one_hot(labels, 6)  # fully collapsed
        >>> spec = EpisodeSpec(shots=(1, 5), queries=5, episodes=20, heads=("ncm", "ridge"))
        >>> episode_accuracies(features, class_index(labels), jax.random.key(0), spec).mean(axis=2).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    check_fits(table, spec)
    if features.shape[0] != table.order.shape[0]:
        raise ValueError(f"features: {features.shape[0]} rows for a table of {table.order.shape[0]} labels")

    def draw(number: Int[Array, ""]) -> Episodes:
        return sample_episode(table, jax.random.fold_in(key, number + first), spec)

    return _evaluate(features, draw, spec, center)


def given_episode_accuracies(
    features: Float[ArrayLike, "n d"],
    episodes: Episodes,
    spec: EpisodeSpec,
    center: Float[ArrayLike, " d"] | None = None,
) -> Float[Array, "heads shots episodes"]:
    """Measures every head at every number of shots on a given list of episodes, for comparison with other software.

    Args:
        features: [n, d].
        episodes: support [episodes, ways, shots] and query [episodes, ways, queries], rows of `features`.
        spec: heads, shots and chunk; its other counts must be those of `episodes` (static).
        center: as for `episode_accuracies`.

    Returns:
        Accuracies as `episode_accuracies` returns them.

    Raises:
        ValueError: if the episodes' shapes are not those of `spec`.

    Example:
        >>> import jax.numpy as jnp
        >>> features = jnp.array([[0.0], [0.1], [1.0], [0.2]])
        >>> episodes = Episodes(support=jnp.array([[[0], [2]]]), query=jnp.array([[[1], [3]]]))
        >>> spec = EpisodeSpec(ways=2, shots=(1,), queries=1, episodes=1)
        >>> given_episode_accuracies(features, episodes, spec).tolist()
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


def accuracy_interval(per_episode: Float[Array, "*groups episodes"]) -> FewShotResult:
    """Averages accuracies over episodes, with the 95% t interval of the mean.

    The interval covers the draw of episodes from these features: with more episodes it shrinks to nothing. It does not
    cover the draw of the classes and samples in the data set nor the training seed.

    Args:
        per_episode: accuracies; episodes along the last axis.

    Returns:
        Mean, half-width of the interval (NaN for a single episode) and the argument.

    Example:
        >>> import jax.numpy as jnp
        >>> result = accuracy_interval(jnp.array([0.5, 0.7, 0.9]))
        >>> f"{result.mean:.3f} ± {result.ci95:.3f}"
        '0.700 ± 0.497'
    """
    episodes = per_episode.shape[-1]
    mean = per_episode.mean(axis=-1)
    if episodes < 2:
        return FewShotResult(mean, jnp.full_like(mean, jnp.nan), per_episode)
    quantile = float(scipy.stats.t.ppf(0.975, episodes - 1))
    return FewShotResult(mean, quantile * per_episode.std(axis=-1, ddof=1) / episodes**0.5, per_episode)


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

    Called from the host; inside a compiled program use `class_index`, `episode_accuracies` and `accuracy_interval`,
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
        Mean accuracy, half-width of its 95% interval over episodes, accuracy per episode [episodes].

    Raises:
        ValueError: if shapes do not fit, features are not finite, a count or the head is unknown or out of range, there
            are more ways than classes, or a class has fewer than shots + queries samples.

    Source: Vinyals et al. 2016, https://arxiv.org/abs/1606.04080; 10,000 episodes as in Bertinetto et al.
    2019, https://arxiv.org/abs/1805.08136.

    Example:
        >>> import jax
        >>> labels = jax.numpy.arange(200) % 10
        >>> noise = jax.random.normal(jax.random.key(0), (200, 8))
        >>> result = few_shot(noise, labels, jax.random.key(1), episodes=200)
        >>> bool(abs(result.mean - 0.2) < 0.05)
        True
    """
    spec = EpisodeSpec(ways=ways, shots=(shots,), queries=queries, episodes=episodes, heads=(head,), chunk=chunk)
    table = class_index(labels)
    rows = _checked_features(features, table.order.shape[0])
    middle = None if center is None else jnp.asarray(center, rows.dtype)
    if middle is not None and middle.shape != rows.shape[1:]:
        raise ValueError(f"center: needs shape {rows.shape[1:]} as one row of the features, got {middle.shape}")
    return _compiled_few_shot(rows, table, key, spec, middle)


@partial(jax.jit, static_argnames="spec")
def _compiled_few_shot(
    features: Float[Array, "n d"],
    table: ClassIndex,
    key: PRNGKeyArray,
    spec: EpisodeSpec,
    center: Float[Array, " d"] | None,
) -> FewShotResult:
    return accuracy_interval(episode_accuracies(features, table, key, spec, center=center)[0, 0])


def _checked_features(features: ArrayLike, num_labels: int) -> Array:
    rows = jnp.asarray(features)
    if rows.ndim != 2:
        raise ValueError(f"features: need shape [n, d], got {rows.shape}; flatten or pool what is more than a vector")
    if rows.shape[0] != num_labels:
        raise ValueError(f"features: {rows.shape[0]} rows for {num_labels} labels")
    if not jnp.issubdtype(rows.dtype, jnp.floating):
        rows = rows.astype(jnp.float32)
    bad = np.flatnonzero(~np.asarray(jnp.isfinite(rows).all(axis=1)))
    if bad.size:
        raise ValueError(f"features: {bad.size} of {num_labels} rows are not finite (the first: row {bad[0]})")
    return rows


def _evaluate(
    features: Float[ArrayLike, "n d"],
    draw: Callable[[Int[Array, ""]], Episodes],
    spec: EpisodeSpec,
    center: Float[ArrayLike, " d"] | None,
) -> Float[Array, "heads shots episodes"]:
    dtype = jnp.promote_types(features.dtype, jnp.float32)
    features = jnp.asarray(features, dtype)
    center = None if center is None else jnp.asarray(center, dtype)
    heads = [find_head(head) for head in spec.heads]
    prepared = [head.prepare(features, center) for head in heads]

    def evaluate(number: Int[Array, ""]) -> Float[Array, "heads shots"]:
        episode = draw(number)
        return jnp.stack(
            [_accuracies(head, rows, episode, spec.shots) for head, rows in zip(heads, prepared, strict=True)]
        )

    num_chunks, chunk = chunk_sizes(spec, features.shape[1], dtype.itemsize)
    numbers = jnp.arange(num_chunks * chunk).reshape(num_chunks, chunk)
    accuracies = jax.lax.map(jax.vmap(evaluate), numbers)
    return jnp.moveaxis(accuracies.reshape(-1, len(heads), len(spec.shots))[: spec.episodes], 0, -1)


def _accuracies(
    head: Head, features: Float[Array, "n d"], episode: Episodes, shots: tuple[int, ...]
) -> Float[Array, " shots"]:
    ways, queries = episode.query.shape
    support = features[episode.support]
    query = features[episode.query].reshape(ways * queries, -1)
    return jnp.stack([_credit(head.scores(support[:, :few], query).reshape(ways, queries, ways)) for few in shots])


def _credit(scores: Float[Array, "ways queries ways"]) -> Float[Array, ""]:
    """Mean accuracy; the true way of scores[w] is w, and the best ways of a query share its credit."""
    best = scores == scores.max(axis=-1, keepdims=True)
    right = jnp.diagonal(best, axis1=0, axis2=2)
    accuracy = jnp.mean(right / best.sum(axis=-1).T)
    return jnp.where(jnp.isfinite(scores).all(), accuracy, jnp.nan)
