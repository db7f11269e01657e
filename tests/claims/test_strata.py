import numpy as np

from ncjax.claims.strata import centred, stratum_weights, weighted

STRATA = np.array([0, 1, 0, 1, 1])
WEIGHTS = np.array([[1.0, 2.0, 3.0, 0.0, 4.0], [0.0, 1.0, 0.0, 1.0, 3.0]])


def test_runs_without_strata_are_all_together_once() -> None:
    weights, together = weighted(3, None, None)
    np.testing.assert_array_equal(weights, [[1, 1, 1]])
    np.testing.assert_array_equal(together, np.ones((3, 3)))


def test_the_weight_of_a_stratum_is_the_sum_of_its_runs_and_never_zero() -> None:
    _, together = weighted(5, WEIGHTS, STRATA)
    np.testing.assert_array_equal(stratum_weights(WEIGHTS, together), [[4, 6, 4, 6, 6], [1, 5, 1, 5, 5]])


def test_values_are_centred_on_the_weighted_mean_of_their_stratum() -> None:
    values = np.array([1.0, 2.0, 5.0, 7.0, 11.0])
    weights, together = weighted(5, WEIGHTS[:1], STRATA)
    means = [np.average(values[s == STRATA], weights=WEIGHTS[0, s == STRATA]) for s in (0, 1)]
    np.testing.assert_allclose(centred(values[None], weights, together)[0], values - np.array(means)[STRATA])
