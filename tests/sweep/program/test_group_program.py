import dataclasses

import jax
import numpy as np
import pytest

from ncjax.measurement import MeasureSpec
from ncjax.sweep import (
    ProgramSpec,
    advance_group,
    count_compilations,
    init_group,
    make_mesh,
    stack_runs,
)
from ncjax.training import Hyper

RUNS = [(Hyper(learning_rate=rate), seed) for rate in (0.05, 0.2) for seed in (0, 1)]


@pytest.fixture(scope="module")
def spec(small_spec):
    return ProgramSpec(small_spec, MeasureSpec(chunk=6), (4, 4, 1))


@pytest.fixture(scope="module")
def inputs(small_inputs):
    """Without target classes: transfer is measured elsewhere, and each program here is compiled for its own sake."""
    return dataclasses.replace(small_inputs, target_images=None, target_labels=None, target_index=None)


def train(spec, inputs, runs, devices=1, slices=(5, 4), size=0):
    """Losses [checkpoints, runs] and final parameters of runs that share a program."""
    mesh = make_mesh(len(runs), devices)
    hyper, seeds = stack_runs(mesh, [hyper for hyper, _ in runs], [seed for _, seed in runs], size)
    state = init_group(spec, mesh, hyper, seeds)
    step, rows = np.int32(0), []
    for count in slices:
        state, row = advance_group(spec, mesh, hyper, seeds, state, inputs, step, np.int32(count), np.bool_(True))
        rows.append(jax.device_get(row))
        step += np.int32(count)
    return rows, jax.device_get(state)


def assert_same(left, right):
    # The same operations in another order: float32 rounding, amplified by nine steps.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), left, right)


@pytest.fixture(scope="module")
def together(spec, inputs):
    return train(spec, inputs, RUNS)


def test_a_run_does_not_depend_on_who_shares_its_program(spec, inputs, together):
    _, all_states = together
    # The other places of the program are filled with the same run.
    _, alone = train(spec, inputs, RUNS[2:3], size=len(RUNS))
    assert_same(jax.tree.map(lambda x: x[2:3], all_states.params), jax.tree.map(lambda x: x[:1], alone.params))


def test_a_run_does_not_depend_on_the_order_of_the_grid(spec, inputs, together):
    rows, states = together
    reversed_rows, reversed_states = train(spec, inputs, RUNS[::-1])
    assert_same(states.params, jax.tree.map(lambda x: x[::-1], reversed_states.params))
    np.testing.assert_allclose(rows[-1]["train/loss"], reversed_rows[-1]["train/loss"][::-1], rtol=1e-4)


@pytest.mark.slow
def test_runs_side_by_side_on_several_devices_are_those_one_after_another_on_one(spec, inputs, together):
    # Four runs on three devices are filled up to six, two a device.
    vmapped = ProgramSpec(spec.train, spec.measure, spec.image_shape, sharing="vmap")
    rows, states = train(vmapped, inputs, RUNS, devices=3)
    assert_same(together[1].params, jax.tree.map(lambda x: x[: len(RUNS)], states.params))
    np.testing.assert_allclose(rows[-1]["train/cdnv"][: len(RUNS)], together[0][-1]["train/cdnv"], rtol=1e-3)


def test_a_diverging_run_leaves_the_others_untouched(spec, inputs, together):
    rows, states = train(spec, inputs, [RUNS[0], (Hyper(learning_rate=1e20), 0), *RUNS[2:]])
    assert states.diverged.tolist() == [False, True, False, False]
    kept = np.array([0, 2, 3])
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[kept], b[kept]), together[1].params, states.params)
    assert np.isfinite(rows[-1]["train/loss"]).tolist() == [True, False, True, True]


def test_compilations_do_not_grow_with_rates_seeds_or_checkpoints(spec, inputs, together):
    # The fixture has compiled this shape: other rates, other seeds and more checkpoints must find it ready.
    others = [(Hyper(learning_rate=0.3 + i / 10, l2=0.1), i) for i in range(len(RUNS))]
    with count_compilations() as compilations:
        train(spec, inputs, others, slices=(1, 2, 3, 1))
    assert compilations.count == 0
