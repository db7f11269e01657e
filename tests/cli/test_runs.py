"""Picking runs of a sweep by conditions on columns."""

import pandas as pd
import pytest

from ncjax.cli.runs import pick

pytestmark = pytest.mark.structure

TABLE = pd.DataFrame(
    {
        "run": [0, 1, 2],
        "l2": [0.0, 0.1, 0.2],
        "norm": ["none", "batch", "batch"],
        "diverged": [False, False, True],
        "test/error": [0.5, float("nan"), 0.25],
    }
)


@pytest.mark.parametrize(
    ("conditions", "runs"),
    [
        ([], [0, 1, 2]),
        (["l2>0.05"], [1, 2]),
        (["l2 >= 0.1", "l2<0.2"], [1]),
        (["norm=batch"], [1, 2]),
        (["norm != 'batch'"], [0]),
        (["diverged=True"], [2]),
        (["test/error<=0.25"], [2]),
        (["run==1"], [1]),
    ],
)
def test_conditions_are_joined_by_and(conditions, runs):
    assert pick(TABLE, conditions)["run"].tolist() == runs


@pytest.mark.parametrize(("sort", "runs"), [("test/error", [2, 0, 1]), ("-test/error", [0, 2, 1])])
def test_missing_values_come_last(sort, runs):
    assert pick(TABLE, [], sort)["run"].tolist() == runs


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("nrm=batch", r"--where: got 'nrm', a column that these runs do not have; the nearest are norm; --csv"),
        ("l2", r"--where: got 'l2', expected COLUMN, one of < <= > >= = != and a value"),
        ("l2>large", r"--where: got 'l2>large', expected a number, as l2 holds"),
        ("diverged=maybe", r"expected True or False, as diverged holds"),
        ("__import__('os').abort()", r"expected COLUMN, one of"),
        ("@table.l2 > 0", r"expected COLUMN, one of"),
    ],
)
def test_what_is_no_condition_is_one_line(condition, message):
    with pytest.raises(ValueError, match=message):
        pick(TABLE, [condition])


def test_a_column_of_transfer_that_is_missing_says_why_and_names_the_nearest_few():
    wide = TABLE.assign(**{f"train/nc{number}": 0.0 for number in range(60)})
    with pytest.raises(ValueError, match="--sort: got 'target/error'") as caught:
        pick(wide, [], "-target/error")
    said = str(caught.value)
    assert "(their data set has no target classes); the nearest are test/error; --csv=OUT writes all 65" in said
    assert len(said) < 300
