"""What a head makes of episodes: accuracy and gradient norm, one number of shots after the other."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ncjax.transfer.credit import credit
from ncjax.transfer.episodes import Episodes
from ncjax.transfer.heads import Head, IterativeHead


def in_turn(functions: list[Callable[[Any], Array]], argument: Any) -> Float[Array, "functions ..."]:
    """The stacked values of functions, one computed after the other.

    On CPUs XLA runs what does not depend on each other at once. Each batched factorisation of LAPACK then waits, in a
    thread of the pool, for work that it gave to the pool: as many of them as there are threads would wait for ever.
    """
    if len(functions) == 1:
        return functions[0](argument)[None]
    return jax.lax.map(lambda index: jax.lax.switch(index, functions, argument), jnp.arange(len(functions)))


def episode_measures(
    head: Head,
    features: Float[Array, "n d"],
    finite: Bool[Array, " n"],
    shots: tuple[int, ...],
    episodes: Episodes,
) -> Float[Array, "shots chunk measures"]:
    """Accuracy and gradient norm of a head in each episode at each number of shots."""
    chunk, ways, queries = episodes.query.shape
    support = features[episodes.support]
    whole = finite[episodes.support], finite[episodes.query].all(axis=(1, 2))
    query = features[episodes.query].reshape(chunk, ways * queries, -1)

    def measure(
        few: int, rows: tuple[Float[Array, "ways shots d"], Float[Array, "queries d"], Bool[Array, "ways shots"], Array]
    ) -> Float[Array, " measures"]:
        support, query = rows[0][:, :few], rows[1]
        if isinstance(head, IterativeHead):
            scores, gradient_norm = head.solve(support, query)
        else:
            scores, gradient_norm = head.scores(support, query), jnp.zeros((), features.dtype)
        sound = rows[2][:, :few].all() & rows[3] & jnp.isfinite(scores).all()
        accuracy = jnp.where(sound, jnp.mean(credit(scores, jnp.repeat(jnp.arange(ways), queries))), jnp.nan)
        return jnp.stack([accuracy, gradient_norm])

    return in_turn([jax.vmap(partial(measure, few)) for few in shots], (support, query, *whole))
