"""Which number at the end of training predicts transfer: every measure against one outcome, on the same runs.

The rule is fixed here, before any result is seen. Each measure has the sign that its source claims. A measure agrees by
Spearman's rho with the outcome times that sign, over the runs that a claim may speak of, compared within strata only;
settings are resampled, the same ones for all measures, so that their differences are paired. Of many measures one comes
out well by chance: beside its own 95% interval each has one that holds for all of them at once (Bonferroni).
"""

import dataclasses
import re
import warnings

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from scipy import stats

from ncjax.claims.runs import LeftOut, Runs, keep_runs, select_runs
from ncjax.claims.statistics import LEVEL, RESAMPLES, SEED, resampled_weights, spearman
from ncjax.claims.verdict import MIN_UNITS

OUTCOME = "target/accuracy_5shot"
_GC = "Munn, Dherin, Gonzalvo 2024"
_COLLAPSE = "Galanti, György, Hutter 2022"
_RANK = "Garrido, Balestriero, Najman, LeCun 2023"
_FLAT = "Foret, Kleiner, Mobahi, Neyshabur 2021"
# Measures by column, with the sign of their relation to transfer, and who claims it or whose measure it is.
RIVALS: dict[str, tuple[int, str]] = {
    "train/geometric_complexity": (-1, _GC),
    "target/geometric_complexity": (-1, _GC),
    "train/geometric_collapse_pooled": (-1, _GC),
    "train/cdnv": (-1, _COLLAPSE),
    "test/cdnv": (-1, _COLLAPSE),
    "target/cdnv": (-1, _COLLAPSE),
    "train/directional_cdnv": (-1, "Luthra, Salunkhe, Galanti 2026"),
    "test/directional_cdnv": (-1, "Luthra, Salunkhe, Galanti 2026"),
    "target/directional_cdnv": (-1, "Luthra, Salunkhe, Galanti 2026"),
    "target/few_shot_certificate_<shots>shot": (-1, "the certificate of ncjax"),
    "train/nc1": (-1, _COLLAPSE),
    "test/nc1": (-1, _COLLAPSE),
    "target/nc1": (-1, _COLLAPSE),
    "train/rankme": (1, _RANK),
    "target/rankme": (1, _RANK),
    "train/effective_rank": (1, _RANK),
    "target/effective_rank": (1, _RANK),
    "train/class_separation": (-1, "Kornblith, Chen, Lee, Norouzi 2021"),
    "train/sam_sharpness": (-1, _FLAT),
    "train/hessian_trace": (-1, "Hochreiter, Schmidhuber 1997"),
    "train/loss_gradient_norm": (-1, "Zhao, Zhang, Hu 2022"),
    "train/loss": (-1, "the loss that is trained on"),
    "test/loss": (-1, "Kornblith, Shlens, Le 2019"),
    "test/error": (-1, "Kornblith, Shlens, Le 2019"),
    "target/log_me": (1, "You, Liu, Wang, Long 2021"),
    "target/h_score": (1, "Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas 2019"),
    "target/h_score_shrunk": (1, "Ibrahim, Ponomareva, Mazumder 2022"),
    "target/gbc": (1, "Pándy, Agostinelli, Uijlings, Ferrari, Mensink 2022"),
    "target/leep": (1, "Nguyen, Hassner, Seeger, Archambeau 2020"),
    "target/trans_rate": (1, "Huang, Huang, Rong, Yang, Wei 2022"),
}
# A measure that more of the runs lack is not compared; of the others, runs that lack one drop out.
_MOST_MISSING = 0.1
RIVALS_RULE = (
    "Agreement is Spearman's ρ between a measure at the end of training and the outcome, times the sign that the "
    "measure's source claims, over runs in the terminal phase, within strata (network, data, …). Settings are "
    "resampled, the same for every measure. The best, which is picked on the same runs, is ahead of a measure if the "
    "95% interval of their difference lies above zero. A measure holds if the interval that is right for all measures "
    "at once (Bonferroni) lies above zero."
)


