"""In what sweeps differ: their settings, and what their runs ended with."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ncjax.claims import final_rows, hyperparameters

# Of one layer or estimator, of wall time, or no value of its own.
_LEFT_OUT = ("time/", "layer/", "test_layer/", "estimate/")
_ERRORS = ("_stderr", "_ci95", "_stderr_probes")


class Setting(NamedTuple):
    """A setting that is not the same in all sweeps.

    Attributes:
        key: of the config.
        values: of each sweep, as JSON; a dash where it has none.
    """

    key: str
    values: tuple[str, ...]


class Difference(NamedTuple):
    """What the runs of several sweeps ended with.

    Attributes:
        column: of the results table.
        means: of each sweep, over the last checkpoints of runs that did not diverge.
        differences: of each sweep to the first; over pairs of runs where there are some.
        stderrs: their standard errors over pairs; NaN with fewer than two.
        pairs: of runs that agree in every setting that varies in a sweep; 0 where runs cannot be paired, and the
            difference is that of the means.
    """

    column: str
    means: tuple[float, ...]
    differences: tuple[float, ...]
    stderrs: tuple[float, ...]
    pairs: tuple[int, ...]


def differing_settings(configs: Mapping[str, Mapping[str, Any]]) -> list[Setting]:
    """Names the settings in which configs differ.

    Args:
        configs: nested, by the name of the sweep.

    Returns:
        The settings, by their dotted keys.

    Examples:
        >>> differing_settings({"a": {"model": {"name": "mlp", "norm": "none"}}, "b": {"model": {"name": "vgg11"}}})
        [Setting(key='model.name', values=('"mlp"', '"vgg11"')), Setting(key='model.norm', values=('"none"', '–'))]
    """
    flat = [_flat(config) for config in configs.values()]
    found = []
    for key in sorted(set().union(*flat)):
        values = tuple(json.dumps(each[key], ensure_ascii=False) if key in each else "–" for each in flat)
        if len(set(values)) > 1:
            found.append(Setting(key, values))
    return found


def final_differences(tables: Mapping[str, pd.DataFrame]) -> list[Difference]:
    """Compares what the runs of several sweeps ended with, column by column.

    Args:
        tables: results by the name of the sweep, the first being the one that others are compared with.

    Returns:
        A line for each column that all tables have.

    Raises:
        ValueError: if a table is empty or lacks ``run`` or ``step``.

    Examples:
        >>> one = pd.DataFrame({"run": [0, 1], "step": 1, "l2": [0.0, 0.1], "test/error": [0.5, 0.25]})
        >>> [line] = final_differences({"a": one, "b": one.assign(**{"test/error": [0.25, 0.0]})})
        >>> line.means, line.differences, line.pairs
        ((0.375, 0.125), (0.0, -0.25), (2, 2))
    """
    finals = [final[~final["diverged"].astype(bool)] for final in map(final_rows, tables.values())]
    first, *_ = finals
    shared = [str(name) for name in first.columns if all(name in final for final in finals)]
    paired = [_paired(first, final) for final in finals]
    lines = []
    for column in shared:
        if "/" not in column or column.startswith(_LEFT_OUT) or column.endswith(_ERRORS):
            continue
        means = tuple(_mean(final[column].to_numpy(float)) for final in finals)
        compared = [_compare(pairs, column, means[0], mean) for pairs, mean in zip(paired, means, strict=True)]
        differences, stderrs, counts = (tuple(each) for each in zip(*compared, strict=True))
        lines.append(Difference(column, means, differences, stderrs, counts))
    return lines


def _paired(first: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame | None:
    """Runs of two sweeps that agree in what varies in either; None where that does not single them out."""
    names = [name for name in hyperparameters(first) if name in other]
    held = [name for name in names if first[name].nunique() > 1 or other[name].nunique() > 1]
    if not held:
        return first.merge(other, how="cross", suffixes=("", " other")) if len(first) == len(other) == 1 else None
    if first.duplicated(held).any() or other.duplicated(held).any():
        return None
    return first.merge(other, on=held, suffixes=("", " other"))


def _compare(pairs: pd.DataFrame | None, column: str, first: float, mean: float) -> tuple[float, float, int]:
    if pairs is None or pairs.empty:
        return mean - first, math.nan, 0
    differences = pairs[f"{column} other"].to_numpy(float) - pairs[column].to_numpy(float)
    differences = differences[np.isfinite(differences)]
    count = len(differences)
    stderr = float(differences.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
    return _mean(differences), stderr, count


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
