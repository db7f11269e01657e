from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from ncjax.claims import CLAIMS, SAME, Runs, When, cut_runs, select_runs
from tests.claims.synthetic import sweep_table

A1 = CLAIMS[0]


def moved_to(table: pd.DataFrame, when: When) -> Runs:
    moved = cut_runs(select_runs(table), when)
    assert moved is not None
    return moved


def paths(loss: Sequence, **columns: Sequence) -> pd.DataFrame:
    """Runs of equal length with given train losses and other quantities."""
    long = len(loss[0])
    table = pd.DataFrame(
        {"run": np.repeat(np.arange(len(loss)), long), "step": np.tile(np.arange(long), len(loss)), "train/error": 0.0}
    )
    table["epoch"] = table["step"].astype(float)
    values = {"train/loss": loss, **{f"train/{name}": value for name, value in columns.items()}}
    return table.assign(**{name: np.concatenate(value) for name, value in values.items()})


def test_equal_loss_is_where_the_slowest_run_ended() -> None:
    # log loss falls by 1 and by 2 a checkpoint; cdnv is its square root in the first run, its square in the second.
    slow, fast = np.exp([0.0, -1, -2]), np.exp([0.0, -2, -4])
    moved = moved_to(paths([slow, fast], cdnv=[slow**0.5, fast**2]), When.LOSS)
    np.testing.assert_allclose(moved.values("train/cdnv"), np.exp([-1.0, -4.0]))
    assert moved.rows.groupby("run").size().tolist() == [3, 2]


def test_between_checkpoints_a_positive_quantity_is_exponential_in_the_log_of_the_loss() -> None:
    table = paths([np.exp([0.0, -1]), np.exp([0.0, -4])], cdnv=[[1.0, 1.0], np.exp([0.0, -2])])
    np.testing.assert_allclose(moved_to(table, When.LOSS).values("train/cdnv"), np.exp([0.0, -0.5]))


def test_between_checkpoints_a_quantity_that_touches_zero_is_linear() -> None:
    table = paths([np.exp([0.0, -1]), np.exp([0.0, -4])], bias=[[1.0, 1.0], [2.0, 0.0]])
    np.testing.assert_allclose(moved_to(table, When.LOSS).values("train/bias"), [1.0, 1.5])


def test_losses_of_different_kinds_have_levels_of_their_own() -> None:
    table = paths([[4.0, 2.0], [4.0, 1.0], [0.4, 0.2], [0.4, 0.1]], cdnv=[[2.0, 1.0]] * 4)
    table["loss"] = np.where(table["run"] < 2, "cross_entropy", "mse")
    moved = moved_to(table, When.LOSS)
    np.testing.assert_allclose(moved.values("train/loss"), [2.0, 2.0, 0.2, 0.2])


def test_equal_epochs_is_the_end_of_the_shortest_run() -> None:
    table = sweep_table(seeds=1).assign(**{"train/error": 0.0})
    short = table[(table["run"] > 0) | (table["epoch"] <= 8)]
    moved = moved_to(short, When.EPOCH)
    np.testing.assert_array_equal(moved.values("train/cdnv"), table[table["epoch"] == 8]["train/cdnv"])


def test_slightly_different_epochs_are_one() -> None:
    table = sweep_table(seeds=1)
    table["epoch"] *= np.where(table["run"] == 0, 0.99, 1.0)
    runs = select_runs(table)
    assert cut_runs(runs, When.EPOCH) is runs


def test_runs_that_settle_only_later_are_left_out_at_equal_epochs() -> None:
    table = sweep_table(seeds=1)
    late = (table["run"] == 1) & (table["epoch"] < 31)
    table.loc[late, "train/error"] = 0.5
    short = table[(table["run"] > 0) | (table["epoch"] <= 16)]
    moved = moved_to(short.assign(**{"train/error": np.where(late[short.index], 0.5, 0.0)}), When.EPOCH)
    assert (len(moved.final), moved.left_out.unsettled) == (5, 1)


def test_every_comparison_has_every_line_and_says_where_it_is_the_same() -> None:
    findings = A1.evaluate(sweep_table())
    lines = {when: [f.line for f in findings if f.when == when] for when in When}
    assert lines[When.END] == lines[When.EPOCH]
    assert set(lines[When.END]) - set(lines[When.LOSS]) == {f"{line}, given train loss" for line in pairs()}
    assert all(f.note == SAME for f in findings if f.when == When.EPOCH)


def pairs() -> list[str]:
    kinds = ("train CDNV", "geometric collapse (tight)", "geometric collapse (pooled)")
    return [f"GC and {kind}" for kind in kinds]


def test_an_effect_of_progress_alone_differs_at_equal_loss() -> None:
    """Faster runs have lower CDNV and higher GC at the end; at equal loss the two rise together."""
    pace, own = np.linspace(1, 2, 8), np.linspace(0, 0.3, 8)
    loss = [np.exp([0.0, -p, -2 * p]) for p in pace]
    table = paths(
        loss,
        cdnv=[np.exp([0.0, -2 * p + o, -4 * p + o]) for p, o in zip(pace, own, strict=True)],
        geometric_complexity=[np.exp([0.0, p + o, 2 * p + o]) for p, o in zip(pace, own, strict=True)],
    ).assign(learning_rate=lambda rows: pace[rows["run"]])
    headline, *others = A1.evaluate(table)
    assert str(headline.verdict) == "contradicted"
    assert "differs at equal train loss (supported)" in headline.note
    [equal] = [f for f in others if f.line == headline.line and f.when == When.LOSS]
    assert str(equal.verdict) == "supported"


@pytest.mark.parametrize("column", ["epoch", "train/loss"])
def test_a_moment_that_the_table_cannot_tell_is_not_applicable(column: str) -> None:
    findings = A1.evaluate(sweep_table(seeds=1).drop(columns=column))
    when = When.EPOCH if column == "epoch" else When.LOSS
    assert [(str(f.verdict), f.headline) for f in findings if f.when == when] == [("not applicable", False)]
