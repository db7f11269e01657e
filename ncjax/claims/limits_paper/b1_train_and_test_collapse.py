"""B1: collapse happens on the train set and not on the test set."""

from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import mean_finding
from ncjax.claims.runs import Runs
from ncjax.claims.trends import first_values, late_slopes, log_of
from ncjax.claims.verdict import Finding

TRAIN, TEST = "train/variance_ratio", "test/variance_ratio"
STALL_SHARE = 0.25
"""Test variance has stalled when its logarithm falls at less than this share of the rate of train variance."""

_HEADLINE = "test minus train variance ratio at the end"


def lines(runs: Runs) -> list[Finding]:
    """Paired differences between test and train variance ratio: at the end, against the start, as slopes late on.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline (mean log ratio of test to train at the end) first.

    Source:
        Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, section 3.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(6), "step": 9, "epoch": 1.0, "train/error": 0.0,
        ...                       "train/variance_ratio": 1.0, "test/variance_ratio": 1.0})
        >>> lines(select_runs(table))[0].value
        0.0
    """
    gap = log_of(runs.values(TEST)) - log_of(runs.values(TRAIN))
    # Test images may differ from train images by design: the gap before training is not collapse.
    start = log_of(first_values(runs, TEST)) - log_of(first_values(runs, TRAIN))
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


CLAIM = Claim(
    key="B1",
    title="Collapse on train, not on test",
    statement=(
        "In the terminal phase the within-class variance, relative to the distance of the class means, keeps falling "
        "on the train set, while on the test set it stalls or rises and ends far above."
    ),
    source="Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, section 3",
    columns=(TRAIN, TEST, "epoch"),
    config="limits_paper/train_test_collapse",
    headline=Headline(_HEADLINE, "log ratio", 1),
    lines=lines,
)
