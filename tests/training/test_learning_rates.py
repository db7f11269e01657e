import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax.training import learning_rate_factor, make_schedule


def factors(schedule, warmup_epochs=0.0, steps=30, steps_per_epoch=10):
    """Of every step of three epochs, computed in one program with a traced warm-up."""
    at = jax.vmap(lambda warmup, step: learning_rate_factor(schedule, warmup, step, steps_per_epoch), in_axes=(None, 0))
    return np.asarray(jax.jit(at)(jnp.float32(warmup_epochs), jnp.arange(steps)))


def test_a_constant_rate_is_exactly_the_rate():
    assert set(factors(make_schedule("constant", epochs=3)).tolist()) == {1.0}


def test_steps_fall_at_their_fractions_of_training():
    found = factors(make_schedule("steps", epochs=3, decay_at=(0.5, 0.8), decay_factor=0.2))
    np.testing.assert_array_equal(found, np.repeat(np.array([1, 0.2, 0.04], np.float32), [15, 9, 6]))


def test_a_cosine_goes_from_one_to_zero():
    found = factors(make_schedule("cosine", epochs=3), steps=31)
    np.testing.assert_allclose(found, 0.5 * (1 + np.cos(np.pi * np.arange(31) / 30)), atol=1e-6)


@pytest.mark.parametrize("name", ["constant", "steps", "cosine"])
def test_warm_up_rises_by_equal_parts_to_the_full_rate(name):
    found = factors(make_schedule(name, epochs=3), warmup_epochs=0.5)
    np.testing.assert_allclose(found[:5], np.arange(1, 6) / 5, rtol=1e-6)
    assert found[5] == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "linear"}, "schedule: got 'linear', expected one of constant, steps, cosine"),
        ({"name": "steps", "decay_at": ()}, r"decay_at: got \(\), expected ascending fractions"),
        ({"name": "steps", "decay_at": (0.6, 0.3)}, r"decay_at: got \(0\.6, 0\.3\)"),
        ({"name": "steps", "decay_at": (1.5,)}, r"decay_at: got \(1\.5,\)"),
        ({"name": "steps", "decay_factor": 0.0}, r"decay_factor: got 0\.0, expected a number above 0"),
    ],
)
def test_what_makes_no_schedule_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        make_schedule(epochs=3, **options)
