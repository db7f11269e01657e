"""Probes are put in order with collapse and with time, which need not agree."""

import pandas as pd
import pytest

from ncjax.claims import select_runs
from ncjax.claims.limits_paper import b4_coarse_to_fine as coarse_to_fine

ACCURACY = [0.1, 0.2, 0.4, 0.3, 0.5]
# Accuracy rises with CDNV throughout, with time but for a pair of checkpoints, and falls with train variance.
COLUMNS = {
    "train/cdnv": [1.0, 2.0, 4.0, 3.0, 5.0],
    "train/variance_ratio": [5.0, 4.0, 2.0, 3.0, 1.0],
    "fine/ridge_accuracy": ACCURACY,
    "fine/knn_accuracy": ACCURACY[::-1],
}
# Of ranks 1 2 4 3 5 with 1 2 3 4 5, and of these reversed.
WITH_TIME = {"linear probe": 0.9, "5-NN": -0.9}


def orders(without: tuple[str, ...] = ()) -> dict[str, float]:
    """Values of the lines about orders, of one run."""
    table = pd.DataFrame({"run": 0, "step": range(1, 6), "train/error": 0.0, **COLUMNS}).drop(columns=list(without))
    found = coarse_to_fine.lines(select_runs(table))
    return {finding.line: finding.value for finding in found if ": order with " in finding.line}


@pytest.mark.parametrize("probe", WITH_TIME)
def test_the_order_with_time_is_that_of_steps(probe: str) -> None:
    assert orders()[f"{probe}: order with time"] == pytest.approx(WITH_TIME[probe])


def test_the_order_with_cdnv_is_that_over_the_checkpoints_of_a_run() -> None:
    assert orders()["linear probe: order with train CDNV in time"] == pytest.approx(1.0)


def test_the_order_with_train_variance_is_its_own() -> None:
    assert orders()["linear probe: order with train variance in time"] == pytest.approx(-1.0)


def test_without_cdnv_the_other_orders_are_there() -> None:
    assert orders(without=("train/cdnv",)).keys() == {
        f"{probe}: order with {course}" for probe in WITH_TIME for course in ("train variance in time", "time")
    }
