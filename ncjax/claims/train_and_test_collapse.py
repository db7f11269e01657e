"""B1: collapse happens on the train set and not on the test set."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from ncjax.claims.evidence import Unfit, mean_finding, not_applicable, prepare_runs
from ncjax.claims.runs import Runs
from ncjax.claims.verdict import Claim, Finding

TRAIN, TEST = "train/variance_ratio", "test/variance_ratio"
STALL_SHARE = 0.25
"""Test variance has stalled when its logarithm falls at less than this share of the rate of train variance."""

_HEADLINE = "test minus train variance ratio at the end"


def evaluate(table: pd.DataFrame) -> list[Finding]:
    """Paired differences between test and train variance ratio: at the end, against the start, as slopes late on.

    The late slope of a run is the least-squares slope of log variance ratio against log epoch over the later half of
    training on the log scale: epochs from the geometric mean of the first positive and the last one.

    Args:
        table: the results table.

    Returns:
        Findings, the headline (mean log ratio of test to train at the end) first.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Source:
        Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, section 3.

    Example:
        >>> evaluate(pd.DataFrame({"run": [0], "step": 9, "train/error": 0.0, "train/variance_ratio": 1.0}))[0].note
        'the results table lacks test/variance_ratio, epoch: measure them to judge this claim'
    """
    runs = prepare_runs(table, CLAIM.columns)
    if isinstance(runs, Unfit):
        return [not_applicable(CLAIM.key, _HEADLINE, "log ratio", 1, runs)]
    gap = _log(runs.values(TEST)) - _log(runs.values(TRAIN))
    first = runs.rows.groupby("run").head(1)
    # Test images may differ from train images by design: the gap before training is not collapse.
    start = _log(first[TEST].to_numpy(dtype=np.float64)) - _log(first[TRAIN].to_numpy(dtype=np.float64))
    train, test = late_slopes(runs, TRAIN), late_slopes(runs, TEST)
    stall = f"test stalls or rises late (under {STALL_SHARE:.0%} of train's fall)"
    return [
        mean_finding(CLAIM.key, _HEADLINE, 1, "log ratio", runs, gap, headline=True),
        mean_finding(CLAIM.key, "the gap grows from first to last checkpoint", 1, "log ratio", runs, gap - start),
        mean_finding(CLAIM.key, "train variance ratio falls late in training", -1, "slope", runs, train),
        mean_finding(CLAIM.key, "test falls more slowly than train late in training", 1, "slope", runs, test - train),
        mean_finding(CLAIM.key, stall, 1, "slope", runs, test - STALL_SHARE * train),
        mean_finding(CLAIM.key, "test variance ratio rises late in training", 1, "slope", runs, test),
    ]


def late_slopes(runs: Runs, column: str) -> Float[np.ndarray, " runs"]:
    """Slope of a positive quantity's logarithm against log epoch, over the later half of training on the log scale.

    Args:
        runs: the runs; their rows need ``epoch``.
        column: the quantity's name in the results table.

    Returns:
        One slope a run: -1 means that doubling the epochs halves the quantity; NaN where fewer than two checkpoints
        qualify.

    Example:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": 0, "step": range(5), "epoch": [0, 1, 2, 4, 8], "train/error": 0.0,
        ...                       "a/x": [9, 8, 4, 2, 1]})
        >>> late_slopes(select_runs(table), "a/x").round(6).tolist()
        [-1.0]
    """
    return np.array([_slope(rows, column) for _, rows in runs.rows.groupby("run")], dtype=np.float64)


def _slope(rows: pd.DataFrame, column: str) -> float:
    epoch = rows["epoch"].to_numpy(dtype=np.float64)
    values = _log(rows[column].to_numpy(dtype=np.float64, na_value=np.nan))
    positive = epoch[epoch > 0]
    if not len(positive):
        return float("nan")
    late = (epoch >= np.sqrt(positive.min() * positive.max())) & np.isfinite(values)
    if late.sum() < 2:
        return float("nan")
    time = np.log(epoch[late]) - np.log(epoch[late]).mean()
    return float(time @ values[late] / (time @ time))


def _log(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.log(np.where(values > 0, values, np.nan))


CLAIM = Claim(
    key="B1",
    title="Collapse on train, not on test",
    statement=(
        "In the terminal phase the within-class variance, relative to the distance of the class means, keeps falling "
        "on the train set, while on the test set it stalls or rises and ends far above."
    ),
    source="Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, section 3",
    columns=(TRAIN, TEST, "epoch"),
    evaluate=evaluate,
)
