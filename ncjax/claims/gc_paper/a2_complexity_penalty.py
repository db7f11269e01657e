"""A2: a penalty on geometric complexity deepens train collapse."""

from ncjax.claims.association import axis_findings
from ncjax.claims.claim import Claim, Headline
from ncjax.claims.gc_paper.a1_complexity_and_collapse import COMPLEXITY
from ncjax.claims.pairs import paired_findings
from ncjax.claims.runs import Runs
from ncjax.claims.verdict import Finding

AXIS = "gc_penalty"
QUANTITIES = {
    "train/cdnv": "train CDNV",
    COMPLEXITY: "GC",
    "train/geometric_collapse_tight": "geometric collapse (tight)",
}
_HEADLINE = "train CDNV, GC penalty vs none"


def lines(runs: Runs) -> list[Finding]:
    """Log ratios of runs with the penalty to the same runs without it, and the order along its strength.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline first.

    Source:
        Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, the penalty's figure.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(2), "step": 9, "gc_penalty": [0.0, 0.1], "train/error": 0.0,
        ...                       "train/cdnv": [2.0, 1.0], "train/geometric_complexity": 1.0})
        >>> round(lines(select_runs(table))[0].value, 3)
        -0.693
    """
    measured = {column: name for column, name in QUANTITIES.items() if column in runs.final}
    pairs = [paired_findings(CLAIM.key, runs, AXIS, column, name, -1) for column, name in measured.items()]
    along = [axis_findings(CLAIM.key, runs, column, name, {AXIS: -1}) for column, name in measured.items()]
    return [finding for found in (*pairs, *along) for finding in found]


CLAIM = Claim(
    key="A2",
    title="A complexity penalty deepens collapse",
    statement=(
        "Adding the embedding's geometric complexity to the loss lowers geometric complexity, geometric collapse "
        "and CDNV on the train set, the more so the stronger the penalty."
    ),
    source="Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, the penalty's figure",
    columns=(COMPLEXITY, "train/cdnv"),
    config="gc_paper/gc_penalty",
    headline=Headline(_HEADLINE, "log ratio", -1),
    lines=lines,
    varied=(AXIS,),
)
