"""The loss that a run minimises, term by term."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from ncjax.training.hyper import Hyper


def sample_losses(
    logits: Float[Array, "n classes"], labels: Int[Array, " n"], loss: str, label_smoothing: Any = 0.0
) -> Float[Array, " n"]:
    """The loss of each sample.

    Args:
        logits: [n, C].
        labels: [n], 0 to C−1.
        loss: ``cross_entropy`` (nats) or ``mse`` (half the squared distance to the target).
        label_smoothing: s in the target (1 − s)·onehot + s/C.

    Returns:
        [n] losses.

    Raises:
        ValueError: if ``loss`` is neither.

    Examples:
        >>> f"{sample_losses(jnp.zeros((1, 4)), jnp.array([2]), 'cross_entropy')[0]:.4f}"
        '1.3863'
        >>> sample_losses(jnp.zeros((1, 4)), jnp.array([2]), "mse").tolist()
        [0.5]
    """
    num_classes = logits.shape[-1]
    targets = jax.nn.one_hot(labels, num_classes) * (1.0 - label_smoothing) + label_smoothing / num_classes
    if loss == "cross_entropy":
        return optax.softmax_cross_entropy(logits, targets)
    if loss == "mse":
        return optax.l2_loss(logits, targets).sum(axis=-1)
    raise ValueError(f"loss: got {loss!r}, expected one of cross_entropy, mse")


def regularised_loss(
    data_loss: Float[Array, ""], params: Any, hyper: Hyper, penalties: Mapping[str, Any] | None = None
) -> Float[Array, ""]:
    """The mean loss of a batch plus the regularisers.

    Args:
        data_loss: mean of the samples' losses.
        params: pytree of parameters, all of them under L2.
        hyper: strengths of the terms.
        penalties: further terms at strength 1, by the names of their strengths in ``hyper``.

    Returns:
        data_loss + (l2/2)·‖params‖² + Σ strength·penalty.

    Examples:
        >>> regularised_loss(jnp.array(1.0), {"w": jnp.array([3.0, 4.0])}, Hyper(l2=0.1)).item()
        2.25
    """
    squares = sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(params))
    total = data_loss + 0.5 * hyper.l2 * squares
    for name, penalty in (penalties or {}).items():
        total += getattr(hyper, name) * penalty
    return total
