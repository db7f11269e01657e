import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings, strategies
from hypothesis.extra import numpy as arrays

from ncjax.transfer.credit import credit


@settings(deadline=None)
@given(arrays.arrays(np.float32, (4, 3), elements=strategies.sampled_from([0.0, 1.0, 2.0, np.inf, -np.inf])))
def test_all_classes_that_score_highest_share_one(scores: np.ndarray) -> None:
    best = scores == scores.max(axis=1, keepdims=True)
    expected = np.where(best, 1 / best.sum(axis=1, keepdims=True), 0)
    of_each = [credit(jnp.asarray(scores), jnp.full(4, label)) for label in range(3)]
    np.testing.assert_allclose(np.stack(of_each, axis=1), expected, rtol=1e-7)


@pytest.mark.parametrize("label", [0, 1])
def test_a_row_with_a_score_that_is_not_a_number_has_no_credit(label: int) -> None:
    assert np.isnan(credit(jnp.array([[jnp.nan, 1.0]]), jnp.array([label]))).all()
