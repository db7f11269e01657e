"""Claims of the papers as queries over the results table: statement, statistic with interval, verdict.

A new claim is one new file with a `Claim` and one line in `CLAIMS`.
"""

import pandas as pd

from ncjax.claims.association import Relation, association_findings, axis_findings, axis_name
from ncjax.claims.bootstrap import LEVEL, RESAMPLES, Interval, bootstrap_interval, resampled_weights
from ncjax.claims.claim import SAME, Claim, Headline
from ncjax.claims.evidence import mean_finding, missing_columns
from ncjax.claims.gc_paper import a1_complexity_and_collapse as complexity_and_collapse
from ncjax.claims.gc_paper import a2_complexity_penalty as complexity_penalty
from ncjax.claims.gc_paper import a3_complexity_estimators as complexity_estimators
from ncjax.claims.gc_paper import a4_error_bound as error_bound
from ncjax.claims.gc_paper import a5_complexity_and_transfer as complexity_and_transfer
from ncjax.claims.gc_paper import a6_flatness_and_complexity as flatness_and_complexity
from ncjax.claims.limits_paper import b1_train_and_test_collapse as train_and_test_collapse
from ncjax.claims.limits_paper import b2_weak_and_strong_collapse as weak_and_strong_collapse
from ncjax.claims.limits_paper import b3_sample_size as sample_size
from ncjax.claims.limits_paper import b4_coarse_to_fine as coarse_to_fine
from ncjax.claims.limits_paper import b5_cascade as cascade
from ncjax.claims.limits_paper.b5_cascade import layer_taps
from ncjax.claims.moments import Moment, at_moment
from ncjax.claims.rank_correlation import partial_spearman, spearman
from ncjax.claims.runs import (
    LOST,
    TERMINAL_ERROR,
    LeftOut,
    Runs,
    count_lost,
    final_rows,
    hyperparameters,
    lost_runs,
    number_runs,
    select_runs,
    sweep_axes,
)
from ncjax.claims.slopes import log_slope
from ncjax.claims.verdict import MIN_UNITS, RULE, Finding, Verdict, decide

__all__ = [
    "CLAIMS",
    "LEVEL",
    "LOST",
    "MIN_UNITS",
    "RESAMPLES",
    "RULE",
    "SAME",
    "TERMINAL_ERROR",
    "Claim",
    "Finding",
    "Headline",
    "Interval",
    "LeftOut",
    "Moment",
    "Relation",
    "Runs",
    "Verdict",
    "association_findings",
    "at_moment",
    "axis_findings",
    "axis_name",
    "bootstrap_interval",
    "count_lost",
    "decide",
    "evaluate",
    "final_rows",
    "hyperparameters",
    "layer_taps",
    "log_slope",
    "lost_runs",
    "mean_finding",
    "missing_columns",
    "number_runs",
    "partial_spearman",
    "resampled_weights",
    "select_runs",
    "spearman",
    "sweep_axes",
]

CLAIMS: tuple[Claim, ...] = (
    complexity_and_collapse.CLAIM,
    complexity_penalty.CLAIM,
    complexity_estimators.CLAIM,
    error_bound.CLAIM,
    complexity_and_transfer.CLAIM,
    flatness_and_complexity.CLAIM,
    train_and_test_collapse.CLAIM,
    weak_and_strong_collapse.CLAIM,
    sample_size.CLAIM,
    coarse_to_fine.CLAIM,
    cascade.CLAIM,
)


def evaluate(table: pd.DataFrame, claims: tuple[Claim, ...] = CLAIMS) -> list[Finding]:
    """Judges claims on a results table.

    Args:
        table: one row a (run, checkpoint) with the columns of ``results.jsonl``.
        claims: which claims; all by default.

    Returns:
        Findings claim by claim, each claim's headline first.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Example:
        >>> table = pd.DataFrame({"run": [0, 1], "step": [1, 1], "train/error": [0.5, 0.6]})
        >>> [(finding.claim, str(finding.verdict)) for finding in evaluate(table)][:2]
        [('A1', 'not applicable'), ('A2', 'not applicable')]
    """
    number_runs(table)
    return [finding for claim in claims for finding in claim.evaluate(table)]
