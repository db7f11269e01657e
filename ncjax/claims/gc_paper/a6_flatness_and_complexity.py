"""A6: a flat learning path keeps geometric complexity small.

The slope of the learning path is the mean over epochs of the norm of the loss's gradient on train images. Minimisation
that is aware of sharpness seeks flat places: where runs differ in its radius it is an experiment, else association.
"""

import dataclasses

from ncjax.claims.association import Relation, association_findings, axis_findings
from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import SPEARMAN, mean_finding, missing_columns
from ncjax.claims.gc_paper.a1_complexity_and_collapse import COMPLEXITY
from ncjax.claims.pairs import paired_findings
from ncjax.claims.runs import Runs
from ncjax.claims.trends import log_of, means_along_path
from ncjax.claims.verdict import Finding

SLOPE, PATH = "train/loss_gradient_norm", "path/loss_gradient_norm"
RELATIONS = (
    Relation(PATH, "slope of the learning path", 1),
    Relation(SLOPE, "loss gradient norm", 1),
    Relation("train/hessian_trace", "Hessian trace", 1),
    Relation("train/sam_sharpness", "sharpness", 1),
)
BOUND, INSIDE = "train/first_layer_bound", "train/first_layer_slope"


def lines(runs: Runs) -> list[Finding]:
    """Spearman's rho between GC and measures of flatness; runs of sharpness-aware minimisation against those without.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline first.

    Source:
        Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, after https://arxiv.org/abs/2209.13083.

    Examples:
        >>> import numpy as np
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": np.repeat(range(6), 2), "step": [0, 9] * 6, "epoch": [0.0, 1.0] * 6,
        ...                       "train/error": 0.0, "train/geometric_complexity": np.repeat(range(6), 2),
        ...                       "train/loss_gradient_norm": np.repeat(range(6), 2)})
        >>> lines(select_runs(table))[0].value
        1.0
    """
    path = means_along_path(runs, SLOPE)
    # Copies, since pandas complains of a table of many columns that grows by one.
    final = runs.final.copy().assign(**{PATH: path})
    rows = runs.rows.copy().assign(**{PATH: runs.rows["run"].map(dict(zip(final["run"], path, strict=True)))})
    seen = dataclasses.replace(runs, rows=rows, final=final)
    measured = [each for each in RELATIONS if not missing_columns(rows, [each.column])]
    findings = association_findings(CLAIM.key, seen, COMPLEXITY, "GC", measured)
    if "sam_rho" in runs.axes:
        findings += paired_findings(CLAIM.key, seen, "sam_rho", COMPLEXITY, "GC", -1)
        findings += paired_findings(CLAIM.key, seen, "sam_rho", PATH, "slope of the path", -1)
        findings += axis_findings(CLAIM.key, seen, COMPLEXITY, "GC", {"sam_rho": -1})
    if not missing_columns(rows, [BOUND, INSIDE]):
        gap = log_of(runs.values(BOUND)) - log_of(runs.values(INSIDE))
        line = "the first-layer bound is above GC"
        findings += [mean_finding(CLAIM.key, line, 1, "log ratio", runs, gap)]
        findings += association_findings(CLAIM.key, runs, COMPLEXITY, "GC", [Relation(BOUND, "first-layer bound", 1)])
    return findings


CLAIM = Claim(
    key="A6",
    title="Flatness controls complexity",
    statement=(
        "Runs whose learning path is flatter, with smaller loss gradients, end with lower geometric complexity of "
        "the embedding; seeking flat places by sharpness-aware minimisation lowers it."
    ),
    source="Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, after https://arxiv.org/abs/2209.13083",
    columns=(SLOPE, COMPLEXITY, "epoch"),
    config="gc_paper/flatness",
    headline=Headline("GC and slope of the learning path, all runs", SPEARMAN, 1),
    lines=lines,
    terminal=False,
)
