"""One run as a pure function of hyper-parameters, seed and data."""

from dataclasses import dataclass
from typing import Any, no_type_check

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, Int

from ncjax import metrics, models
from ncjax.data import augment, normalize
from ncjax.training.hyper import Hyper
from ncjax.training.inputs import RunInputs
from ncjax.training.objective import regularised_loss, sample_losses
from ncjax.training.sharding import split_batch
from ncjax.training.spec import TrainSpec


@no_type_check  # JAX rebuilds registered classes around things that are not arrays (specs, shapes, sentinels)
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RunState:
    """Everything about a run that training changes.

    Attributes:
      params: the network's parameters.
      batch_stats: running averages of batch normalisation, an empty dict without it.
      opt_state: of the optimizer.
      diverged: whether the loss has ever been infinite or not a number.
    """

    params: Any
    batch_stats: Any
    opt_state: Any
    diverged: Any

    @property
    def variables(self) -> dict[str, Any]:
        """What a Flax module's ``apply`` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def optimizer(spec: TrainSpec, hyper: Hyper) -> optax.GradientTransformation:
    """SGD whose learning rate and momentum may be traced values.

    Momentum is applied even at 0: whether it is used must not depend on a swept value.

    Args:
      spec: says whether momentum is Nesterov's.
      hyper: gives learning rate and momentum.

    Returns:
      An optax transformation.

    Example:
      >>> sgd = optimizer(TrainSpec(models.ModelSpec("mlp"), 2, 1), Hyper(learning_rate=0.5))
      >>> update, _ = sgd.update(jnp.array(2.0), sgd.init(jnp.array(0.0)))
      >>> update.item()
      -1.0
    """
    return optax.chain(
        optax.trace(decay=hyper.momentum, nesterov=spec.nesterov), optax.scale_by_learning_rate(hyper.learning_rate)
    )


def init_run(spec: TrainSpec, hyper: Hyper, seed: Int[Array, ""], image_shape: tuple[int, ...]) -> RunState:
    """The state before the first step.

    Args:
      spec: static choices.
      hyper: of this run.
      seed: of this run; the same seed gives the same initial weights and order of samples whatever ``hyper`` is.
      image_shape: of one image, [height, width, channels].

    Returns:
      The initial state.

    Example:
      >>> spec = TrainSpec(models.ModelSpec("mlp", widths=(3,)), num_classes=2, batch_size=1)
      >>> state = init_run(spec, Hyper(), jnp.int32(0), (2, 2, 1))
      >>> state.params["classifier"]["kernel"].shape, bool(state.diverged)
      ((3, 2), False)
    """
    model = models.build(spec.model, spec.num_classes)
    variables = models.initialise(model, _stream(seed, "init"), image_shape)
    return RunState(
        params=variables["params"],
        batch_stats=variables["batch_stats"],
        opt_state=optimizer(spec, hyper).init(variables["params"]),
        diverged=jnp.array(False),
    )


def train_steps(
    spec: TrainSpec,
    hyper: Hyper,
    seed: Int[Array, ""],
    state: RunState,
    inputs: RunInputs,
    start: Int[Array, ""],
    num_steps: Int[Array, ""],
) -> RunState:
    """Takes steps of gradient descent.

    The batch of a step is a function of seed and step alone, so any division of a run into calls gives the same run.

    Args:
      spec: static choices.
      hyper: of this run.
      seed: of this run.
      state: after ``start`` steps.
      inputs: the data.
      start: steps already taken; the same for all runs of a group.
      num_steps: steps to take; traced, so that calls of any length share one compiled program.

    Returns:
      The state after ``start + num_steps`` steps.
    """
    model = models.build(spec.model, spec.num_classes)
    update = optimizer(spec, hyper).update
    num_samples = inputs.train_labels.shape[0]
    steps_per_epoch = num_samples // spec.batch_size
    probe_key, augmentation_key = _stream(seed, "probes"), _stream(seed, "augmentation")

    def order_at(step: Int[Array, ""]) -> Int[Array, " n"]:
        return sample_order(seed, step // steps_per_epoch, num_samples)

    def one_step(index: Int[Array, ""], carry: tuple[RunState, Int[Array, " n"]]) -> Any:
        state, order = carry
        step = start + index
        position = step % steps_per_epoch
        # The predicate is shared by all runs of a group, so this stays a branch under vmap: one sort an epoch.
        order = lax.cond(position == 0, order_at, lambda _: order, step)
        batch = lax.dynamic_slice_in_dim(order, position * spec.batch_size, spec.batch_size)
        images = normalize(jnp.take(inputs.train_images, batch, axis=0), inputs.mean, inputs.std)
        if spec.augmentation.active:
            images = augment(spec.augmentation, jax.random.fold_in(augmentation_key, step), images)
        images, labels = split_batch((images, jnp.take(inputs.train_labels, batch)))
        key = jax.random.fold_in(probe_key, step)
        gradient_of = jax.value_and_grad(_batch_loss, argnums=2, has_aux=True)
        (loss, batch_stats), gradient = gradient_of(model, spec, state.params, state, hyper, images, labels, key)
        updates, opt_state = update(gradient, state.opt_state, state.params)
        return RunState(
            params=optax.apply_updates(state.params, updates),
            batch_stats=batch_stats,
            opt_state=opt_state,
            diverged=state.diverged | ~jnp.isfinite(loss),
        ), order

    state, _ = lax.fori_loop(0, num_steps, one_step, (state, order_at(start)))
    return state


def sample_order(seed: Int[Array, ""], epoch: Int[Array, ""], num_samples: int) -> Int[Array, " n"]:
    """The order in which an epoch visits the train split.

    Args:
      seed: of the run.
      epoch: from 0.
      num_samples: n.

    Returns:
      A permutation of 0 to n−1, different for every seed and epoch.

    Example:
      >>> sorted(sample_order(jnp.int32(0), jnp.int32(3), 4).tolist())
      [0, 1, 2, 3]
    """
    return jax.random.permutation(jax.random.fold_in(_stream(seed, "order"), epoch), num_samples)


def _batch_loss(
    model: nn.Module,
    spec: TrainSpec,
    params: Any,
    state: RunState,
    hyper: Hyper,
    images: Float[Array, "n h w c"],
    labels: Int[Array, " n"],
    key: Array,
) -> tuple[Float[Array, ""], Any]:
    """Loss of a batch and the updated averages of batch normalisation."""
    variables = {"params": params, "batch_stats": state.batch_stats}
    (logits, _), updated = model.apply(variables, images, train=True, mutable=["batch_stats"])
    complexity: Any = 0.0
    if spec.penalise_complexity:
        # Through batch statistics rows would not be independent and the quantity undefined: use the stored averages.
        complexity = metrics.complexity_penalty(
            lambda x: model.apply(variables, x)[1]["embedding"], images, key, num_probes=spec.penalty_probes
        )
    data_loss = sample_losses(logits, labels, spec.loss, hyper.label_smoothing).mean()
    return regularised_loss(data_loss, params, hyper, complexity), updated.get("batch_stats", {})


def _stream(seed: Int[Array, ""], purpose: str) -> Array:
    """A key for one purpose of one run; streams are numbered, so adding one leaves the others as they are."""
    return jax.random.fold_in(jax.random.key(seed), ("init", "order", "probes", "augmentation").index(purpose))
