"""From the runs and a statistic to a finding."""

import dataclasses
import math
import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from ncjax.claims.runs import TERMINAL_ERROR, LeftOut, Runs, keep_runs, select_runs
from ncjax.claims.statistics import bootstrap_interval
from ncjax.claims.verdict import MIN_UNITS, Finding, Verdict, decide

SPEARMAN = "Spearman's ρ"


@dataclasses.dataclass(frozen=True)
class NotApplicable:
    """Why a claim cannot be judged on a table.

    Attributes:
        reason: one line.
        left_out: the runs that were left out.

    Examples:
        >>> NotApplicable("no run reached the terminal phase", LeftOut(unsettled=12)).left_out.unsettled
        12
    """

    reason: str
    left_out: LeftOut = dataclasses.field(default_factory=LeftOut)


def missing_columns(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Names the columns that a table lacks, or that hold no number in it.

    Args:
        table: the results table.
        columns: the names needed; one with a placeholder, such as ``layer/<tap>/variance_ratio``, stands for two
            columns or more.

    Returns:
        Those that are missing, in the order given.

    Examples:
        >>> missing_columns(pd.DataFrame({"a": [1.0], "b": [None]}), ["a", "b", "c"])
        ['b', 'c']
    """
    return [name for name in columns if len(_matching(table, name)) < 1 + ("<" in name)]


def _matching(table: pd.DataFrame, name: str) -> list[str]:
    pattern = re.sub(r"<[^<>]+>", ".+", re.escape(name))
    there = [str(column) for column in table.columns if re.fullmatch(pattern, str(column))]
    return [column for column in there if table[column].notna().any()]


def not_applicable_finding(claim: str, line: str, statistic: str, claimed: int, why: NotApplicable) -> Finding:
    """A finding that says only why there is none.

    Args:
        claim: key of the claim.
        line: what was to be compared.
        statistic: its name.
        claimed: the sign that the claim predicts.
        why: the reason.

    Returns:
        A finding without numbers.

    Examples:
        >>> why = NotApplicable("no column 'target/cdnv'")
        >>> not_applicable_finding("A5", "GC and target CDNV", SPEARMAN, 1, why).verdict
        <Verdict.NOT_APPLICABLE: 'not applicable'>
    """
    return Finding(
        claim, line, Verdict.NOT_APPLICABLE, statistic, claimed, note=why.reason,
        **dataclasses.asdict(why.left_out),
    )  # fmt: skip


def prepare_runs(
    table: pd.DataFrame,
    columns: Sequence[str],
    config: str = "",
    terminal: bool = True,
    varied: Sequence[str] = (),
) -> Runs | NotApplicable:
    """The runs that a claim may speak of, or the reason why there are none.

    Args:
        table: the results table.
        columns: what the claim's headline needs beside ``train/error``.
        config: name or file of a sweep's config that measures them.
        terminal: whether the claim speaks of the terminal phase alone.
        varied: hyper-parameters in which runs must differ.

    Returns:
        The runs, or one line that names the missing columns or the threshold that no run reached.

    Examples:
        >>> prepare_runs(pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]}), ["train/error"]).reason
        'no run reached the terminal phase (train error at most 0.05 at the end): 1 stayed above, 0 diverged'
    """
    missing = missing_columns(table, [*columns, "train/error"])
    if missing:
        return NotApplicable(lacking(missing, config))
    alike = [name for name in varied if name not in table or table[name].nunique() < 2]
    if alike:
        varying = _called(config) or "another sweep"
        return NotApplicable(f"the runs do not differ in {' and '.join(alike)}: {varying} varies it")
    runs = select_runs(table, terminal)
    if len(runs.final):
        return runs
    if not terminal:
        return NotApplicable(f"no run is left: {runs.left_out.lost}", runs.left_out)
    return NotApplicable(unsettled_reason(runs), runs.left_out)


def lacking(missing: Sequence[str], config: str = "") -> str:
    """Says which columns are missing and where they come from.

    Args:
        missing: their names.
        config: name or file of a sweep's config that measures them.

    Returns:
        One line.

    Examples:
        >>> lacking(["train/cdnv"], "quickstart")
        'the results table lacks train/cdnv: --config=quickstart measures it'
    """
    them = "it" if len(missing) == 1 else "them"
    return f"the results table lacks {', '.join(missing)}: {_called(config) or 'a sweep'} measures {them}"


def _called(config: str) -> str:
    return f"--config={config}" if config else ""


def unsettled_reason(runs: Runs, when: str = "at the end") -> str:
    """Says that no run was in the terminal phase.

    Args:
        runs: the selection that came out empty.
        when: at the end of training or elsewhere, in words.

    Returns:
        One line.

    Examples:
        >>> table = pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]})
        >>> unsettled_reason(select_runs(table))
        'no run reached the terminal phase (train error at most 0.05 at the end): 1 stayed above, 0 diverged'
    """
    return (
        f"no run reached the terminal phase (train error at most {TERMINAL_ERROR} {when}): "
        f"{runs.left_out.unsettled} stayed above, {runs.left_out.lost}"
    )


def judge(
    claim: str,
    line: str,
    claimed: int,
    statistic: str,
    runs: Runs,
    of_weights: Callable[[Runs, Float[np.ndarray, "b n"]], Float[np.ndarray, " b"]],
    *,
    finite: Float[np.ndarray, "columns runs"],
    across_settings: bool,
    widen: bool = False,
) -> Finding:
    """One line of evidence: drops runs without finite values, resamples the others, applies the verdict rule.

    Args:
        claim: key of the claim.
        line: what is compared.
        claimed: the sign that the claim predicts.
        statistic: its name.
        runs: the runs.
        of_weights: the statistic: kept runs and weights [b, kept] to values [b].
        finite: the quantities that a run must have to take part, [columns, runs].
        across_settings: whether whole settings are drawn (where there are enough) rather than single runs;
            `ncjax.claims.statistics` says which question asks for which.
        widen: whether the statistic is a mean, whose interval has to be widened.

    Returns:
        The finding; without an interval and inconclusive where too few runs are left.

    Examples:
        >>> from ncjax.claims.runs import select_runs
        >>> gap = np.array([1.0, 1.5, 2.0, 1.0, 0.5, 1.0])
        >>> table = pd.DataFrame({"run": range(6), "step": 1, "learning_rate": range(6), "train/error": 0.0})
        >>> finding = judge("B1", "gap", 1, "mean", select_runs(table),
        ...                 lambda runs, weights: weights @ gap / weights.sum(axis=1),
        ...                 finite=gap[None], across_settings=True, widen=True)
        >>> str(finding.verdict), finding.units, finding.unit
        ('supported', 6, 'settings')
    """
    kept = keep_runs(runs, np.isfinite(finite).all(axis=0))
    units, unit = _units(kept, across_settings)
    count = len(np.unique(units))
    finding = Finding(
        claim, line, Verdict.INCONCLUSIVE, statistic, claimed, runs=len(units), units=count, unit=unit,
        **dataclasses.asdict(runs.left_out),
    )  # fmt: skip
    if count < MIN_UNITS:
        # So few can be in perfect order by chance; a mean of few is still a mean.
        known = count and widen
        value = float(of_weights(kept, np.ones((1, count)))[0]) if known else math.nan
        note = f"not judged, too few runs: {count}, at least {MIN_UNITS} are needed"
        return dataclasses.replace(finding, value=value, note=note)
    interval = bootstrap_interval(lambda weights: of_weights(kept, weights), units, widen=widen)
    note = ""
    if across_settings and unit == "runs":
        settings = len(np.unique(kept.settings))
        few = "only one setting" if settings == 1 else f"only {settings} settings"
        note = f"{few}: single runs are resampled, so the interval does not speak of other settings"
    return dataclasses.replace(finding, verdict=decide(interval, claimed, count), note=note, **interval._asdict())


def mean_finding(
    claim: str,
    line: str,
    claimed: int,
    statistic: str,
    runs: Runs,
    values: Float[np.ndarray, " runs"],
) -> Finding:
    """A line whose statistic is the mean over runs of one number a run.

    Args:
        claim: key of the claim.
        line: what is compared.
        claimed: the sign of the mean that the claim predicts.
        statistic: its name.
        runs: the runs.
        values: one number a run; a run with NaN takes no part.

    Returns:
        The finding.

    Examples:
        >>> table = pd.DataFrame({"run": range(6), "step": 1, "learning_rate": range(6), "train/error": 0.0})
        >>> finding = mean_finding("B1", "gap", 1, "mean", select_runs(table), -np.arange(1.0, 7.0))
        >>> str(finding.verdict), finding.value
        ('contradicted', -3.5)
    """
    numbers = values[np.isfinite(values)]
    return judge(
        claim, line, claimed, statistic, runs, lambda _, weights: weights @ numbers / weights.sum(axis=1),
        finite=values[None], across_settings=True, widen=True,
    )  # fmt: skip


def _units(runs: Runs, across_settings: bool) -> tuple[Int[np.ndarray, " runs"], str]:
    if across_settings and len(np.unique(runs.settings)) >= MIN_UNITS:
        return runs.settings, "settings"
    return np.arange(len(runs.final)), "runs"
