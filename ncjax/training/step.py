"""One step of training on one batch."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from ncjax import metrics, models
from ncjax.training.fine_tuning import hold, keep_frozen
from ncjax.training.hyper import Hyper
from ncjax.training.learning_rates import learning_rate_factor
from ncjax.training.objective import regularised_loss, sample_losses
from ncjax.training.optimizers import optimizer
from ncjax.training.regularisers import squared_gradient_norm, squared_spectral_norms
from ncjax.training.spec import TrainSpec
from ncjax.training.state import RunState


def descend(
    spec: TrainSpec,
    hyper: Hyper,
    state: RunState,
    images: Float[Array, "n h w c"],
    labels: Int[Array, " n"],
    step: Int[Array, ""],
    steps_per_epoch: int,
    key: Array,
) -> RunState:
    """Takes one step of gradient descent.

    Args:
        spec: static choices.
        hyper: of this run.
        state: before the step.
        images: the batch, normalised and augmented.
        labels: of the batch.
        step: its number, from 0.
        steps_per_epoch: of the run; what schedules count in.
        key: for the probes of this step.

    Returns:
        The state after the step.
    """

    def objective(params: Any) -> tuple[Float[Array, ""], Any]:
        return _batch_loss(spec, hold(params, spec.frozen), state, hyper, images, labels, key)

    def gradient_at(params: Any, _: Any) -> Any:
        return jax.grad(objective, has_aux=True)(params)[0]

    (loss, batch_stats), gradient = jax.value_and_grad(objective, has_aux=True)(state.params)
    factor = learning_rate_factor(spec.schedule, hyper.warmup_epochs, step, steps_per_epoch)
    scheduled = dataclasses.replace(hyper, learning_rate=hyper.learning_rate * factor)
    update = optimizer(spec, scheduled).update
    updates, opt_state = update(gradient, state.opt_state, state.params, grad_fn=gradient_at)
    return dataclasses.replace(
        state,
        params=keep_frozen(state.params, optax.apply_updates(state.params, updates), spec.frozen),
        batch_stats=keep_frozen(state.batch_stats, batch_stats, spec.frozen),
        opt_state=opt_state,
        diverged=state.diverged | ~jnp.isfinite(loss),
    )


def _batch_loss(
    spec: TrainSpec,
    params: Any,
    state: RunState,
    hyper: Hyper,
    images: Float[Array, "n h w c"],
    labels: Int[Array, " n"],
    key: Array,
) -> tuple[Float[Array, ""], Any]:
    """Loss of a batch and the updated averages of batch normalisation."""
    model = models.build(spec.model, spec.num_classes)

    def apply(params: Any, images: Float[Array, "n h w c"], **options: Any) -> Any:
        variables = {**state.variables, **_lowered(spec, {"params": params, "constants": state.constants})}
        with models.frozen_averages(spec.frozen):
            return model.apply(variables, _lowered(spec, images), **options)

    def data_loss(params: Any) -> tuple[Float[Array, ""], Any]:
        (logits, _), updated = apply(params, images, train=True, mutable=["batch_stats"])
        losses = sample_losses(_raised(logits), labels, spec.loss, hyper.label_smoothing)
        return losses.mean(), updated.get("batch_stats", {})

    loss, batch_stats = data_loss(params)
    penalties = {}
    if "gc_penalty" in spec.terms:
        # Through batch statistics rows would not be independent and the quantity undefined: use the stored averages.
        penalties["gc_penalty"] = metrics.complexity_penalty(
            lambda x: _raised(apply(params, x)[1]["embedding"]), images, key, num_probes=spec.penalty_probes
        )
    if "gradient_norm_penalty" in spec.terms:
        penalties["gradient_norm_penalty"] = squared_gradient_norm(lambda p: data_loss(hold(p, spec.frozen))[0], params)
    if "spectral_penalty" in spec.terms:
        penalties["spectral_penalty"] = 0.5 * squared_spectral_norms(params)
    return regularised_loss(loss, params, hyper, penalties), batch_stats


def _lowered(spec: TrainSpec, tree: Any) -> Any:
    """What goes into the network, in the precision that it computes in."""
    if spec.compute_dtype == "float32":
        return tree
    return jax.tree.map(lambda leaf: leaf.astype(spec.compute_dtype), tree)


def _raised(outputs: Array) -> Array:
    """What comes out of the network, in single precision or better."""
    return outputs.astype(jnp.promote_types(outputs.dtype, jnp.float32))
