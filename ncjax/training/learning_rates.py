"""How the learning rate changes in the course of a run."""

import itertools
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from ncjax.options import option

ScheduleName = Literal["constant", "steps", "cosine"]


@dataclass(frozen=True)
class Schedule:
    """A learning-rate schedule; frozen and hashable. Made by ``make_schedule``.

    Attributes:
        epochs: length of training; 0 for a constant rate, which does not depend on it.
    """

    name: ScheduleName = option(
        "constant",
        "steps multiplies the rate by decay_factor at decay_at; cosine is half a cosine from the end "
        "of warm-up, at 1, to the end of training, at 0",
        choices=get_args(ScheduleName),
        key="train.schedule",
        axis="schedule",
    )
    epochs: float = 0.0
    decay_at: tuple[float, ...] = option(
        (), "ascending fractions of training at which schedule steps falls (arXiv 2008.08186)", config=(1 / 3, 2 / 3)
    )
    decay_factor: float = option(1.0, "above 0: what schedule steps multiplies the rate by", config=0.1)


def make_schedule(
    name: str, epochs: float | int, decay_at: tuple[float, ...] = (1 / 3, 2 / 3), decay_factor: float | int = 0.1
) -> Schedule:
    """Makes a schedule, without whatever does not matter to it.

    Runs whose schedules are equal can share a program: a constant rate is the same however long training is.

    Args:
        name: ``constant``, ``steps`` or ``cosine``.
        epochs: length of training, above 0.
        decay_at: of ``steps``: fractions of training at which the rate falls. The default is that of Papyan, Han &
            Donoho 2020 (arXiv 2008.08186): a tenth at one and at two thirds.
        decay_factor: of ``steps``: what the rate is then multiplied by.

    Returns:
        The schedule.

    Raises:
        ValueError: if the name is none of the three, or a number is out of range.

    Examples:
        >>> make_schedule("constant", epochs=30) == make_schedule("constant", epochs=60)
        True
    """
    if name not in get_args(ScheduleName):
        raise ValueError(f"schedule: got {name!r}, expected one of {', '.join(get_args(ScheduleName))}")
    if name == "constant":
        return Schedule()
    if name == "cosine":
        return Schedule("cosine", float(epochs))
    numbers = all(isinstance(at, int | float) and not isinstance(at, bool) and 0 < at < 1 for at in decay_at)
    if not decay_at or not numbers or not all(a < b for a, b in itertools.pairwise(decay_at)):
        raise ValueError(f"decay_at: got {tuple(decay_at)}, expected ascending fractions of training between 0 and 1")
    if not 0 < decay_factor < np.inf:
        raise ValueError(f"decay_factor: got {decay_factor}, expected a number above 0")
    return Schedule("steps", float(epochs), tuple(float(at) for at in decay_at), float(decay_factor))


def learning_rate_factor(
    schedule: Schedule, warmup_epochs: Any, step: Int[Array, ""], steps_per_epoch: int
) -> Float[Array, ""]:
    """What the learning rate of a step is multiplied by.

    Args:
        schedule: static.
        warmup_epochs: may be traced; in step t of w warm-up steps, counted from 0, the factor is (t + 1)/w.
        step: from 0.
        steps_per_epoch: of the run.

    Returns:
        A float32 scalar, at most 1 unless ``decay_factor`` is above 1.

    Examples:
        >>> recipe = make_schedule("steps", epochs=30, decay_at=(1 / 3, 2 / 3), decay_factor=0.1)
        >>> [round(float(learning_rate_factor(recipe, 0.0, jnp.int32(t), 10)), 4) for t in (0, 99, 100, 200, 299)]
        [1.0, 1.0, 0.1, 0.01, 0.01]
    """
    total = round(schedule.epochs * steps_per_epoch)
    done, warmup = step.astype(jnp.float32), jnp.asarray(warmup_epochs, jnp.float32) * steps_per_epoch
    factor = jnp.minimum(1.0, (done + 1.0) / jnp.maximum(warmup, 1.0))
    if schedule.name == "steps":
        falls = np.rint(np.array(schedule.decay_at) * total).astype(np.int32)
        # Powers are taken in double precision, so that the rate after two falls is the float nearest to it.
        factor *= jnp.asarray(schedule.decay_factor ** np.arange(len(falls) + 1), jnp.float32)[jnp.sum(step >= falls)]
    if schedule.name == "cosine":
        share = jnp.clip((done - warmup) / jnp.maximum(total - warmup, 1.0), 0.0, 1.0)
        factor *= 0.5 * (1.0 + jnp.cos(jnp.pi * share))
    return factor
