import warnings

import numpy as np
import pandas as pd
import pytest

from ncjax.claims import LOST, LeftOut, final_rows, number_runs, select_runs, sweep_axes
from tests.claims.synthetic import sweep_table, with_diverged


def test_diverged_runs_are_left_out_and_counted() -> None:
    runs = select_runs(with_diverged(sweep_table(), 3))
    assert (len(runs.final), runs.left_out.diverged) == (11, 1)


def test_a_run_that_diverged_midway_is_left_out_although_its_last_row_is_whole() -> None:
    table = sweep_table()
    table.loc[(table["run"] == 2) & (table["epoch"] == 4), "diverged"] = True
    runs = select_runs(table)
    assert (len(runs.final), runs.left_out.diverged) == (11, 1)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [("train/geometric_complexity", 1.1e9, "exploded"), ("train/collapsed_to_a_point", True, "collapsed")],
)
def test_a_run_that_was_lost_on_its_way_is_left_out_and_counted(column: str, value: float, reason: str) -> None:
    table = sweep_table().assign(**{"train/collapsed_to_a_point": False})
    table.loc[(table["run"] == 2) & (table["epoch"] == 4), column] = value
    runs = select_runs(table)
    assert (len(runs.final), getattr(runs.left_out, reason)) == (11, 1)
    assert runs.left_out.lost == f"1 {LOST[reason]}"
    assert runs.axes == ("learning_rate", "l2")


def test_flags_survive_a_file_where_they_are_numbers_and_holes() -> None:
    table = sweep_table().assign(**{"train/collapsed_to_a_point": np.nan})
    table.loc[table["run"] == 2, "train/collapsed_to_a_point"] = 1.0
    table.loc[table["run"] == 3, "train/collapsed_to_a_point"] = 0.0
    assert select_runs(table).left_out.collapsed == 1


def test_a_run_counts_once_by_its_first_reason() -> None:
    table = with_diverged(sweep_table(), 3)
    table.loc[(table["run"] == 3) & (table["epoch"] == 1), "train/geometric_complexity"] = 1e12
    assert select_runs(table).left_out == LeftOut(diverged=1)


def test_complexity_up_to_the_limit_is_kept() -> None:
    table = sweep_table()
    table.loc[table["run"] == 3, "train/geometric_complexity"] = 1e9
    assert select_runs(table).left_out == LeftOut()


def test_runs_above_the_threshold_are_left_out_and_counted() -> None:
    table = sweep_table()
    table.loc[table["run"] < 2, "train/error"] = 0.051
    runs = select_runs(table)
    assert (len(runs.final), runs.left_out.unsettled) == (10, 2)


def test_settings_join_the_seeds() -> None:
    settings = select_runs(sweep_table(seeds=2)).settings
    np.testing.assert_array_equal(settings, np.repeat(np.arange(6), 2))


def test_strata_along_an_axis_hold_the_others() -> None:
    runs = select_runs(sweep_table(learning_rates=(0.1, 0.2), l2s=(0.0, 1e-3), seeds=1))
    np.testing.assert_array_equal(runs.strata("learning_rate"), [0, 1, 0, 1])


def test_strata_of_all_runs_hold_names_such_as_the_model() -> None:
    table = sweep_table(seeds=1).assign(model=lambda rows: np.where(rows["run"] < 3, "mlp", "vgg11"))
    np.testing.assert_array_equal(select_runs(table).strata(), [0, 0, 0, 1, 1, 1])


def test_equal_run_numbers_of_two_workdirs_are_different_runs() -> None:
    one = sweep_table(seeds=1)
    table = pd.concat([one.assign(workdir="a"), one.assign(workdir="b")])
    runs = select_runs(table)
    assert len(runs.final) == 12
    assert len(np.unique(runs.settings)) == 12


def test_a_checkpoint_written_twice_counts_once() -> None:
    table = sweep_table(seeds=1)
    assert len(number_runs(pd.concat([table, table.tail(3)]))) == len(table)


def test_the_seed_is_no_axis() -> None:
    assert sweep_axes(sweep_table(seeds=3)) == ("learning_rate", "l2")


def test_final_row_is_that_of_the_last_step() -> None:
    shuffled = sweep_table(seeds=1).sample(frac=1, random_state=0)
    assert set(final_rows(shuffled)["epoch"]) == {31.0}


@pytest.mark.parametrize("column", ["run", "step", "train/error"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(ValueError, match=f"no column '{column}'"):
        select_runs(sweep_table(seeds=1).drop(columns=column))


def test_an_empty_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="is empty"):
        number_runs(sweep_table().head(0))


def test_a_table_of_very_many_columns_is_taken_without_a_warning() -> None:
    table = pd.DataFrame({"run": [0], "step": [1]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.PerformanceWarning)
        for number in range(120):
            table[f"train/{number}"] = 0.5
    assert number_runs(table)["run"].tolist() == [0]
