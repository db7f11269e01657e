"""What each line of each claim says: its sign, and the number that it is about."""

import re

import numpy as np
import pandas as pd
import pytest

from ncjax.claims import CLAIMS, Finding, evaluate
from tests.claims.synthetic import TAPS, final_table, sweep_table, with_optional

BY_KEY = {claim.key: claim for claim in CLAIMS}
# Lines that claim a fall, a negative relation or an error below a limit; all others claim the opposite.
NEGATIVE = {
    "A1": r"(learning rate|L2) and GC$",
    "A2": r".* GC penalty vs none$",
    "A3": r".* (err by less than 10%|error below 10%)$",
    "A4": r".* bound on (train|test) is below 1$",
    "A5": r"source GC and 5-shot accuracy, ",
    "A6": r".*SAM radius.* vs none$|SAM radius and GC$",
    "B1": r"train variance ratio falls late",
    "B3": r"train samples and |test variance ratio as a power",
    "B4": r".*: (change in the terminal phase|order with time)$",
    "B5": r"variance ratio falls|later layers|NC1 falls|log NC1",
}


def everything() -> pd.DataFrame:
    table = with_optional(sweep_table(seeds=3))
    more = {f"layer/{tap}/nc1": table[f"layer/{tap}/variance_ratio"] for tap in TAPS}
    more["train/first_layer_bound"] = pd.Series(3.0, table.index)
    more["train/first_layer_slope"] = 2.0 + table["run"] / 100
    more["sam_rho"] = pd.Series(np.where(table["seed"] == 0, 0.0, 0.05), table.index)
    return pd.concat([table, pd.DataFrame(more)], axis=1)


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return [finding for finding in evaluate(everything()) if finding.when == "at the end"]


@pytest.mark.parametrize("key", BY_KEY)
def test_every_line_claims_what_its_words_say(key: str, findings: list[Finding]) -> None:
    own = [finding for finding in findings if finding.claim == key]
    pattern = NEGATIVE.get(key, r"(?!)")
    assert {finding.line: finding.claimed for finding in own} == {
        finding.line: -1 if re.match(pattern, finding.line) else 1 for finding in own
    }


def test_sharpness_aware_runs_and_the_first_layer_have_lines(findings: list[Finding]) -> None:
    lines = {finding.line: finding for finding in findings if finding.claim == "A6"}
    bound = lines["the first-layer bound is above GC"]
    assert bound.value == pytest.approx(np.mean(np.log(3 / (2 + everything()["run"].unique() / 100))))
    assert "GC and first-layer bound, all runs" in lines
    assert any("SAM" in line for line in lines)


@pytest.mark.parametrize("kind", ["weak", "strong"])
def test_the_gap_of_test_variances_is_that_of_logarithms(kind: str, findings: list[Finding]) -> None:
    lines = {finding.line: finding.value for finding in findings if finding.claim == "B2"}
    table = everything()
    logs = np.log(table[f"test/{kind}_variance"]) - np.log(table["train/variance_ratio"])
    last, first = (logs[table["epoch"] == epoch].mean() for epoch in (31, 0))
    assert lines[f"{kind} test variance is above train variance"] == pytest.approx(last)
    assert lines[f"the gap of {kind} test variance grows since the start"] == pytest.approx(last - first)


@pytest.mark.parametrize("changed", ["train/geometric_complexity", "train/cdnv"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_slope_on_logarithms_is_for_what_is_positive_alone(changed: str, value: float) -> None:
    table = final_table(np.arange(1.0, 9.0), np.arange(1.0, 9.0))
    lines = {finding.line for finding in BY_KEY["A1"].evaluate(table)}
    assert "GC and train CDNV, log on log" in lines
    table.loc[0, changed] = value
    assert "GC and train CDNV, log on log" not in {finding.line for finding in BY_KEY["A1"].evaluate(table)}
