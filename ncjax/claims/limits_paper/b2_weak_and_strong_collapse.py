"""B2: neither weak nor strong collapse is reached on the test set.

Weak: test features lie close to the train mean of any class. Strong: to that of their own. Both variances are relative
to the distance of the train means, as the train set's variance ratio is.
"""

from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import mean_finding
from ncjax.claims.limits_paper.b1_train_and_test_collapse import TRAIN
from ncjax.claims.runs import Runs
from ncjax.claims.trends import first_values, late_slopes, log_of
from ncjax.claims.verdict import Finding

WEAK, STRONG = "test/weak_variance", "test/strong_variance"
KINDS = {WEAK: "weak test variance", STRONG: "strong test variance"}
_HEADLINE = "weak test variance is above train variance"


def lines(runs: Runs) -> list[Finding]:
    """Log ratios of weak and strong test variance to train variance, and their slopes late in training.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline first.

    Source:
        Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, section 3.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(2), "step": 9, "epoch": 1.0, "train/error": 0.0,
        ...                       "train/variance_ratio": 1.0, "test/weak_variance": 1.0, "test/strong_variance": 2.0})
        >>> lines(select_runs(table))[0].value
        0.0
    """
    train, start = log_of(runs.values(TRAIN)), log_of(first_values(runs, TRAIN))
    findings = []
    for column, name in KINDS.items():
        gap = log_of(runs.values(column)) - train
        opened = gap - (log_of(first_values(runs, column)) - start)
        slope, behind = late_slopes(runs, column), late_slopes(runs, column) - late_slopes(runs, TRAIN)
        findings += [
            mean_finding(CLAIM.key, f"{name} is above train variance", 1, "log ratio", runs, gap),
            mean_finding(CLAIM.key, f"the gap of {name} grows since the start", 1, "log ratio", runs, opened),
            mean_finding(CLAIM.key, f"{name} falls more slowly than train late", 1, "slope", runs, behind),
            mean_finding(CLAIM.key, f"{name} does not fall late", 1, "slope", runs, slope),
        ]
    return findings


CLAIM = Claim(
    key="B2",
    title="Neither weak nor strong test collapse",
    statement=(
        "Test features come close neither to the class mean of their own class nor to that of any class, as train "
        "features do: both variances stay above the train set's, and fall more slowly or not at all."
    ),
    source="Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, section 3",
    columns=(WEAK, STRONG, TRAIN, "epoch"),
    config="limits_paper/train_test_collapse",
    headline=Headline(_HEADLINE, "log ratio", 1),
    lines=lines,
)
