"""A1: runs with lower embedding geometric complexity collapse more deeply on the train set.

Geometric collapse contains geometric complexity as a factor, so that part of its correlation with it is by
construction; CDNV does not. Geometric complexity carries the square of the features' scale, CDNV and geometric collapse
do not.
"""

from ncjax.claims.association import Relation, association_findings, axis_findings
from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import SPEARMAN
from ncjax.claims.runs import Runs
from ncjax.claims.verdict import Finding

COMPLEXITY = "train/geometric_complexity"
RELATIONS = (
    Relation("train/cdnv", "train CDNV", 1),
    Relation("train/geometric_collapse_tight", "geometric collapse (tight)", 1),
    Relation("train/geometric_collapse_pooled", "geometric collapse (pooled)", 1),
)
AXES = {"learning_rate": -1, "batch_size": 1, "l2": -1}


def lines(runs: Runs) -> list[Finding]:
    """Spearman's rho between GC and collapse, and between each hyper-parameter and GC.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline (GC and train CDNV, all runs) first.

    Source:
        Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, Figure 4.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(6), "step": 9, "train/error": 0.0, "train/cdnv": range(6),
        ...                       "train/geometric_complexity": range(6)})
        >>> lines(select_runs(table))[0].value
        1.0
    """
    return [
        *association_findings(CLAIM.key, runs, COMPLEXITY, "GC", RELATIONS),
        *axis_findings(CLAIM.key, runs, COMPLEXITY, "GC", AXES),
    ]


CLAIM = Claim(
    key="A1",
    title="Lower geometric complexity, deeper train collapse",
    statement=(
        "Along sweeps of learning rate, batch size and L2, runs that end with lower embedding geometric complexity "
        "also end with lower geometric collapse and lower CDNV on the train set. A larger learning rate, a smaller "
        "batch and more L2 lower geometric complexity."
    ),
    source="Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, Figure 4",
    columns=(COMPLEXITY, "train/cdnv"),
    config="quickstart",
    headline=Headline("GC and train CDNV, all runs", SPEARMAN, 1),
    lines=lines,
)
