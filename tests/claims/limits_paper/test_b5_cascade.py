import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ncjax.claims import select_runs
from ncjax.claims.limits_paper import b5_cascade as cascade

TAPS = ("block1", "block2", "embedding")


def lines(*paths: list[list[float]]) -> dict[str, float]:
    """Values by line, for runs of given variance ratios [layers, checkpoints]."""
    rows = []
    for run, path in enumerate(paths):
        for step, values in enumerate(np.transpose(path)):
            named = {f"layer/{tap}/variance_ratio": value for tap, value in zip(TAPS, values, strict=True)}
            rows.append({"run": run, "step": step, "train/error": 0.0, **named})
    return {finding.line: finding.value for finding in cascade.lines(select_runs(pd.DataFrame(rows)))}


def test_falls_are_log_changes_from_the_first_checkpoint_to_the_last() -> None:
    found = lines(
        [[8.0, 9.0, 4.0], [6.0, 1.0, 2.0], [5.0, 7.0, 0.5]], [[2.0, 2.0, 2.0], [2.0, 2.0, 1.0], [3.0, 1.0, 1.0]]
    )
    assert found["variance ratio falls in block1"] == pytest.approx(np.log([0.5, 1.0]).mean())
    assert found["variance ratio falls in block2"] == pytest.approx(np.log([1 / 3, 0.5]).mean())
    assert found["variance ratio falls in embedding"] == pytest.approx(np.log([0.1, 1 / 3]).mean())
    before_last = np.log([[0.5, 1 / 3], [1.0, 0.5]]).mean()
    assert found["variance ratio falls in the layers before the last"] == pytest.approx(before_last)
    assert found["later layers fall deeper"] == -1


def test_half_of_a_fall_is_found_between_checkpoints() -> None:
    path = np.array([0.0, -1.0, -3.0, -4.0])
    assert cascade._half_fall(path) == pytest.approx(1.5)
    assert cascade._half_fall(np.array([2.0, -2.0, -2.0])) == pytest.approx(0.5)
    assert cascade._half_fall(np.array([1.0, 0.5, 0.0])) == pytest.approx(1.0)


def test_a_layer_that_does_not_fall_never_reaches_half_of_it() -> None:
    assert cascade._half_fall(np.array([1.0, 0.0, 1.0])) == np.inf
    assert cascade._half_fall(np.array([1.0, 2.0])) == np.inf
    assert np.isnan(cascade._half_fall(np.array([1.0, np.nan])))


def test_order_over_layers_is_spearmans() -> None:
    values = np.random.default_rng(0).normal(size=(5, 6)).round(1)
    expected = [stats.spearmanr(np.arange(6), row).statistic for row in values]
    np.testing.assert_allclose(cascade._order(values), expected)


def test_equal_layers_have_no_order_and_missing_ones_none_either() -> None:
    order = cascade._order(np.array([[1.0, 1.0, 1.0], [1.0, np.nan, 2.0], [np.inf, np.inf, 1.0]]))
    np.testing.assert_allclose(order, [0.0, np.nan, -np.sqrt(0.75)])


def test_a_value_that_is_not_positive_has_no_fall() -> None:
    found = lines([[1.0, 0.5], [0.0, 0.5], [1.0, 0.1]])
    assert np.isnan(found["variance ratio falls in block2"])
    assert found["variance ratio falls in block1"] == pytest.approx(np.log(0.5))
