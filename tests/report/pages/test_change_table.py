"""What training changed, as a table."""

import numpy as np
import pandas as pd
import pytest

from ncjax.report.pages.change_table import change_table

pytestmark = pytest.mark.structure


def checkpoints(**columns: list[float]) -> pd.DataFrame:
    """Two runs, each measured before training, on the way and at the end."""
    return pd.DataFrame(
        {"run": [0, 0, 0, 1, 1, 1], "step": [0, 1, 2] * 2, "train/error": [0.9, 0.5, 0.0] * 2} | columns
    )


def cells(table: pd.DataFrame) -> dict[str, list[str]]:
    found = change_table(table)
    assert found is not None
    return {row[0].text: [cell.text for cell in row[1:]] for row in found.rows}


def test_the_ratio_is_of_the_last_checkpoint_to_the_first_of_each_run():
    found = cells(checkpoints(**{"train/cdnv": [2.0, 9.0, 1.0, 4.0, 9.0, 1.0]}))
    # Medians of 2 and 4, of 1 and 1, of 1/2 and 1/4.
    assert found["train: CDNV"] == ["3", "1", "0.375 [0.25, 0.5]"]


def test_a_measure_may_end_at_zero():
    assert cells(checkpoints())["train: error"] == ["0.9", "0", "0 [0, 0]"]


def test_what_starts_at_zero_or_is_no_number_has_no_ratio():
    found = cells(checkpoints(**{"train/nc1": [0.0, 1.0, 1.0, np.nan, 1.0, 1.0]}))
    assert "train: NC1" not in found


def test_lost_runs_do_not_count():
    table = checkpoints(**{"train/cdnv": [2.0, 9.0, 1.0, 4.0, 9.0, 1.0]}).assign(diverged=[False] * 3 + [True] * 3)
    assert cells(table)["train: CDNV"] == ["2", "1", "0.5 [0.5, 0.5]"]


def test_a_run_that_has_not_begun_does_not_count():
    assert change_table(checkpoints().iloc[:1]) is None


def test_layers_and_times_are_not_shown():
    found = cells(checkpoints(**{"layer/block1/nc1": [1.0] * 6, "time/train_seconds": [1.0] * 6}))
    assert list(found) == ["train: error"]


def test_splits_stand_in_their_order():
    rows = {f"{split}/cdnv": [1.0] * 6 for split in ("target", "test", "train")}
    assert list(cells(checkpoints(**rows))) == ["train: error", "train: CDNV", "test: CDNV", "target: CDNV"]
