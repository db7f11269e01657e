"""One run as a pure function of hyper-parameters, seed and data."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, UInt8

from ncjax import models
from ncjax.data import augment, normalize
from ncjax.training.hyper import Hyper
from ncjax.training.inputs import RunInputs
from ncjax.training.optimizers import optimizer
from ncjax.training.sharding import split_batch, take_divided
from ncjax.training.spec import TrainSpec
from ncjax.training.state import RunState
from ncjax.training.step import descend


def init_run(spec: TrainSpec, hyper: Hyper, seed: Int[Array, ""], image_shape: tuple[int, ...]) -> RunState:
    """The state before the first step.

    Args:
        spec: static choices.
        hyper: of this run.
        seed: of this run; the same seed gives the same initial weights and order of samples whatever ``hyper`` is.
        image_shape: of one image, [height, width, channels].

    Returns:
        The initial state.

    Examples:
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
        constants=variables["constants"],
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
    num_samples = inputs.train_labels.shape[0]
    steps_per_epoch = num_samples // spec.batch_size
    take_step = _descent(spec, hyper, seed, inputs)

    def order_at(step: Int[Array, ""]) -> Int[Array, " n"]:
        return sample_order(seed, step // steps_per_epoch, num_samples)

    def one_step(index: Int[Array, ""], carry: tuple[RunState, Int[Array, " n"]]) -> Any:
        state, order = carry
        step = start + index
        position = step % steps_per_epoch
        # The predicate is shared by all runs of a group, so this stays a branch under vmap: one sort an epoch.
        order = lax.cond(position == 0, order_at, lambda _: order, step)
        batch = lax.dynamic_slice_in_dim(order, position * spec.batch_size, spec.batch_size)
        images, labels = take_divided((inputs.train_images, inputs.train_labels), batch)
        return take_step(state, step, images, labels), order

    state, _ = lax.fori_loop(0, num_steps, one_step, (state, order_at(start)))
    return state


def train_block(
    spec: TrainSpec,
    hyper: Hyper,
    seed: Int[Array, ""],
    state: RunState,
    inputs: RunInputs,
    images: UInt8[Array, "steps batch h w c"],
    labels: Int[Array, "steps batch"],
    start: Int[Array, ""],
    num_steps: Int[Array, ""],
) -> RunState:
    """Takes steps of gradient descent on batches that are handed in: the same steps as ``train_steps`` takes.

    Args:
        spec: static choices.
        hyper: of this run.
        seed: of this run.
        state: after ``start`` steps.
        inputs: the data; its train images are not read.
        images: of a block of batches; blocks of k steps begin at step 0, k, 2k and so on.
        labels: of the block.
        start: steps already taken, inside the block.
        num_steps: steps to take, inside the block.

    Returns:
        The state after ``start + num_steps`` steps.
    """
    take_step = _descent(spec, hyper, seed, inputs)

    def one_step(index: Int[Array, ""], state: RunState) -> RunState:
        step = start + index
        place = step % images.shape[0]
        return take_step(state, step, *split_batch((images[place], labels[place])))

    return lax.fori_loop(0, num_steps, one_step, state)


def _descent(
    spec: TrainSpec, hyper: Hyper, seed: Int[Array, ""], inputs: RunInputs
) -> Callable[[RunState, Any, Any, Any], RunState]:
    """One step of gradient descent, as a function of state, step, images and labels."""
    steps_per_epoch = inputs.train_labels.shape[0] // spec.batch_size
    probe_key, augmentation_key = _stream(seed, "probes"), _stream(seed, "augmentation")

    def take_step(
        state: RunState, step: Int[Array, ""], raw: UInt8[Array, "n h w c"], labels: Int[Array, " n"]
    ) -> RunState:
        images = normalize(raw, inputs.mean, inputs.std)
        if spec.augmentation.active:
            images = augment(spec.augmentation, jax.random.fold_in(augmentation_key, step), images)
        key = jax.random.fold_in(probe_key, step)
        return descend(spec, hyper, state, images, labels, step, steps_per_epoch, key)

    return take_step


def sample_order(seed: Int[Array, ""], epoch: Int[Array, ""], num_samples: int) -> Int[Array, " n"]:
    """The order in which an epoch visits the train split.

    Args:
        seed: of the run.
        epoch: from 0.
        num_samples: n.

    Returns:
        A permutation of 0 to n−1, different for every seed and epoch.

    Examples:
        >>> sorted(sample_order(jnp.int32(0), jnp.int32(3), 4).tolist())
        [0, 1, 2, 3]
    """
    return jax.random.permutation(jax.random.fold_in(_stream(seed, "order"), epoch), num_samples)


def _stream(seed: Int[Array, ""], purpose: str) -> Array:
    """A key for one purpose of one run; streams are numbered, so adding one leaves the others as they are."""
    return jax.random.fold_in(jax.random.key(seed), ("init", "order", "probes", "augmentation").index(purpose))
