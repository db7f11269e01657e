"""B1: collapse happens on the train set and not on the test set."""

import numpy as np
import pandas as pd
from jaxtyping import Float

from ncjax.claims.claim import Claim, Headline
from ncjax.claims.evidence import mean_finding
from ncjax.claims.runs import Runs
from ncjax.claims.verdict import Finding

TRAIN, TEST = "train/variance_ratio", "test/variance_ratio"
STALL_SHARE = 0.25
"""Test variance has stalled when its logarithm falls at less than this share of the rate of train variance."""

_HEADLINE = "test minus train variance ratio at the end"


def lines(runs: Runs) -> list[Finding]:
    """Paired differences between test and train variance ratio: at the end, against the start, as slopes late on.

    The late slope of a run is the least-squares slope of log variance ratio against log epoch over the later half of
    training on the log scale: epochs from the geometric mean of the first positive and the last one.

    Args:
        runs: cut off at the moment in question.

    Returns:
        Findings, the headline (mean log ratio of test to train at the end) first.

    Source:
        Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, section 3.

    Example:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(6), "step": 9, "epoch": 1.0, "train/error": 0.0,
        ...                       "train/variance_ratio": 1.0, "test/variance_ratio": 1.0})
        >>> lines(select_runs(table))[0].value
        0.0
    """
    gap = log_of(runs.values(TEST)) - log_of(runs.values(TRAIN))
    first = runs.rows.groupby("run").head(1)
    # Test images may differ from train images by design: the gap before training is not collapse.
    start = log_of(first[TEST].to_numpy(dtype=np.float64)) - log_of(first[TRAIN].to_numpy(dtype=np.float64))
    train, test = late_slopes(runs, TRAIN), late_slopes(runs, TEST)
    stall = f"test stalls or rises late (under {STALL_SHARE:.0%} of train's fall)"
    return [
        mean_finding(CLAIM.key, _HEADLINE, 1, "log ratio", runs, gap),
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
    values = log_of(rows[column].to_numpy(dtype=np.float64, na_value=np.nan))
    positive = epoch[epoch > 0]
    if not len(positive):
        return float("nan")
    late = (epoch >= np.sqrt(positive.min() * positive.max())) & np.isfinite(values)
    if late.sum() < 2:
        return float("nan")
    time = np.log(epoch[late]) - np.log(epoch[late]).mean()
    return float(time @ values[late] / (time @ time))


def log_of(values: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Logarithm of what is positive.

    Args:
        values: any numbers.

    Returns:
        Their logarithms; NaN for those that are not positive.

    Example:
        >>> log_of(np.array([1.0, 0.0])).tolist()
        [0.0, nan]
    """
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
    config="configs/limits_paper/train_test_collapse.py",
    headline=Headline(_HEADLINE, "log ratio", 1),
    lines=lines,
)
