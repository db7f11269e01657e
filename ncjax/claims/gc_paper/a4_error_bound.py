"""A4: a bound on the test error through geometric complexity is not vacuous and follows the error.

The Poincaré constant in it is known by a lower bound only, which makes the bound smaller than what is proven: a
vacuous one stays vacuous, one that is not may be. The bound by complexity along the lines between class means is a
second line of the claim: it is ours, never above 1, and the paper does not speak of it.
"""

from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import mean_finding
from ncjax.claims.runs import Runs
from ncjax.claims.trends import log_of, orders_over_time
from ncjax.claims.verdict import Finding

BOUND, ERROR = "train/complexity_bound", "test/ncc_error"
DIRECTIONAL = "train/directional_geometric_collapse"
BOUNDS = {
    BOUND: "GC bound on train",
    "train/nearest_mean_bound": "CDNV bound on train",
    "test/nearest_mean_bound": "CDNV bound on test",
    "train/directional_complexity_bound": "directional GC bound on train",
}
_HEADLINE = f"{BOUNDS[BOUND]} is below 1"


def lines(runs: Runs) -> list[Finding]:
    """Each bound against 1 and against the test error, and their order through training.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline first.

    Source:
        Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, the bound's figure.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": 0, "step": range(5), "train/error": 0.0, "train/complexity_bound": 2.0,
        ...                       "test/ncc_error": 0.5, "train/chain_slack": 1.0})
        >>> round(lines(select_runs(table))[0].value, 3)
        0.693
    """
    measured = {column: name for column, name in BOUNDS.items() if column in runs.final}
    error = log_of(runs.values(ERROR))
    findings = []
    for column, name in measured.items():
        bound = log_of(runs.values(column))
        order = orders_over_time(runs, column, ERROR)
        above = f"{name} is above the test error"
        findings += [
            mean_finding(CLAIM.key, f"{name} is below 1", -1, "log", runs, bound),
            mean_finding(CLAIM.key, f"{name} follows the test error", 1, "ρ over time", runs, order),
            mean_finding(CLAIM.key, above, 1, "log ratio", runs, bound - error),
        ]
    slack = log_of(runs.values("train/chain_slack"))
    findings.append(mean_finding(CLAIM.key, "constant × geometric collapse is above CDNV", 1, "log ratio", runs, slack))
    if {DIRECTIONAL, "train/directional_cdnv"} <= set(runs.final):
        through = log_of(runs.values(DIRECTIONAL) * runs.values("train/poincare_lower_bound"))
        slack = through - log_of(runs.values("train/directional_cdnv"))
        line = "constant × directional geometric collapse is above directional CDNV"
        findings.append(mean_finding(CLAIM.key, line, 1, "log ratio", runs, slack))
    return findings


CLAIM = Claim(
    key="A4",
    title="The complexity bound on the error is useful",
    statement=(
        "The bound on the error of the nearest class mean that follows from geometric complexity is below 1 at "
        "the end of training, and rises and falls with the test error through training."
    ),
    source="Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, the bound's figure",
    columns=(BOUND, ERROR, "train/chain_slack"),
    config="gc_paper/generalization_bound",
    headline=Headline(_HEADLINE, "log", -1),
    lines=lines,
)
