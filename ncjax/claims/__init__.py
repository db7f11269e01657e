"""Claims of the papers as queries over the results table: statement, statistic with interval, verdict.

A new claim is one new file with a `Claim` and one line in `CLAIMS`; one of your own is given to `add_claim`.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import pandas as pd

from ncjax.claims.association import Relation, association_findings, axis_findings, axis_name
from ncjax.claims.claim import SAME, Claim, Headline
from ncjax.claims.findings import mean_finding, missing_columns
from ncjax.claims.gc_paper import (
    a1_complexity_and_collapse,
    a2_complexity_penalty,
    a3_complexity_estimators,
    a4_error_bound,
    a5_complexity_and_transfer,
    a6_flatness_and_complexity,
)
from ncjax.claims.limits_paper import (
    b1_train_and_test_collapse,
    b2_weak_and_strong_collapse,
    b3_sample_size,
    b4_coarse_to_fine,
    b5_cascade,
)
from ncjax.claims.limits_paper.b5_cascade import layer_taps
from ncjax.claims.rivals import OUTCOME, RIVALS, RIVALS_RULE, Rivals, Standing, rank_rivals
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
from ncjax.claims.statistics import (
    LEVEL,
    RESAMPLES,
    BootstrapInterval,
    bootstrap_interval,
    log_slope,
    partial_spearman,
    resampled_weights,
    spearman,
)
from ncjax.claims.verdict import MIN_UNITS, RULE, Finding, Verdict, decide
from ncjax.claims.when import When, cut_runs

__all__ = [
    "CLAIMS",
    "LEVEL",
    "LOST",
    "MIN_UNITS",
    "OUTCOME",
    "RESAMPLES",
    "RIVALS",
    "RIVALS_RULE",
    "RULE",
    "SAME",
    "TERMINAL_ERROR",
    "BootstrapInterval",
    "Claim",
    "Finding",
    "Headline",
    "LeftOut",
    "Relation",
    "Rivals",
    "Runs",
    "Standing",
    "Verdict",
    "When",
    "add_claim",
    "association_findings",
    "axis_findings",
    "axis_name",
    "bootstrap_interval",
    "count_lost",
    "cut_runs",
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
    "rank_rivals",
    "resampled_weights",
    "select_runs",
    "spearman",
    "sweep_axes",
]

CLAIMS: list[Claim] = [
    a1_complexity_and_collapse.CLAIM,
    a2_complexity_penalty.CLAIM,
    a3_complexity_estimators.CLAIM,
    a4_error_bound.CLAIM,
    a5_complexity_and_transfer.CLAIM,
    a6_flatness_and_complexity.CLAIM,
    b1_train_and_test_collapse.CLAIM,
    b2_weak_and_strong_collapse.CLAIM,
    b3_sample_size.CLAIM,
    b4_coarse_to_fine.CLAIM,
    b5_cascade.CLAIM,
]

_SHIPPED = frozenset(claim.key for claim in CLAIMS)
_RENAMED = {"Interval": "BootstrapInterval", "Moment": "When", "at_moment": "cut_runs"}


def __getattr__(name: str) -> Any:
    """Names of the version before."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new = _RENAMED[name]
    warnings.warn(f"ncjax.claims.{name} is now ncjax.claims.{new}", DeprecationWarning, stacklevel=2)
    return globals()[new]


def add_claim(claim: Claim) -> None:
    """Registers a claim; a module that `config.plugins` names calls this.

    Args:
        claim: whose key no claim of ncjax has. One that was added before under that key is replaced.

    Raises:
        ValueError: if ncjax has a claim of that key.
    """
    if claim.key in _SHIPPED:
        raise ValueError(f"claim: got the key {claim.key!r}, which a claim of ncjax has; expected a new one")
    CLAIMS[:] = [each for each in CLAIMS if each.key != claim.key] + [claim]


def evaluate(table: pd.DataFrame, claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Judges claims on a results table.

    Args:
        table: one row a (run, checkpoint) with the columns of ``results.jsonl``.
        claims: which claims; all by default.

    Returns:
        Findings claim by claim, each claim's headline first.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Examples:
        >>> table = pd.DataFrame({"run": [0, 1], "step": [1, 1], "train/error": [0.5, 0.6]})
        >>> [(finding.claim, str(finding.verdict)) for finding in evaluate(table)][:2]
        [('A1', 'not applicable'), ('A2', 'not applicable')]
    """
    number_runs(table)
    return [finding for claim in claims for finding in claim.evaluate(table)]
