"""Choosing a head, such as the λ of ridge regression, on episodes of validation classes."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ncjax.transfer.accuracy import checked_features, episode_accuracies
from ncjax.transfer.episodes import ArrayLike, ClassIndex, EpisodeSpec, class_index
from ncjax.transfer.heads import Head, Ridge, find_head

# λ in units of the features' mean squared coordinate, so that the grid suits features of any scale.
RIDGE_HEADS: tuple[Head, ...] = tuple(Ridge(l2=10.0**power, relative=True) for power in range(-2, 5))


class ChosenHead(NamedTuple):
    """What a choice came to.

    Attributes:
        head: the best.
        accuracy: mean validation accuracy of every candidate, in their order.
    """

    head: Head
    accuracy: Float[Array, " heads"]


def choose_head(
    features: ArrayLike,
    labels: ArrayLike,
    key: PRNGKeyArray,
    heads: tuple[str | Head, ...] = RIDGE_HEADS,
    ways: int = 5,
    shots: int = 5,
    queries: int = 15,
    episodes: int = 1_000,
) -> ChosenHead:
    """Chooses the head with the highest mean accuracy on episodes of validation classes; all see the same episodes.

    Give it classes that are neither trained on nor reported on. Called from the host.

    Args:
        features: floats [n, d] of the validation classes.
        labels: integers [n].
        key: decides the episodes.
        heads: the candidates, by default ridge regression with λ from 0.01 to 10,000 times the mean squared coordinate.
        ways: classes an episode.
        shots: supports a class.
        queries: queries a class.
        episodes: number of episodes.

    Returns:
        The best head, the first of equals, and every candidate's accuracy.

    Raises:
        ValueError: as `few_shot`.

    Examples:
        >>> import jax
        >>> labels = jax.numpy.arange(60) % 3
        >>> features = jax.nn.one_hot(labels, 3) + jax.random.normal(jax.random.key(0), (60, 3))
        >>> chosen = choose_head(features, labels, jax.random.key(1), ways=3, heads=("ncm", "ridge"), episodes=20)
        >>> chosen.accuracy.shape
        (2,)
    """
    spec = EpisodeSpec(ways=ways, shots=(shots,), queries=queries, episodes=episodes, heads=tuple(heads))
    table = class_index(labels)
    accuracy = _mean_accuracies(checked_features(features, table.order.shape[0]), table, key, spec)
    head = spec.heads[int(jnp.where(jnp.isnan(accuracy), -1, accuracy).argmax())]
    return ChosenHead(find_head(head), accuracy)


@partial(jax.jit, static_argnames="spec")
def _mean_accuracies(
    features: Float[Array, "n d"], table: ClassIndex, key: PRNGKeyArray, spec: EpisodeSpec
) -> Float[Array, " heads"]:
    return episode_accuracies(features, table, key, spec)[:, 0].mean(axis=-1)
