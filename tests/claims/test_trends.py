"""Numbers of single runs against what follows by hand."""

import numpy as np
import pandas as pd
import pytest

from ncjax.claims import select_runs
from ncjax.claims.runs import Runs
from ncjax.claims.trends import (
    changes_since_settling,
    first_values,
    late_slopes,
    log_of,
    means_along_path,
    orders_over_time,
)


def one_run(error: float | list[float] = 0.0, **columns: list[float]) -> Runs:
    """One run with the given epochs and values."""
    named = {"epoch" if name == "epoch" else f"a/{name}": values for name, values in columns.items()}
    count = len(next(iter(columns.values())))
    table = pd.DataFrame({"run": 0, "step": range(count), "epoch": np.arange(float(count)), "train/error": error})
    return select_runs(table.assign(**named), terminal=False)


def test_only_what_is_positive_has_a_logarithm() -> None:
    np.testing.assert_array_equal(log_of(np.array([np.e, 0.0, -1.0])), [1.0, np.nan, np.nan])


def test_late_is_from_the_geometric_mean_of_the_first_and_the_last_epoch() -> None:
    # From epoch 4, the geometric mean of 2 and 8, included, on: the earlier values must not count.
    runs = one_run(epoch=[0.0, 2.0, 3.9, 4.0, 6.0, 8.0], x=[7.0, 50.0, 0.1, 4.0, 5.0, 3.0])
    expected = np.polyfit(np.log([4.0, 6.0, 8.0]), np.log([4.0, 5.0, 3.0]), 1)[0]
    assert late_slopes(runs, "a/x")[0] == pytest.approx(expected)


def test_two_late_checkpoints_are_enough_for_a_slope_and_one_is_not() -> None:
    assert late_slopes(one_run(epoch=[1.0, 4.0, 16.0], x=[9.0, 4.0, 1.0]), "a/x")[0] == pytest.approx(-1)
    assert np.isnan(late_slopes(one_run(epoch=[1.0, 3.0, 16.0], x=[9.0, 4.0, 1.0]), "a/x")[0])
    assert np.isnan(late_slopes(one_run(epoch=[1.0, 4.0, 16.0], x=[9.0, 0.0, 1.0]), "a/x")[0])
    assert np.isnan(late_slopes(one_run(epoch=[0.0, 0.0], x=[9.0, 1.0]), "a/x")[0])


def test_the_checkpoint_before_training_takes_no_part_in_orders() -> None:
    runs = one_run(x=[99.0, 1.0, 2.0, 3.0, 4.0, 5.0], y=[99.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    assert orders_over_time(runs, "a/x", "a/y")[0] == pytest.approx(-1)


def test_an_order_of_fewer_than_five_checkpoints_is_not_judged() -> None:
    runs = one_run(x=[99.0, 1.0, 2.0, 3.0, 4.0], y=[99.0, 5.0, 4.0, 3.0, 2.0])
    assert np.isnan(orders_over_time(runs, "a/x", "a/y")[0])
    gap = one_run(x=[99.0, 1.0, 2.0, 3.0, 4.0, np.nan], y=[99.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    assert np.isnan(orders_over_time(gap, "a/x", "a/y")[0])


@pytest.mark.parametrize(("logarithm", "expected"), [(False, 6.0), (True, np.log(4.0))])
def test_changes_are_from_the_first_settled_checkpoint_to_the_last(logarithm: bool, expected: float) -> None:
    runs = one_run(error=[0.5, 0.051, 0.05, 0.2, 0.0], x=[1.0, 3.0, 2.0, 50.0, 8.0])
    assert changes_since_settling(runs, "a/x", logarithm)[0] == pytest.approx(expected)


def test_a_run_that_settles_last_or_never_has_no_change() -> None:
    assert np.isnan(changes_since_settling(one_run(error=[0.5, 0.0], x=[1.0, 2.0]), "a/x")[0])
    assert np.isnan(changes_since_settling(one_run(error=[0.5, 0.5], x=[1.0, 2.0]), "a/x")[0])


def test_means_along_the_path_weigh_by_epochs() -> None:
    runs = one_run(epoch=[2.0, 3.0, 6.0], x=[1.0, 3.0, 5.0])
    assert means_along_path(runs, "a/x")[0] == pytest.approx((2.0 * 1 + 4.0 * 3) / 4)
    assert np.isnan(means_along_path(one_run(epoch=[2.0], x=[1.0]), "a/x")[0])
    assert np.isnan(means_along_path(one_run(epoch=[2.0, 2.0], x=[1.0, 2.0]), "a/x")[0])
    assert means_along_path(one_run(epoch=[0.0, 2.0], x=[1.0, 2.0]), "a/x")[0] == pytest.approx(1.5)


def test_first_values_are_those_of_the_first_checkpoint_of_each_run() -> None:
    table = pd.DataFrame({"run": [0, 0, 1, 1], "step": [0, 1, 0, 1], "train/error": 0.0, "a/x": [1.0, 2.0, 3.0, 4.0]})
    assert first_values(select_runs(table), "a/x").tolist() == [1.0, 3.0]
