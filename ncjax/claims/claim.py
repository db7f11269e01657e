"""A claim of a paper as a query over the results table, asked at three points of training."""

import dataclasses
from collections.abc import Callable

import pandas as pd

from ncjax.claims.findings import NotApplicable, lacking, not_applicable_finding, prepare_runs, unsettled_reason
from ncjax.claims.runs import Runs
from ncjax.claims.verdict import Finding, Verdict
from ncjax.claims.when import When, cut_runs


@dataclasses.dataclass(frozen=True)
class Headline:
    """The line that speaks for a claim.

    Attributes:
        line: what is compared.
        statistic: name of the statistic.
        claimed: the sign that the claim predicts.

    Examples:
        >>> Headline("GC and train CDNV, all runs", "Spearman's ρ", 1).claimed
        1
    """

    line: str
    statistic: str
    claimed: int


@dataclasses.dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    Attributes:
        key: short name, e.g. ``"A1"``.
        title: a few words.
        statement: the claim in our words.
        source: paper, section or figure, URL.
        columns: columns of the results table that the headline needs; one with a placeholder such as ``<tap>`` stands
            for two or more.
        config: of a sweep that measures them, as ``--config`` takes it.
        headline: the line that speaks for the claim.
        lines: runs, cut off where they are compared, to findings, the headline first.
        terminal: whether the claim speaks of the terminal phase alone.
        varied: hyper-parameters in which runs must differ.

    Examples:
        >>> from ncjax.claims import CLAIMS
        >>> CLAIMS[0].key, CLAIMS[0].columns[0]
        ('A1', 'train/geometric_complexity')
    """

    key: str
    title: str
    statement: str
    source: str
    columns: tuple[str, ...]
    config: str
    headline: Headline
    lines: Callable[[Runs], list[Finding]]
    terminal: bool = True
    varied: tuple[str, ...] = ()

    def evaluate(self, table: pd.DataFrame) -> list[Finding]:
        """Judges the claim on a results table at the end of training, at equal epochs and at equal train loss.

        Args:
            table: one row a (run, checkpoint) with the columns of ``results.jsonl``.

        Returns:
            Findings, first those at the end of training, the headline before all. Its note, and that of any other line
            at the end, says where else the verdict differs.

        Raises:
            ValueError: if the table is empty or lacks ``run`` or ``step``.

        Examples:
            >>> from ncjax.claims import CLAIMS
            >>> table = pd.DataFrame({"run": [0], "step": [0], "train/error": [0.0], "train/cdnv": [1.0]})
            >>> CLAIMS[0].evaluate(table)[0].note
            'the results table lacks train/geometric_complexity: --config=quickstart measures it'
        """
        runs = prepare_runs(table, self.columns, self.config, self.terminal, self.varied)
        if isinstance(runs, NotApplicable):
            return [self._not_applicable(runs, When.END, headline=True)]
        ended = self.lines(runs)
        ended[0] = dataclasses.replace(ended[0], headline=True)
        others = {when: self._at(runs, when, ended) for when in When if when is not When.END}
        verdicts = {when: {each.line: each for each in found} for when, found in others.items()}
        return [
            *(_with_differences(each, {m: found.get(each.line) for m, found in verdicts.items()}) for each in ended),
            *(each for found in others.values() for each in found),
        ]

    def _at(self, runs: Runs, when: When, ended: list[Finding]) -> list[Finding]:
        moved = cut_runs(runs, when, self.terminal)
        if moved is None:
            column = "epoch" if when is When.EPOCH else "train/loss"
            return [self._not_applicable(NotApplicable(lacking([column]), runs.left_out), when)]
        if moved is runs:
            return [dataclasses.replace(each, when=str(when), headline=False, note=SAME) for each in ended]
        if moved.final.empty:
            reason = unsettled_reason(moved, str(when))
            return [self._not_applicable(NotApplicable(reason, moved.left_out), when)]
        return [dataclasses.replace(each, when=str(when)) for each in self.lines(moved)]

    def _not_applicable(self, why: NotApplicable, when: When, headline: bool = False) -> Finding:
        line = self.headline
        finding = not_applicable_finding(self.key, line.line, line.statistic, line.claimed, why)
        return dataclasses.replace(finding, when=str(when), headline=headline)


SAME = "the same as at the end"
"""Note of a finding whose runs are compared at their ends anyway."""


def _with_differences(finding: Finding, others: dict[When, Finding | None]) -> Finding:
    if finding.verdict is Verdict.NOT_APPLICABLE:
        return finding
    differing = [
        f"{when} ({other.verdict})"
        for when, other in others.items()
        if other is not None and other.verdict not in (finding.verdict, Verdict.NOT_APPLICABLE)
    ]
    note = f"differs {', '.join(differing)}" if differing else ""
    return dataclasses.replace(finding, note="; ".join(filter(None, [finding.note, note])))
