"""How two quantities go together over runs: pooled, along each sweep axis, and with training progress held fixed."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ncjax.claims.evidence import SPEARMAN, Unfit, judge, missing_columns, not_applicable
from ncjax.claims.rank_correlation import partial_spearman, spearman
from ncjax.claims.runs import Runs, at_equal_epoch, at_equal_loss
from ncjax.claims.verdict import Finding, Verdict


@dataclasses.dataclass(frozen=True)
class Relation:
    """A quantity that is said to go with another.

    Attributes:
        column: its name in the results table.
        name: its name for a reader.
        claimed: +1 if it is said to rise with the other quantity, -1 if to fall.

    Example:
        >>> Relation("target/accuracy_5shot", "5-shot accuracy", -1).claimed
        -1
    """

    column: str
    name: str
    claimed: int


def association_findings(
    claim: str, runs: Runs, column: str, name: str, relations: Sequence[Relation]
) -> list[Finding]:
    """Spearman's rho between one quantity and several others, each in several lines; the first line is the headline.

    For every relation: over all runs at the end of training; along each axis that varies, the other axes held fixed;
    over all runs with the train loss partialled out; at equal train loss; and, where runs ended at different epochs, at
    the last epoch they share.

    Args:
        claim: key of the claim.
        runs: the runs; the headline's columns must be there.
        column: the first quantity's name in the results table.
        name: its name for a reader.
        relations: the other quantities, the headline's first.

    Returns:
        Findings, the headline first; its note says which variants over all runs come out otherwise.

    Example:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(6), "step": 1, "train/error": 0.0, "a/x": range(6), "a/y": range(6)})
        >>> findings = association_findings("A1", select_runs(table), "a/x", "x", [Relation("a/y", "y", 1)])
        >>> findings[0].line, str(findings[0].verdict)
        ('x and y, all runs', 'supported')
    """
    findings: list[Finding] = []
    for number, relation in enumerate(relations):
        missing = missing_columns(runs.rows, [column, relation.column])
        if missing:
            unfit = Unfit(f"the results table lacks {', '.join(missing)}", runs.diverged, runs.unsettled)
            findings.append(
                not_applicable(
                    claim, f"{name} and {relation.name}, all runs", SPEARMAN, relation.claimed, unfit, number == 0
                )
            )
        else:
            findings += _lines(claim, runs, column, name, relation, headline=number == 0)
    return findings


def axis_findings(claim: str, runs: Runs, column: str, name: str, claimed: dict[str, int]) -> list[Finding]:
    """Whether a quantity at the end of training rises or falls along the sweep's axes, the other axes held fixed.

    Args:
        claim: key of the claim.
        runs: the runs.
        column: the quantity's name in the results table.
        name: its name for a reader.
        claimed: hyper-parameter to the predicted sign; those that do not vary are skipped.

    Returns:
        One finding an axis that varies.

    Example:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(6), "step": 1, "train/error": 0.0, "l2": range(6), "a/x": range(6)})
        >>> findings = axis_findings("A1", select_runs(table), "a/x", "GC", {"l2": -1})
        >>> [(finding.line, str(finding.verdict)) for finding in findings]
        [('L2 and GC', 'contradicted')]
    """
    return [
        _along(claim, f"{axis_name(axis)} and {name}", sign, runs, axis, runs.values(axis), runs.values(column))
        for axis, sign in claimed.items()
        if axis in runs.axes
    ]


def axis_name(axis: str) -> str:
    """A hyper-parameter's name for a reader.

    Args:
        axis: its column in the results table.

    Returns:
        Words.

    Example:
        >>> axis_name("learning_rate"), axis_name("l2")
        ('learning rate', 'L2')
    """
    return {"l2": "L2", "gc_penalty": "GC penalty", "sam_rho": "SAM radius"}.get(axis, axis.replace("_", " "))


def _lines(claim: str, runs: Runs, column: str, name: str, relation: Relation, headline: bool) -> list[Finding]:
    x, y = runs.values(column), runs.values(relation.column)
    pair = f"{name} and {relation.name}"

    def across(label: str, values: Float[np.ndarray, "columns runs"], headline: bool = False) -> Finding:
        finite = np.isfinite(values).all(axis=0)
        first, second, *third = values[:, finite]
        statistic = "partial ρ" if third else SPEARMAN

        def of_weights(kept: Runs, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
            if third:
                return partial_spearman(first, second, third[0], weights, kept.strata())
            return spearman(first, second, weights, kept.strata())

        return judge(
            claim, f"{pair}, {label}", relation.claimed, statistic, runs, of_weights,
            finite=values, across_settings=True, headline=headline,
        )  # fmt: skip

    first = across("all runs", np.stack([x, y]), headline)
    variants = []
    if not missing_columns(runs.rows, ["train/loss"]):
        variants.append(across("given train loss", np.stack([x, y, runs.values("train/loss")])))
        variants.append(across("at equal train loss", at_equal_loss(runs, (column, relation.column))))
    if "epoch" in runs.final and runs.final["epoch"].nunique() > 1:
        variants.append(across("at equal epochs", at_equal_epoch(runs, (column, relation.column))))
    along = [
        _along(claim, f"{pair}, along {axis_name(axis)}", relation.claimed, runs, axis, x, y) for axis in runs.axes
    ]
    return [_with_disagreement(first, variants, len(pair) + 2), *along, *variants]


def _along(
    claim: str, line: str, claimed: int, runs: Runs, axis: str,
    x: Float[np.ndarray, " runs"], y: Float[np.ndarray, " runs"],
) -> Finding:  # fmt: skip
    finite = np.isfinite(x) & np.isfinite(y)
    return judge(
        claim, line, claimed, SPEARMAN, runs,
        lambda kept, weights: spearman(x[finite], y[finite], weights, kept.strata(axis)),
        finite=np.stack([x, y]), across_settings=False,
    )  # fmt: skip


def _with_disagreement(finding: Finding, variants: Sequence[Finding], skip: int) -> Finding:
    other = [f"{variant.line[skip:]} ({variant.verdict})" for variant in variants if variant.verdict != finding.verdict]
    if not other or finding.verdict is Verdict.NOT_APPLICABLE:
        return finding
    return dataclasses.replace(finding, note="; ".join(filter(None, [finding.note, "differs " + ", ".join(other)])))
