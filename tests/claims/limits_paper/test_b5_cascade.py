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


# The law is found in single precision.
SINGLE = 1e-6


def separation(*paths: list[float]) -> dict[str, float]:
    """Values of the lines about nc1, for runs of given nc1 by layer."""
    taps = (*TAPS[:-1], "block3", "embedding")
    rows = [
        {"run": run, "step": 9, "train/error": 0.0}
        | {f"layer/{tap}/variance_ratio": 1.0 for tap in taps}
        | {f"layer/{tap}/nc1": value for tap, value in zip(taps, path, strict=True)}
        for run, path in enumerate(paths)
    ]
    found = cascade.lines(select_runs(pd.DataFrame(rows)))
    return {finding.line: finding.value for finding in found if "NC1" in finding.line}


def test_the_slope_of_log_nc1_on_depth_is_that_of_least_squares() -> None:
    paths = np.exp(np.random.default_rng(0).normal(size=(3, 4)))
    fits = [stats.linregress(np.arange(4), np.log(path)) for path in paths]
    found = separation(*paths.tolist())
    assert found["NC1 falls from layer to layer"] == pytest.approx(np.mean([fit.slope for fit in fits]), abs=SINGLE)
    straight = found["log NC1 is a straight line in depth (r below −0.9)"]
    assert straight == pytest.approx(np.mean([fit.rvalue for fit in fits]) + 0.9, abs=SINGLE)


def test_equal_factors_are_a_straight_line_and_equal_layers_none() -> None:
    line = "log NC1 is a straight line in depth (r below −0.9)"
    assert separation([8.0, 4.0, 2.0, 1.0])[line] == pytest.approx(-0.1, abs=SINGLE)
    assert separation([2.0, 2.0, 2.0, 2.0])[line] == pytest.approx(0.9)


def test_a_run_with_a_layer_that_has_no_nc1_takes_no_part() -> None:
    found = separation([8.0, 4.0, 2.0, 1.0], [8.0, np.nan, 2.0, 1.0], [8.0, 0.0, 2.0, 1.0])
    assert found["NC1 falls from layer to layer"] == pytest.approx(-np.log(2), abs=SINGLE)
