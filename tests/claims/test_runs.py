import warnings

import numpy as np
import pandas as pd
import pytest

from ncjax.claims import final_rows, number_runs, select_runs, sweep_axes
from tests.claims.synthetic import sweep_table, with_diverged


def test_diverged_runs_are_left_out_and_counted() -> None:
    runs = select_runs(with_diverged(sweep_table(), 3))
    assert (len(runs.final), runs.diverged) == (11, 1)


def test_a_run_that_diverged_midway_is_left_out_although_its_last_row_is_whole() -> None:
    table = sweep_table()
    table.loc[(table["run"] == 2) & (table["epoch"] == 4), "diverged"] = True
    runs = select_runs(table)
    assert (len(runs.final), runs.diverged) == (11, 1)


def test_runs_above_the_threshold_are_left_out_and_counted() -> None:
    table = sweep_table()
    table.loc[table["run"] < 2, "train/error"] = 0.051
    runs = select_runs(table)
    assert (len(runs.final), runs.unsettled) == (10, 2)


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
