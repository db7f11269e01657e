import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import models
from ncjax.models import ModelSpec
from ncjax.training import Hyper, init_run, sample_losses, sample_order, train_steps

SHAPE = (4, 4, 1)
PLAIN = Hyper()
steps = jax.jit(train_steps, static_argnames="spec")


@functools.cache
def start_of(spec, hyper=PLAIN, seed=0):
    return init_run(spec, hyper, jnp.int32(seed), SHAPE)


def run(spec, inputs, hyper=PLAIN, state=None, start=0, count=1, seed=0):
    state = start_of(spec, seed=seed) if state is None else state
    return steps(spec, hyper, jnp.int32(seed), state, inputs, jnp.int32(start), jnp.int32(count))


def normalised_batch(inputs):
    """Images of the first step, [4, h, w, c] in float64."""
    pixels = np.asarray(inputs.train_images)[sample_order(jnp.int32(0), jnp.int32(0), 15)[:4]] / 255.0
    return (pixels - np.asarray(inputs.mean)) / np.asarray(inputs.std)


def assert_equal(left, right):
    jax.tree.map(np.testing.assert_array_equal, left, right)


def test_one_step_is_gradient_descent_on_the_regularised_loss(small_spec, small_inputs):
    hyper = Hyper(learning_rate=0.3, l2=0.1, label_smoothing=0.2)
    before = start_of(small_spec)
    batch, images = sample_order(jnp.int32(0), jnp.int32(0), 15)[:4], normalised_batch(small_inputs)

    def objective(params):
        logits, _ = models.build(small_spec.model, 3).apply({"params": params}, jnp.asarray(images, jnp.float32))
        data_loss = sample_losses(logits, small_inputs.train_labels[batch], "cross_entropy", 0.2).mean()
        return data_loss + 0.05 * sum(jnp.sum(p**2) for p in jax.tree.leaves(params))

    expected = jax.tree.map(lambda p, g: p - 0.3 * g, before.params, jax.grad(objective)(before.params))
    after = run(small_spec, small_inputs, hyper)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), after.params, expected)


@pytest.mark.parametrize("split", [1, 3, 5])
def test_a_run_does_not_depend_on_how_its_steps_are_divided_into_calls(small_spec, small_inputs, split):
    whole = run(small_spec, small_inputs, Hyper(momentum=0.9), count=7)
    first = run(small_spec, small_inputs, Hyper(momentum=0.9), count=split)
    both = run(small_spec, small_inputs, Hyper(momentum=0.9), state=first, start=split, count=7 - split)
    assert_equal(whole, both)


def test_momentum_accumulates_the_gradients(small_spec, small_inputs):
    plain = run(small_spec, small_inputs, Hyper(learning_rate=0.1))
    first = run(small_spec, small_inputs, Hyper(learning_rate=0.1, momentum=0.5))
    assert_equal(plain.params, first.params)
    second = run(small_spec, small_inputs, Hyper(learning_rate=0.1, momentum=0.5), state=first, start=1)
    without = run(small_spec, small_inputs, Hyper(learning_rate=0.1), state=first, start=1)
    # The second step goes further by half of the first.
    expected = jax.tree.map(
        lambda w, f, start: w + 0.5 * (f - start), without.params, first.params, start_of(small_spec).params
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), second.params, expected)


def test_the_order_of_samples_is_a_permutation_that_changes_with_epoch_and_seed():
    orders = [sample_order(jnp.int32(s), jnp.int32(e), 50).tolist() for s, e in [(0, 0), (0, 1), (1, 0)]]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_the_same_seed_starts_every_hyper_parameter_from_the_same_weights(small_spec):
    assert_equal(start_of(small_spec, Hyper(learning_rate=1.0)).params, start_of(small_spec).params)


def test_a_loss_that_is_not_finite_marks_the_run_for_good(small_spec, small_inputs):
    state = run(small_spec, small_inputs, Hyper(learning_rate=1e20), count=6)
    assert state.diverged
    assert not run(small_spec, small_inputs, count=6).diverged


def test_batch_normalisation_moves_its_averages_towards_the_batch(small_spec, small_inputs):
    spec = dataclasses.replace(small_spec, model=ModelSpec("mlp", widths=(6, 5), norm="batch"))
    after, layer = run(spec, small_inputs), start_of(spec).params["dense1"]
    images = normalised_batch(small_inputs).reshape(4, -1)
    means = (images @ np.asarray(layer["kernel"], np.float64) + np.asarray(layer.get("bias", 0))).mean(axis=0)
    # From an average of zero, a tenth of the way.
    np.testing.assert_allclose(after.batch_stats["norm1"]["mean"], 0.1 * means, rtol=1e-4, atol=1e-6)


def test_the_complexity_penalty_changes_the_step_only_where_its_strength_is_above_zero(small_spec, small_inputs):
    spec = dataclasses.replace(small_spec, terms=("gc_penalty",))
    plain = run(small_spec, small_inputs)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7),
        run(spec, small_inputs).params,
        plain.params,
    )
    penalised = run(spec, small_inputs, Hyper(gc_penalty=0.1))
    assert not np.allclose(penalised.params["dense1"]["kernel"], plain.params["dense1"]["kernel"], rtol=1e-4)
