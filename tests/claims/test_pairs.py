import numpy as np
import pandas as pd
import pytest

from ncjax.claims import select_runs
from ncjax.claims.pairs import paired_findings

STRENGTHS, SEEDS = (0.0, 0.1, 0.2), 6


def table_of(values: np.ndarray) -> pd.DataFrame:
    """One run a strength [rows] and seed [columns] with the given values."""
    strengths, seeds = np.repeat(STRENGTHS, SEEDS), np.tile(np.arange(SEEDS), len(STRENGTHS))
    table = pd.DataFrame({"run": range(18), "step": 9, "gc_penalty": strengths, "seed": seeds, "train/error": 0.0})
    return table.assign(**{"train/cdnv": values.ravel()})


def findings(table: pd.DataFrame) -> dict[str, float]:
    found = paired_findings("A2", select_runs(table), "gc_penalty", "train/cdnv", "CDNV", -1)
    return {each.line: each.value for each in found}


LOGS = np.random.default_rng(0).normal(size=(3, SEEDS))


def test_ratios_are_between_runs_of_one_seed() -> None:
    found = findings(table_of(np.exp(LOGS)))
    assert found["CDNV, GC penalty 0.1 vs none"] == pytest.approx((LOGS[1] - LOGS[0]).mean())
    assert found["CDNV, GC penalty 0.2 vs none"] == pytest.approx((LOGS[2] - LOGS[0]).mean())
    assert found["CDNV, GC penalty vs none"] == pytest.approx((LOGS[1:].mean(axis=0) - LOGS[0]).mean())
    assert len(found) == 3


def test_a_strength_that_a_seed_lacks_takes_no_part_in_its_mean() -> None:
    table = table_of(np.exp(LOGS))
    found = findings(table[~((table["gc_penalty"] == 0.2) & (table["seed"] == 0))])
    both = LOGS[1:].mean(axis=0) - LOGS[0]
    both[0] = LOGS[1, 0] - LOGS[0, 0]
    assert found["CDNV, GC penalty vs none"] == pytest.approx(both.mean())
    assert found["CDNV, GC penalty 0.2 vs none"] == pytest.approx((LOGS[2] - LOGS[0])[1:].mean())


def test_what_is_not_positive_is_in_no_ratio() -> None:
    values = np.exp(LOGS)
    values[1, 0] = 0.0
    assert findings(table_of(values))["CDNV, GC penalty 0.1 vs none"] == pytest.approx((LOGS[1] - LOGS[0])[1:].mean())


def test_runs_that_differ_in_something_else_are_no_pair() -> None:
    table = table_of(np.exp(LOGS)).assign(l2=np.repeat([0.0, 0.0, 0.1], SEEDS))
    found = findings(table)
    assert np.isnan(found["CDNV, GC penalty 0.2 vs none"])
    assert found["CDNV, GC penalty vs none"] == pytest.approx((LOGS[1] - LOGS[0]).mean())


def test_without_a_run_that_lacks_the_term_there_is_nothing_to_compare_with() -> None:
    table = table_of(np.exp(LOGS))
    found = paired_findings("A2", select_runs(table[table["gc_penalty"] > 0]), "gc_penalty", "train/cdnv", "CDNV", -1)
    assert {each.runs for each in found} == {0}
