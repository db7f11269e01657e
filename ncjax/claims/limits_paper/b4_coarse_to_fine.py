"""B4: as collapse on coarse labels deepens, features get worse for the classes below them.

Probes are linear (ridge) and by nearest neighbours, on features as they are and standardised: rescaling may flip the
answer. Where runs differ in whether labels are coarse, only those on coarse labels count.

The paper says it of two things that go together and need not: of training longer (abstract) and of more collapse
(text). So a probe's accuracy is put in order with time as well as with collapse, over the checkpoints of each run.
"""

from ncjax.claims.association import Relation, association_findings
from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import mean_finding
from ncjax.claims.limits_paper.b1_train_and_test_collapse import TRAIN
from ncjax.claims.runs import Runs, keep_runs
from ncjax.claims.trends import changes_since_settling, orders_over_time
from ncjax.claims.verdict import Finding

PROBES = {
    "fine/ridge_accuracy": "linear probe",
    "fine/ridge_accuracy_standardised": "linear probe standardised",
    "fine/knn_accuracy": "5-NN",
    "fine/knn_accuracy_standardised": "5-NN standardised",
}
FIRST = "fine/ridge_accuracy"
# What a probe is put in order with over the checkpoints of a run: its name, and the sign of the order as claimed.
COURSES = {TRAIN: ("train variance in time", 1), "train/cdnv": ("train CDNV in time", 1), "step": ("time", -1)}
FALL = "train variance: change in the terminal phase"
_HEADLINE = f"{PROBES[FIRST]}: change in the terminal phase"


def lines(runs: Runs) -> list[Finding]:
    """Changes of probe accuracy within the terminal phase, and its order with collapse and with time through training.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline first; orders with CDNV where it was measured.

    Source:
        Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, on coarse labels.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": 0, "step": range(3), "train/error": 0.0,
        ...                       "train/variance_ratio": [3.0, 2.0, 1.0], "fine/ridge_accuracy": [0.9, 0.8, 0.6]})
        >>> round(lines(select_runs(table))[0].value, 3)
        -0.3
    """
    if "coarse" in runs.final:
        runs = keep_runs(runs, (runs.final["coarse"] != "").to_numpy())
    measured = {column: name for column, name in PROBES.items() if column in runs.final}
    courses = {column: course for column, course in COURSES.items() if column in runs.rows}
    findings = []
    for column, name in measured.items():
        change = changes_since_settling(runs, column)
        findings.append(mean_finding(CLAIM.key, f"{name}: change in the terminal phase", -1, "change", runs, change))
        for other, (course, claimed) in courses.items():
            order = orders_over_time(runs, column, other)
            line = f"{name}: order with {course}"
            findings.append(mean_finding(CLAIM.key, line, claimed, "ρ over time", runs, order))
    fall = changes_since_settling(runs, TRAIN, logarithm=True)
    findings.append(mean_finding(CLAIM.key, FALL, -1, "log change", runs, fall))
    relations = [Relation(column, name, 1) for column, name in measured.items()]
    return [*findings, *association_findings(CLAIM.key, runs, TRAIN, "train variance", relations)]


CLAIM = Claim(
    key="B4",
    title="Coarse collapse hurts fine classes",
    statement=(
        "Of a network trained on coarse labels, the accuracy of a probe of its features for the fine classes "
        "below falls while the train variance goes on falling in the terminal phase."
    ),
    source="Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, on coarse labels",
    columns=(FIRST, TRAIN),
    config="limits_paper/coarse_to_fine",
    headline=Headline(_HEADLINE, "change", -1),
    lines=lines,
)
