"""What a claim is, what one line of its evidence says, and the rule that turns an interval into a verdict."""

import dataclasses
import enum
import math
import warnings
from typing import Any

from ncjax.claims.runs import TERMINAL_ERROR
from ncjax.claims.statistics import BootstrapInterval

MIN_UNITS = 5
"""Fewer resampled units than this give no verdict: even four runs in perfect order happen once in twelve by chance."""

RULE = (
    "supported if the 95% bootstrap interval excludes zero in the claimed direction, contradicted if in the other, "
    f"inconclusive if it holds zero or if fewer than {MIN_UNITS} units were resampled (then there is no interval), "
    f"not applicable if no run reached the terminal phase (a final train error of at most {TERMINAL_ERROR:.0%}), "
    "if a column is missing, or if the runs do not differ in what the claim varies"
)


class Verdict(enum.StrEnum):
    """The four answers that a claim can get.

    Examples:
        >>> Verdict("supported") is Verdict.SUPPORTED
        True
    """

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "not applicable"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line of evidence on a claim: a statistic, its interval over runs, and the verdict that follows.

    Attributes:
        claim: key of the claim, e.g. ``"A1"``.
        line: what was compared, e.g. ``"GC and train CDNV, all runs"``.
        verdict: see `decide`.
        statistic: name of the statistic, e.g. ``"Spearman's ρ"``.
        claimed: the sign that the claim predicts, +1 or -1.
        value: the statistic over all runs of the line; NaN where there is none.
        low: lower end of the 95% interval.
        high: upper end of the 95% interval.
        runs: runs that the statistic is made of.
        units: units that the bootstrap resamples.
        unit: what a unit is, ``"settings"`` (all seeds of one setting together) or ``"runs"``.
        when: where in training runs were compared, a `ncjax.claims.When` in words.
        headline: whether this line speaks for the claim.
        diverged: runs left out because they diverged.
        exploded: runs left out because their geometric complexity passed 1e9 on the way.
        collapsed: runs left out because their features collapsed to a point.
        unsettled: runs left out because their train error stayed above the terminal phase's threshold.
        note: what a reader must know beside the numbers, or nothing.

    Examples:
        >>> finding = Finding("A1", "GC and train CDNV, all runs", Verdict.SUPPORTED, "Spearman's ρ", 1,
        ...                   value=0.8, low=0.3, high=0.95, runs=12, units=6, unit="settings")
        >>> finding.as_dict()["verdict"]
        'supported'
    """

    claim: str
    line: str
    verdict: Verdict
    statistic: str
    claimed: int
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    runs: int = 0
    units: int = 0
    unit: str = "runs"
    when: str = "at the end"
    headline: bool = False
    diverged: int = 0
    exploded: int = 0
    collapsed: int = 0
    unsettled: int = 0
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON can hold it: NaN becomes None, the verdict a plain string.

        Returns:
            One entry per attribute.

        Examples:
            >>> Finding("B1", "gap", Verdict.NOT_APPLICABLE, "mean", 1).as_dict()["value"] is None
            True
        """
        plain = dataclasses.asdict(self) | {"verdict": str(self.verdict)}
        # In files ``when`` keeps the key that it had in files of earlier versions.
        return {
            "moment" if key == "when" else key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in plain.items()
        }

    @property
    def moment(self) -> str:
        """The earlier name of ``when``."""
        warnings.warn("Finding.moment is now Finding.when", DeprecationWarning, stacklevel=2)
        return self.when


def decide(interval: BootstrapInterval, claimed: int, units: int) -> Verdict:
    """The rule, fixed before any data: where the interval lies relative to zero.

    Args:
        interval: the statistic with the ends of its 95% interval.
        claimed: the sign that the claim predicts, +1 or -1.
        units: how many units were resampled; fewer than `MIN_UNITS` decide nothing.

    Returns:
        Supported, contradicted or inconclusive.

    Raises:
        ValueError: if ``claimed`` is neither +1 nor -1.

    Examples:
        >>> decide(BootstrapInterval(0.5, 0.1, 0.9), claimed=1, units=12)
        <Verdict.SUPPORTED: 'supported'>
        >>> decide(BootstrapInterval(0.5, 0.1, 0.9), claimed=-1, units=12)
        <Verdict.CONTRADICTED: 'contradicted'>
        >>> decide(BootstrapInterval(0.5, -0.1, 0.9), claimed=1, units=12)
        <Verdict.INCONCLUSIVE: 'inconclusive'>
    """
    if claimed not in (1, -1):
        raise ValueError(f"claimed must be +1 or -1, got {claimed}")
    if units >= MIN_UNITS:
        if min(claimed * interval.low, claimed * interval.high) > 0:
            return Verdict.SUPPORTED
        if max(claimed * interval.low, claimed * interval.high) < 0:
            return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE
