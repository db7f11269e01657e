import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ncjax.sweep import count_compilations
from ncjax.training import Hyper, make_schedule, optimizer
from tests.training.test_run import run, start_of

CURVATURE = np.linspace(0.5, 3.0, 6, dtype=np.float32)
HYPER = Hyper(learning_rate=0.1, momentum=0.8, weight_decay=0.05, beta1=0.7, beta2=0.95, sam_rho=0.3)


def gradient(params, _=0):
    return {name: jnp.sin(CURVATURE * value) * CURVATURE for name, value in params.items()}


def trajectory(transformation, count=8):
    """Parameters after every step on a function that is not quadratic."""
    transformation = optax.with_extra_args_support(transformation)

    def one_step(carry, _):
        params, state = carry
        updates, state = transformation.update(gradient(params), state, params, grad_fn=gradient)
        params = optax.apply_updates(params, updates)
        return (params, state), params["w"]

    params = {"w": jnp.linspace(-1.0, 1.5, 6)}
    return jax.lax.scan(one_step, (params, transformation.init(params)), length=count)[1]


DECOUPLED = (optax.add_decayed_weights(0.05), optax.scale_by_learning_rate(0.1))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, optax.chain(optax.trace(0.8), *DECOUPLED)),
        ({"nesterov": True}, optax.chain(optax.trace(0.8, nesterov=True), *DECOUPLED)),
        ({"optimizer": "adamw"}, optax.adamw(0.1, b1=0.7, b2=0.95, weight_decay=0.05)),
    ],
    ids=["sgd", "nesterov", "adamw"],
)
def test_traced_hyper_parameters_give_the_trajectory_of_plain_optax(small_spec, options, expected):
    spec = dataclasses.replace(small_spec, **options)
    ours = jax.jit(lambda hyper: trajectory(optimizer(spec, hyper)))(jax.tree.map(jnp.float32, HYPER))
    np.testing.assert_allclose(ours, jax.jit(lambda: trajectory(expected))(), rtol=1e-5, atol=1e-6)


def test_sam_descends_by_the_gradient_at_the_top_of_a_step_up(small_spec):
    spec = dataclasses.replace(small_spec, terms=("sam_rho",))
    ours = jax.jit(lambda hyper: trajectory(optimizer(spec, hyper)))(HYPER)
    w, velocity, expected = np.linspace(-1.0, 1.5, 6, dtype=np.float64), np.zeros(6), []
    for _ in range(8):
        up = np.sin(CURVATURE * w) * CURVATURE
        above = w + 0.3 * up / np.linalg.norm(up)
        velocity = 0.8 * velocity + np.sin(CURVATURE * above) * CURVATURE
        w = w - 0.1 * (velocity + 0.05 * w)
        expected.append(w)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_sam_takes_no_step_up_where_the_gradient_vanishes(small_spec):
    sam = optimizer(dataclasses.replace(small_spec, terms=("sam_rho",)), Hyper(sam_rho=0.1))
    params = {"w": jnp.zeros(6)}
    updates, _ = sam.update(params, sam.init(params), params, grad_fn=lambda at, _: at)
    np.testing.assert_array_equal(updates["w"], np.zeros(6))


def test_sam_moves_the_averages_of_batch_normalisation_once_a_step(small_spec, small_inputs):
    model = dataclasses.replace(small_spec.model, norm="batch")
    spec = dataclasses.replace(small_spec, model=model, terms=("sam_rho",))
    flat = run(spec, small_inputs, Hyper(sam_rho=0.0), state=start_of(spec))
    sharp = run(spec, small_inputs, Hyper(sam_rho=0.5), state=start_of(spec))
    jax.tree.map(np.testing.assert_array_equal, flat.batch_stats, sharp.batch_stats)
    assert not np.allclose(flat.params["dense1"]["kernel"], sharp.params["dense1"]["kernel"], rtol=1e-3)


def test_swept_values_of_an_optimizer_and_its_schedule_share_a_program(small_spec, small_inputs):
    schedule = make_schedule("cosine", epochs=4)
    spec = dataclasses.replace(small_spec, optimizer="adamw", schedule=schedule, terms=("sam_rho",))
    run(spec, small_inputs, HYPER, state=start_of(spec), count=3)
    other = Hyper(learning_rate=0.01, weight_decay=0.2, beta1=0.5, warmup_epochs=2.0, sam_rho=0.01)
    with count_compilations() as compilations:
        after = run(spec, small_inputs, other, state=start_of(spec), count=3)
    assert compilations.count == 0
    assert not after.diverged


def test_the_schedule_sets_the_size_of_the_step(small_spec, small_inputs):
    spec = dataclasses.replace(small_spec, schedule=make_schedule("steps", epochs=1, decay_at=(0.3,)))
    start = start_of(small_spec)
    # Three steps an epoch: the rate of 0.5 falls to a tenth at the second.
    falling, low = run(spec, small_inputs, Hyper(learning_rate=0.5), start=1), Hyper(learning_rate=0.05)
    np.testing.assert_allclose(
        falling.params["dense1"]["kernel"] - start.params["dense1"]["kernel"],
        run(small_spec, small_inputs, low, start=1).params["dense1"]["kernel"] - start.params["dense1"]["kernel"],
        rtol=1e-3,
        atol=1e-6,
    )
