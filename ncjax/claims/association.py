"""How two quantities go together over runs: pooled, along each sweep axis, and with training progress held fixed."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from ncjax.claims.findings import SPEARMAN, NotApplicable, judge, lacking, missing_columns, not_applicable_finding
from ncjax.claims.runs import Runs
from ncjax.claims.statistics import log_slope, partial_spearman, spearman
from ncjax.claims.verdict import Finding, Verdict

Statistic = Callable[..., Float[np.ndarray, " b"]]


@dataclasses.dataclass(frozen=True)
class Relation:
    """A quantity that is said to go with another.

    Attributes:
        column: its name in the results table.
        name: its name for a reader.
        claimed: +1 if it is said to rise with the other quantity, -1 if to fall.

    Examples:
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

    For every relation: over all runs; along each axis that varies, the other axes held fixed; over all runs with the
    train loss partialled out; and the slope of one logarithm on the other, where both are positive. All are taken at
    the runs' last rows.

    Args:
        claim: key of the claim.
        runs: the runs; the headline's columns must be there.
        column: the first quantity's name in the results table.
        name: its name for a reader.
        relations: the other quantities, the headline's first.

    Returns:
        Findings, the headline first; the note of a first line says whether it comes out otherwise given train loss.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(6), "step": 1, "train/error": 0.0, "a/x": range(6), "a/y": range(6)})
        >>> findings = association_findings("A1", select_runs(table), "a/x", "x", [Relation("a/y", "y", 1)])
        >>> findings[0].line, str(findings[0].verdict)
        ('x and y, all runs', 'supported')
    """
    findings: list[Finding] = []
    for relation in relations:
        missing = missing_columns(runs.rows, [column, relation.column])
        if missing:
            why = NotApplicable(lacking(missing), runs.left_out)
            line = f"{name} and {relation.name}, all runs"
            findings.append(not_applicable_finding(claim, line, SPEARMAN, relation.claimed, why))
        else:
            findings += _lines(claim, runs, column, name, relation)
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

    Examples:
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

    Examples:
        >>> axis_name("learning_rate"), axis_name("l2")
        ('learning rate', 'L2')
    """
    names = {"l2": "L2", "gc_penalty": "GC penalty", "sam_rho": "SAM radius"}
    return names.get(axis, axis.replace("_", " "))


def _lines(claim: str, runs: Runs, column: str, name: str, relation: Relation) -> list[Finding]:
    x, y = runs.values(column), runs.values(relation.column)
    pair = f"{name} and {relation.name}"

    def across(label: str, statistic: str, values: Float[np.ndarray, "columns runs"], measure: Statistic) -> Finding:
        known = values[:, np.isfinite(values).all(axis=0)]
        return judge(
            claim, f"{pair}, {label}", relation.claimed, statistic, runs,
            lambda kept, weights: measure(*known, weights, kept.strata()),
            finite=values, across_settings=True, widen=measure is log_slope,
        )  # fmt: skip

    first = across("all runs", SPEARMAN, np.stack([x, y]), spearman)
    rest = [_along(claim, f"{pair}, along {axis_name(axis)}", relation.claimed, runs, axis, x, y) for axis in runs.axes]
    # At equal train loss nothing is left to hold fixed.
    if not missing_columns(runs.rows, ["train/loss"]) and np.ptp(np.log(_positive(runs.values("train/loss")))) > 1e-6:
        given = across("given train loss", "partial ρ", np.stack([x, y, runs.values("train/loss")]), partial_spearman)
        rest.append(given)
        if given.verdict is not first.verdict and first.verdict is not Verdict.NOT_APPLICABLE:
            note = "; ".join(filter(None, [first.note, f"differs given train loss ({given.verdict})"]))
            first = dataclasses.replace(first, note=note)
    if (x[np.isfinite(x)] > 0).all() and (y[np.isfinite(y)] > 0).all():
        rest.append(across("log on log", "log slope", np.stack([x, y]), log_slope))
    return [first, *rest]


def _positive(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " m"]:
    known = values[np.isfinite(values) & (values > 0)]
    return known if len(known) else np.ones(1)


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
