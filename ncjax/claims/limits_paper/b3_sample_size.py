"""B3: more train data brings less variance on the test set."""

import numpy as np

from ncjax.claims.association import axis_findings
from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import SPEARMAN, judge
from ncjax.claims.limits_paper.b1_train_and_test_collapse import TEST
from ncjax.claims.runs import Runs
from ncjax.claims.statistics import log_slope
from ncjax.claims.verdict import Finding

AXIS = "train_samples"
QUANTITIES = {
    TEST: "test variance ratio",
    "test/strong_variance": "strong test variance",
    "test/weak_variance": "weak test variance",
    "test/cdnv": "test CDNV",
    "test/error": "test error",
}
_HEADLINE = f"train samples and {QUANTITIES[TEST]}"


def lines(runs: Runs) -> list[Finding]:
    """Spearman's rho between the number of train samples and test variance, all else held fixed, and its power of it.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline first.

    Source:
        Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, on sample size.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(6), "step": 9, "train_samples": [10, 20, 30] * 2, "train/error": 0.0,
        ...                       "test/variance_ratio": [0.5, 0.4, 0.3] * 2})
        >>> lines(select_runs(table))[0].value
        -1.0
    """
    measured = {column: name for column, name in QUANTITIES.items() if column in runs.final}
    orders = [axis_findings(CLAIM.key, runs, column, name, {AXIS: -1}) for column, name in measured.items()]
    return [*(finding for found in orders for finding in found), _power(runs)]


def _power(runs: Runs) -> Finding:
    values = np.stack([runs.values(AXIS), runs.values(TEST)])
    values = np.where(values > 0, values, np.nan)
    samples, variance = values[:, np.isfinite(values).all(axis=0)]
    return judge(
        CLAIM.key, "test variance ratio as a power of train samples", -1, "log slope", runs,
        lambda kept, weights: log_slope(samples, variance, weights, kept.strata(AXIS)),
        finite=values, across_settings=False, widen=True,
    )  # fmt: skip


CLAIM = Claim(
    key="B3",
    title="More data, less test variance",
    statement=(
        "Of networks trained on subsets of one train split, those with more samples have less within-class "
        "variance on the test set, relative to the distance of the class means."
    ),
    source="Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, on sample size",
    columns=(TEST,),
    config="limits_paper/sample_size",
    headline=Headline(_HEADLINE, SPEARMAN, -1),
    lines=lines,
    varied=(AXIS,),
)