@dataclasses.dataclass(frozen=True)
class Standing:
    """How one measure agrees with the outcome.

    Attributes:
        column: of the measure.
        claimed: the sign that its source claims.
        source: who claims it.
        agreement: claimed times rho; 1 is a perfect order the claimed way, -1 the other way round.
        low: lower end of its 95% interval.
        high: upper end.
        low_of_all: lower end of the interval that holds for all measures at once.
        high_of_all: upper end.
        tau: weighted Kendall's tau times `claimed`, in which the top of the order weighs most; the mean over strata,
            not a number where a stratum has fewer than two runs or no order.
        behind: agreement of the best less that of this one.
        behind_low: lower end of the 95% interval of the difference.
        behind_high: upper end.
        best: share of resamples in which no other measure agrees more.
    """

    column: str
    claimed: int
    source: str
    agreement: float
    low: float
    high: float
    low_of_all: float
    high_of_all: float
    tau: float
    behind: float
    behind_low: float
    behind_high: float
    best: float

    @property
    def verdict(self) -> str:
        """Holds, reversed, or open, by the interval that is right for all measures at once."""
        return "holds" if self.low_of_all > 0 else "reversed" if self.high_of_all < 0 else "open"


@dataclasses.dataclass(frozen=True)
class Rivals:
    """Measures in the order of their agreement with an outcome.

    Attributes:
        outcome: a column, with a minus before it where less is better.
        standings: the measures, the best first.
        runs: that were compared.
        units: settings that were resampled, or runs where there are too few settings.
        unit: which of the two.
        strata: groups within which runs were compared.
        left_out: runs that were not.
        incomplete: runs that were not because a measure of theirs, or the outcome, is no number.
        not_compared: measures that too many runs lack.
    """

    outcome: str
    standings: tuple[Standing, ...]
    runs: int
    units: int
    unit: str
    strata: int
    left_out: LeftOut
    incomplete: int
    not_compared: tuple[str, ...]


def rank_rivals(table: pd.DataFrame, outcome: str = OUTCOME, terminal: bool = True) -> Rivals:
    """Ranks the measures of a results table by how well they predict an outcome.

    Args:
        table: the results table.
        outcome: column to predict, larger is better; with a minus before it smaller is.
        terminal: whether only runs that reached the terminal phase are compared.

    Returns:
        The standings.

    Raises:
        ValueError: there is no such column, it does not vary, too few runs are left, or no measure of `RIVALS`.

    Source:
        Weighted tau: Vigna, A weighted correlation index for rankings with ties (WWW 2015), as
        `scipy.stats.weightedtau` has it.

    Examples:
        >>> table = pd.DataFrame({"run": range(6), "step": 9, "l2": range(6), "train/error": 0.0,
        ...                       "train/cdnv": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        ...                       "train/nc1": [1.0, 2.0, 1.0, 2.0, 1.0, 2.0],
        ...                       "target/accuracy_5shot": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]})
        >>> [(each.column, round(each.agreement, 2)) for each in rank_rivals(table).standings]
        [('train/cdnv', 1.0), ('train/nc1', 0.29)]
    """
    column, direction = outcome.removeprefix("-"), -1 if outcome.startswith("-") else 1
    names = [str(name) for name in table.columns]
    if column not in names:
        near = ", ".join(name for name in names if re.fullmatch(r"target/accuracy\w*shot", name))
        such = f", such as {near}" if near else ""
        raise ValueError(f"outcome: got {column!r}, expected a column of the results table{such}")
    runs = select_runs(table, terminal)
    there = [name for name in names if name != column and _claim(name) and not _of_other_shots(name, column)]
    before = len(runs.final)
    runs = keep_runs(runs, np.isfinite(runs.values(column)) if before else np.zeros(0, bool))
    values = np.array([runs.values(name) for name in there]).reshape(len(there), len(runs.final))
    lacking = np.isnan(values).mean(axis=1) > _MOST_MISSING if len(runs.final) else np.zeros(len(there), bool)
    compared = [name for name, out in zip(there, lacking, strict=True) if not out]
    values = values[~lacking]
    complete = np.isfinite(values).all(axis=0)
    runs, values = keep_runs(runs, complete), values[:, complete]
    _check(runs, compared, outcome)
    unit = "settings" if len(np.unique(runs.settings)) >= MIN_UNITS else "runs"
    units = runs.settings if unit == "settings" else np.arange(len(runs.final))
    return Rivals(
        outcome, _standings(runs, compared, values, direction * runs.values(column), units),
        len(runs.final), len(np.unique(units)), unit, len(np.unique(runs.strata())), runs.left_out,
        before - len(runs.final),
        tuple(name for name, out in zip(there, lacking, strict=True) if out),
    )  # fmt: skip


