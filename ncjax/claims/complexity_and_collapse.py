"""A1: runs with lower embedding geometric complexity collapse more deeply on the train set.

Geometric collapse contains geometric complexity as a factor, so that part of its correlation with it is by
construction; CDNV does not. Geometric complexity carries the square of the features' scale, CDNV and geometric collapse
do not.
"""

import pandas as pd

from ncjax.claims.association import Relation, association_findings, axis_findings
from ncjax.claims.evidence import SPEARMAN, Unfit, not_applicable, prepare_runs
from ncjax.claims.verdict import Claim, Finding

COMPLEXITY = "train/geometric_complexity"
RELATIONS = (
    Relation("train/cdnv", "train CDNV", 1),
    Relation("train/geometric_collapse_tight", "geometric collapse (tight)", 1),
    Relation("train/geometric_collapse_pooled", "geometric collapse (pooled)", 1),
)
AXES = {"learning_rate": -1, "batch_size": 1, "l2": -1}


def evaluate(table: pd.DataFrame) -> list[Finding]:
    """Spearman's rho between GC and collapse at the end of training, and between each hyper-parameter and GC.

    Args:
        table: the results table.

    Returns:
        Findings, the headline (GC and train CDNV, all runs) first.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Source:
        Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, Figure 4.

    Example:
        >>> evaluate(pd.DataFrame({"run": [0], "step": [0], "train/error": [0.0], "train/cdnv": [1.0]}))[0].note
        'the results table lacks train/geometric_complexity: measure it to judge this claim'
    """
    runs = prepare_runs(table, CLAIM.columns)
    if isinstance(runs, Unfit):
        return [not_applicable(CLAIM.key, "GC and train CDNV, all runs", SPEARMAN, 1, runs)]
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
    evaluate=evaluate,
)
