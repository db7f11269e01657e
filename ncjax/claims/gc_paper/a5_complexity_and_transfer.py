"""A5: runs with lower source geometric complexity transfer better to classes that they were never trained on."""

from ncjax.claims.association import Relation, association_findings
from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import SPEARMAN
from ncjax.claims.gc_paper.a1_complexity_and_collapse import COMPLEXITY
from ncjax.claims.runs import Runs
from ncjax.claims.verdict import Finding

RELATIONS = (
    Relation("target/cdnv", "target CDNV", 1),
    Relation("target/accuracy_5shot", "5-shot accuracy", -1),
)


def lines(runs: Runs) -> list[Finding]:
    """Spearman's rho between source GC and target CDNV and few-shot accuracy.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline (source GC and target CDNV, all runs) first.

    Source:
        Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, transfer figures (ResNet-18 on CIFAR-FS).

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(6), "step": 9, "train/error": 0.0, "target/cdnv": range(6),
        ...                       "train/geometric_complexity": range(6)})
        >>> lines(select_runs(table))[0].value
        1.0
    """
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
    config="quickstart",
    headline=Headline("source GC and target CDNV, all runs", SPEARMAN, 1),
    lines=lines,
)
