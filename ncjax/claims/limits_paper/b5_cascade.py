"""B5: collapse cascades into earlier layers, later layers first and deeper."""

import re

import jax
import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from ncjax.claims.claim import Claim, Headline
from ncjax.claims.findings import mean_finding, missing_columns
from ncjax.claims.runs import Runs
from ncjax.claims.verdict import Finding
from ncjax.metrics import separation_law

# A line through two points is straight.
_FEWEST_LAYERS = 3
_STRAIGHT = "log NC1 is a straight line in depth (r below −0.9)"
_HEADLINE = "variance ratio falls in the layers before the last"


def layer_taps(table: pd.DataFrame, prefix: str = "layer", quantity: str = "variance_ratio") -> list[str]:
    """Names the layers whose variance ratio, or another quantity, a results table holds, from input to output.

    Args:
        table: the results table; its columns are in the order of the layers.
        prefix: ``"layer"`` for the train split, ``"test_layer"`` for the test split.
        quantity: the column's name after that of the layer.

    Returns:
        Names of the taps, the embedding (if there) last.

    Examples:
        >>> layer_taps(pd.DataFrame(columns=["layer/block1/variance_ratio", "layer/embedding/variance_ratio"]))
        ['block1', 'embedding']
    """
    found = [re.fullmatch(rf"{prefix}/(.+)/{quantity}", str(name)) for name in table.columns]
    taps = [match.group(1) for match in found if match]
    # Numbered blocks sort by their number, should the table's columns have been sorted by name (block10 before block2).
    return sorted(taps, key=lambda tap: (tap == "embedding", int((re.search(r"(\d+)$", tap) or [0, 0])[1])))


def lines(runs: Runs) -> list[Finding]:
    """Fall of the train variance ratio from the first checkpoint to the last, layer by layer, and its order.

    Args:
        runs: cut off where they are compared.

    Returns:
        Findings, the headline (mean log change over the layers before the last) first, then one a layer, then depth and
        timing; where nc1 was measured after each stage, also the slope of its logarithm on depth at the end, and how
        straight that line is.

    Source:
        Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, cascading collapse (preliminary there); that
        nc1 falls by an equal factor each layer: He, Su 2023, https://arxiv.org/abs/2210.17020 (their fuzziness: C·nc1).

    Examples:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": [0, 0], "step": [0, 9], "train/error": 0.0,
        ...                       "layer/block1/variance_ratio": 1.0, "layer/embedding/variance_ratio": [1.0, 0.1]})
        >>> lines(select_runs(table))[0].value
        0.0
    """
    taps = layer_taps(runs.rows)
    change, half_fall = _falls(runs, taps)
    findings = [mean_finding(CLAIM.key, _HEADLINE, -1, "log change", runs, change[:, :-1].mean(axis=1))]
    findings += [
        mean_finding(CLAIM.key, f"variance ratio falls in {tap}", -1, "log change", runs, change[:, layer])
        for layer, tap in enumerate(taps)
    ]
    return [
        *findings,
        *_separation(runs, taps),
        mean_finding(CLAIM.key, "later layers fall deeper", -1, "ρ over layers", runs, _order(change)),
        mean_finding(
            CLAIM.key, "later layers reach half of their fall first", -1, "ρ over layers", runs, _order(half_fall)
        ),
    ]


def _separation(runs: Runs, taps: list[str]) -> list[Finding]:
    """Law of data separation: the logarithm of nc1 is a straight line in depth."""
    columns = [f"layer/{tap}/nc1" for tap in taps]
    if len(taps) < _FEWEST_LAYERS or missing_columns(runs.rows, columns):
        return []
    by_layer = np.stack([runs.values(column) for column in columns], axis=1)
    # A run that lacks a layer has no law.
    by_layer[~(by_layer > 0).all(axis=1)] = np.nan
    law = jax.device_get(jax.vmap(separation_law)(by_layer))
    # Layers that are all alike do not fall in a straight line.
    straight = np.where(law.slope == 0, 0.0, np.sign(law.slope) * np.sqrt(law.r_squared))
    return [
        mean_finding(CLAIM.key, "NC1 falls from layer to layer", -1, "log change a layer", runs, law.slope),
        mean_finding(
            CLAIM.key, "log NC1 is a straight line in depth (r below −0.9)", -1, "r + 0.9", runs, straight + 0.9
        ),
    ]


def _falls(runs: Runs, taps: list[str]) -> tuple[Float[np.ndarray, "runs layers"], Float[np.ndarray, "runs layers"]]:
    """Log change from first to last checkpoint, and when half of it was reached (in checkpoints; never is infinity)."""
    columns = [f"layer/{tap}/variance_ratio" for tap in taps]
    change, half_fall = [], []
    for _, rows in runs.rows.groupby("run"):
        values = rows[columns].to_numpy(dtype=np.float64, na_value=np.nan)
        logs = np.log(np.where(values > 0, values, np.nan))
        change.append(logs[-1] - logs[0])
        half_fall.append([_half_fall(path) for path in logs.T])
    return np.array(change), np.array(half_fall, dtype=np.float64)


def _half_fall(path: Float[np.ndarray, " t"]) -> float:
    if not np.isfinite(path).all():
        return float("nan")
    half = (path[0] + path[-1]) / 2
    if path[-1] >= path[0]:
        return float("inf")
    after = int(np.argmax(path <= half))
    return after - 1 + float((path[after - 1] - half) / (path[after - 1] - path[after]))


def _order(values: Float[np.ndarray, "runs layers"]) -> Float[np.ndarray, " runs"]:
    """Spearman's rho between depth and a quantity of the layers, run by run; 0 where all layers are equal."""
    ranks = stats.rankdata(values, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    depth = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
    scale = np.sqrt((ranks**2).sum(axis=1) * (depth**2).sum())
    order = np.where(scale > 0, ranks @ depth / np.maximum(scale, 1e-12), 0.0)
    return np.where(np.isnan(values).any(axis=1), np.nan, order)


CLAIM = Claim(
    key="B5",
    title="Collapse cascades into earlier layers",
    statement=(
        "As training goes on the train variance ratio falls not only at the embedding but in earlier layers too; "
        "later layers fall first and deeper."
    ),
    source="Hui, Belkin, Nakkiran 2022, https://arxiv.org/abs/2202.08384, cascading collapse",
    columns=("layer/<tap>/variance_ratio",),
    config="limits_paper/cascade",
    headline=Headline(_HEADLINE, "log change", -1),
    lines=lines,
)
