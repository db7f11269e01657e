"""A3: geometric complexity can be estimated cheaply.

The standard error of each estimator, as a share of the exact value, is held against a tolerance; and one draw of
it must put runs in the order of their exact values. Products are vector-Jacobian or Jacobian-vector products.
"""

import re

import numpy as np
from jaxtyping import Float

from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import judge, mean_finding
from ncjax.claims.runs import Runs
from ncjax.claims.statistics import spearman
from ncjax.claims.trends import log_of
from ncjax.claims.verdict import Finding

TOLERANCE = 0.1
"""Standard error, as a share of the exact value, up to which an estimate is good."""
COST_SHARE = 0.25
"""Products, as a share of those of the exact value, up to which an estimate is cheap."""
AGREEMENT = 0.9
"""Rank correlation with the exact values from which on an estimate orders runs well."""
PAPERS = ("examples", "outputs", "inputs")
"""The paper's estimators; random probes are the field's."""
EXACT = "exact"
_HEADLINE = f"cheap examples, outputs, inputs err by less than {TOLERANCE:.0%}"


def estimators(columns: list[str]) -> list[tuple[str, int]]:
    """Names the estimators that a results table holds.

    Args:
        columns: of the table.

    Returns:
        Estimator and products a sample, by estimator and then ascending.

    Examples:
        >>> estimators(["estimate/probes_4/relative_error", "estimate/exact/products"])
        [('probes', 4)]
    """
    found = [re.fullmatch(r"estimate/([a-z]+)_(\d+)/relative_error", name) for name in columns]
    return sorted((match.group(1), int(match.group(2))) for match in found if match)


def lines(runs: Runs) -> list[Finding]:
    """Relative standard errors against a tolerance, and the order of runs by cheap estimates.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline first.

    Source:
        Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, the estimators' figures.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(2), "step": 9, "train/error": 0.0,
        ...                       "estimate/outputs_1/relative_error": 0.01, "estimate/outputs_1/products": 10.0,
        ...                       "estimate/outputs_1/geometric_complexity": 1.0, "estimate/exact/products": 100.0,
        ...                       "estimate/exact/geometric_complexity": 1.0})
        >>> round(lines(select_runs(table))[0].value, 2)
        -2.3
    """
    there = estimators([str(name) for name in runs.final.columns])
    # Those whose cost is too high everywhere, such as all examples but one, would be good and not cheap.
    cheap = {name: _dearest(runs, [pair for pair in there if pair[0] == name]) for name in dict(there)}
    chosen = [pair for name, pair in cheap.items() if pair is not None and name in PAPERS]
    excess = np.mean([_excess(runs, pair) for pair in chosen], axis=0) if chosen else np.full(len(runs.final), np.nan)
    findings = [mean_finding(CLAIM.key, _HEADLINE, -1, "log error", runs, excess)]
    for pair in there:
        line = f"{pair[0]}, {pair[1]} products a sample: error below {TOLERANCE:.0%}"
        findings.append(mean_finding(CLAIM.key, line, -1, "log error", runs, _excess(runs, pair)))
    return [*findings, *(_agreement(runs, pair) for pair in cheap.values() if pair is not None)]


def _dearest(runs: Runs, pairs: list[tuple[str, int]]) -> tuple[str, int] | None:
    limit = COST_SHARE * runs.values(f"estimate/{EXACT}/products")
    fitting = [pair for pair in pairs if (runs.values(f"{_prefix(pair)}/products") <= limit).all()]
    return fitting[-1] if fitting else None


def _excess(runs: Runs, pair: tuple[str, int]) -> Float[np.ndarray, " runs"]:
    return log_of(runs.values(f"{_prefix(pair)}/relative_error") / TOLERANCE)


def _agreement(runs: Runs, pair: tuple[str, int]) -> Finding:
    values = np.stack([runs.values(f"{name}/geometric_complexity") for name in (_prefix(pair), f"estimate/{EXACT}")])
    first, second = values[:, np.isfinite(values).all(axis=0)]
    line = f"{pair[0]}, {pair[1]} products a sample: order of runs"
    return judge(
        CLAIM.key, line, 1, f"ρ − {AGREEMENT}", runs,
        lambda kept, weights: spearman(first, second, weights, kept.strata()) - AGREEMENT,
        finite=values, across_settings=True,
    )  # fmt: skip


def _prefix(pair: tuple[str, int]) -> str:
    return f"estimate/{pair[0]}_{pair[1]}"


CLAIM = Claim(
    key="A3",
    title="Complexity is cheap to estimate",
    statement=(
        "Few examples, few rows or few columns of the Jacobian are enough: at a quarter of the exact value's cost "
        "or less the standard error stays below a tenth of the value, and runs keep their order."
    ),
    source="Munn, Dherin, Gonzalvo 2024, https://arxiv.org/abs/2405.15706, the estimators' figures",
    columns=(f"estimate/{EXACT}/geometric_complexity", "estimate/<estimator>/relative_error"),
    config="gc_paper/gc_estimators",
    headline=Headline(_HEADLINE, "log error", -1),
    lines=lines,
    terminal=False,
)
