import numpy as np
import pandas as pd
import pytest

from ncjax.claims import final_rows, number_runs, select_runs, sweep_axes
from ncjax.claims.runs import at_equal_epoch, at_equal_loss
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


def test_equal_loss_reads_where_the_slowest_run_ended() -> None:
    # log loss falls by 1 and by 2 a checkpoint; cdnv is its square root in the first run, its square in the second.
    loss = np.exp([0.0, -1, -2, 0, -2, -4])
    table = pd.DataFrame({"run": [0, 0, 0, 1, 1, 1], "step": [0, 1, 2] * 2, "train/error": 0.0, "train/loss": loss})
    table["train/cdnv"] = np.concatenate([loss[:3] ** 0.5, loss[3:] ** 2])
    read = at_equal_loss(select_runs(table), ("train/cdnv",))
    np.testing.assert_allclose(read, np.exp([[-1.0, -4.0]]))


def test_equal_loss_interpolates_between_checkpoints() -> None:
    table = pd.DataFrame({"run": [0, 0, 1, 1], "step": [0, 1] * 2, "train/error": 0.0})
    table["train/loss"] = np.exp([0.0, -1, 0, -4])
    table["train/cdnv"] = np.exp([0.0, 0, 0, -2])
    np.testing.assert_allclose(at_equal_loss(select_runs(table), ("train/cdnv",)), np.exp([[0.0, -0.5]]))


def test_equal_epoch_is_the_end_of_the_shortest_run() -> None:
    table = sweep_table(seeds=1)
    short = table[(table["run"] > 0) | (table["epoch"] <= 8)].assign(**{"train/error": 0.0})
    read = at_equal_epoch(select_runs(short), ("train/cdnv",))
    np.testing.assert_array_equal(read[0], table[table["epoch"] == 8]["train/cdnv"])


@pytest.mark.parametrize("column", ["run", "step", "train/error"])
def test_a_missing_column_is_named(column: str) -> None:
    with pytest.raises(ValueError, match=f"no column '{column}'"):
        select_runs(sweep_table(seeds=1).drop(columns=column))


def test_an_empty_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="is empty"):
        number_runs(sweep_table().head(0))
