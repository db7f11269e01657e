"""A5: runs with lower source geometric complexity transfer better to classes that they were never trained on."""

import pandas as pd

from ncjax.claims.association import Relation, association_findings
from ncjax.claims.complexity_and_collapse import COMPLEXITY
from ncjax.claims.evidence import SPEARMAN, Unfit, not_applicable, prepare_runs
from ncjax.claims.verdict import Claim, Finding

RELATIONS = (
    Relation("target/cdnv", "target CDNV", 1),
    Relation("target/accuracy_5shot", "5-shot accuracy", -1),
)


def evaluate(table: pd.DataFrame) -> list[Finding]:
    """Spearman's rho between source GC and target CDNV and few-shot accuracy at the end of training.

    Args:
        table: the results table.

    Returns:
        Findings, the headline (source GC and target CDNV, all runs) first.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Source:
        Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, transfer figures (ResNet-18 on CIFAR-FS).

    Example:
        >>> table = pd.DataFrame({"run": [0], "step": 9, "train/error": 0.0, "train/geometric_complexity": 1.0})
        >>> evaluate(table)[0].note
        'the results table lacks target/cdnv: measure it to judge this claim'
    """
    runs = prepare_runs(table, CLAIM.columns)
    if isinstance(runs, Unfit):
        return [not_applicable(CLAIM.key, "source GC and target CDNV, all runs", SPEARMAN, 1, runs)]
    return association_findings(CLAIM.key, runs, COMPLEXITY, "source GC", RELATIONS)


CLAIM = Claim(
    key="A5",
    title="Lower source complexity, better transfer",
    statement=(
        "Runs that end with lower geometric complexity on the source classes have lower CDNV on target classes that "
        "they were never trained on, and higher few-shot accuracy there."
    ),
    source="Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, transfer figures",
    columns=(COMPLEXITY, "target/cdnv"),
    evaluate=evaluate,
)
