"""Runs with a term in the loss against the same runs without it."""

import numpy as np
from jaxtyping import Float

from ncjax.claims.association import axis_name
from ncjax.claims.findings import mean_finding
from ncjax.claims.runs import Runs, keep_runs
from ncjax.claims.verdict import Finding


def paired_findings(claim: str, runs: Runs, axis: str, column: str, name: str, claimed: int) -> list[Finding]:
    """Mean log ratio of a quantity with and without a term, between runs that agree in all else, the seed included.

    A run without the term is in as many pairs as there are strengths, so that it, not the pair, is the unit.

    Args:
        claim: key of the claim.
        runs: the runs.
        axis: strength of the term.
        column: the quantity, positive.
        name: its name for a reader.
        claimed: the sign of the log ratio that the claim predicts.

    Returns:
        One finding over all strengths, then one for each; no run takes part that has no partner.

    Examples:
        >>> import pandas as pd
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": range(4), "step": 9, "gc_penalty": [0.0, 0.1] * 2, "seed": [0, 0, 1, 1],
        ...                       "train/error": 0.0, "train/cdnv": [2.0, 1.0, 4.0, 2.0]})
        >>> finding, _ = paired_findings("A2", select_runs(table), "gc_penalty", "train/cdnv", "CDNV", -1)
        >>> finding.line, round(finding.value, 3), finding.runs
        ('CDNV, GC penalty vs none', -0.693, 2)
    """
    without = keep_runs(runs, runs.values(axis) == 0)
    ratios = _log_ratios(runs, axis, column)
    line = f"{name}, {axis_name(axis)}"
    known = np.isfinite(list(ratios.values())) if ratios else np.zeros((1, len(without.final)), bool)
    total = np.where(known, list(ratios.values()), 0).sum(axis=0) if ratios else np.zeros(len(without.final))
    mean = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
    each = [
        mean_finding(claim, f"{line} {strength:g} vs none", claimed, "log ratio", without, values)
        for strength, values in ratios.items()
    ]
    return [mean_finding(claim, f"{line} vs none", claimed, "log ratio", without, mean), *each]


def _log_ratios(runs: Runs, axis: str, column: str) -> dict[float, Float[np.ndarray, " bases"]]:
    """By strength, the log ratio to each run without the term."""
    strengths, values = runs.values(axis), runs.values(column)
    partners = [*runs.strata(axis)]
    keys = list(zip(partners, runs.final.get("seed", partners), strict=True))
    logs = np.log(np.where(values > 0, values, np.nan))
    place = {(key, strength): number for number, (key, strength) in enumerate(zip(keys, strengths, strict=True))}
    bases = [number for number, strength in enumerate(strengths) if strength == 0]
    return {
        float(strength): np.array(
            [
                logs[place[keys[base], strength]] - logs[base] if (keys[base], strength) in place else np.nan
                for base in bases
            ],
            dtype=np.float64,
        )
        for strength in np.unique(strengths[strengths > 0])
    }