def _claim(column: str) -> tuple[int, str] | None:
    return RIVALS.get(re.sub(r"_\d+shot$", "_<shots>shot", column))


def _of_other_shots(column: str, outcome: str) -> bool:
    """Whether a measure is for so many shots, and the outcome for another number of them."""
    shots, others = (re.search(r"_(\d+)shot$", name) for name in (column, outcome))
    return bool(shots and others and shots[1] != others[1])


def _check(runs: Runs, compared: list[str], outcome: str) -> None:
    if not compared:
        raise ValueError("the results table has no measure to compare: config.measure turns them on")
    if len(runs.final) < MIN_UNITS:
        left = f"{runs.left_out.unsettled} not in the terminal phase, {runs.left_out.lost}"
        raise ValueError(f"got {len(runs.final)} runs to compare ({left}), expected at least {MIN_UNITS}")
    if np.ptp(runs.values(outcome.removeprefix("-"))) == 0:
        raise ValueError(f"outcome: got {outcome}, which is the same in all runs, expected one that differs")


def _standings(
    runs: Runs, columns: list[str], values: Float[np.ndarray, "m n"], outcome: Float[np.ndarray, " n"],
    units: Int[np.ndarray, " n"],
) -> tuple[Standing, ...]:  # fmt: skip
    strata, weights = runs.strata(), resampled_weights(units, RESAMPLES, SEED)
    claims = [(_claim(column) or (1, "")) for column in columns]
    signs = np.array([sign for sign, _ in claims])
    plain = signs * np.array([spearman(row, outcome, strata=strata)[0] for row in values])
    drawn = signs[:, None] * np.array([spearman(row, outcome, weights, strata) for row in values])
    best, tail = int(np.argmax(plain)), (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=1)
    low_of_all, high_of_all = np.quantile(drawn, [tail / len(columns), 1 - tail / len(columns)], axis=1)
    behind = np.quantile(drawn[best] - drawn, [tail, 1 - tail], axis=1)
    # Measures that share the first place in a resample share it alike.
    first = np.isclose(drawn, drawn.max(axis=0), rtol=0, atol=1e-12)
    share = (first / first.sum(axis=0)).mean(axis=1)
    return tuple(
        Standing(
            columns[k], int(signs[k]), claims[k][1], float(plain[k]), float(low[k]), float(high[k]),
            float(low_of_all[k]), float(high_of_all[k]), int(signs[k]) * _weighted_tau(values[k], outcome, strata),
            float(plain[best] - plain[k]), float(behind[0, k]), float(behind[1, k]), float(share[k]),
        )
        for k in np.argsort(-plain, kind="stable")
    )  # fmt: skip


def _weighted_tau(x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], strata: Int[np.ndarray, " n"]) -> float:
    """Mean over strata, by their runs."""
    parts, counts = [], []
    for stratum in np.unique(strata):
        own = strata == stratum
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy warns of constants, of which there is no order.
            parts.append(float(stats.weightedtau(x[own], y[own]).statistic) if own.sum() > 1 else np.nan)
        counts.append(own.sum())
    return float(np.average(parts, weights=counts))
