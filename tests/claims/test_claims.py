"""Each claim on planted tables: the effect, its mirror, noise, missing columns, runs out of the regime."""

import numpy as np
import pandas as pd
import pytest

from ncjax.claims import CLAIMS, Finding, Verdict, evaluate, layer_taps
from tests.claims.synthetic import TAPS, final_table, sweep_table, with_diverged, with_optional

BY_KEY = {claim.key: claim for claim in CLAIMS}
evaluate_collapse, evaluate_transfer = BY_KEY["A1"].evaluate, BY_KEY["A5"].evaluate
evaluate_test_collapse, evaluate_cascade = BY_KEY["B1"].evaluate, BY_KEY["B5"].evaluate

GC = "train/geometric_complexity"


def by_line(findings: list[Finding]) -> dict[str, str]:
    return {finding.line: str(finding.verdict) for finding in findings if finding.when == "at the end"}


def linked(column: str, sign: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    signal = np.linspace(0, 3, 12)
    x, y = np.exp(signal + 0.2 * rng.normal(size=12)), np.exp(sign * signal + 0.2 * rng.normal(size=12))
    return final_table(x, y, columns=(GC, column))


@pytest.fixture(scope="module")
def planted() -> list[Finding]:
    return evaluate(sweep_table())


def test_planted_sweep_supports_every_headline(planted: list[Finding]) -> None:
    headlines = {finding.claim: str(finding.verdict) for finding in planted if finding.headline}
    measured = dict.fromkeys(("A1", "A5", "B1", "B5"), "supported")
    assert headlines == dict.fromkeys(BY_KEY, "not applicable") | measured


@pytest.mark.parametrize("key", [claim.key for claim in CLAIMS])
def test_the_first_finding_of_a_claim_is_its_only_headline(planted: list[Finding], key: str) -> None:
    headlines = [finding.headline for finding in planted if finding.claim == key]
    assert headlines == [True] + [False] * (len(headlines) - 1)


@pytest.mark.parametrize(("sign", "verdict"), [(1, "supported"), (-1, "contradicted")])
def test_a1_follows_the_sign(sign: int, verdict: str) -> None:
    assert str(evaluate_collapse(linked("train/cdnv", sign))[0].verdict) == verdict


@pytest.mark.parametrize(("sign", "verdict"), [(1, "supported"), (-1, "contradicted")])
def test_a5_follows_the_sign_of_target_cdnv(sign: int, verdict: str) -> None:
    assert str(evaluate_transfer(linked("target/cdnv", sign))[0].verdict) == verdict


@pytest.mark.parametrize(("sign", "verdict"), [(-1, "supported"), (1, "contradicted")])
def test_a5_claims_that_accuracy_falls_with_complexity(sign: int, verdict: str) -> None:
    table = linked("target/accuracy_5shot", sign).assign(**{"target/cdnv": 1.0})
    assert by_line(evaluate_transfer(table))["source GC and 5-shot accuracy, all runs"] == verdict


def paths(train_slope: float, test_slope: float, gap: float = 0.0) -> pd.DataFrame:
    """Variance ratios that follow given powers of the epoch in 12 runs."""
    rng = np.random.default_rng(0)
    epochs = np.array([0, 0.5, 1, 2, 4, 8, 16])
    rows = [
        {
            "run": run, "step": step, "epoch": epoch, "learning_rate": run, "train/error": 0.0,
            "train/variance_ratio": max(epoch, 0.5) ** train_slope * np.exp(0.02 * rng.normal()),
            "test/variance_ratio": max(epoch, 0.5) ** test_slope * np.exp(gap + 0.02 * rng.normal()),
        }
        for run in range(12)
        for step, epoch in enumerate(epochs)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("gap", "verdict"), [(0.5, "supported"), (-0.5, "contradicted")])
def test_b1_headline_is_the_sign_of_the_gap(gap: float, verdict: str) -> None:
    assert str(evaluate_test_collapse(paths(0.0, 0.0, gap))[0].verdict) == verdict


@pytest.mark.parametrize(("test_slope", "verdict"), [(0.0, "supported"), (-2.0, "contradicted")])
def test_b1_tells_a_gap_of_the_data_from_one_that_grows(test_slope: float, verdict: str) -> None:
    verdicts = by_line(evaluate_test_collapse(paths(-1.0, test_slope, gap=9.0)))
    assert verdicts["test minus train variance ratio at the end"] == "supported"
    assert verdicts["the gap grows from first to last checkpoint"] == verdict


@pytest.mark.parametrize(
    ("train_slope", "test_slope", "expected"),
    [
        (-1.0, 0.3, ["supported", "supported", "supported", "supported"]),
        (-1.0, -0.1, ["supported", "supported", "supported", "contradicted"]),
        (-1.0, -0.5, ["supported", "supported", "contradicted", "contradicted"]),
        (0.5, -0.5, ["contradicted", "contradicted", "contradicted", "contradicted"]),
    ],
)
def test_b1_trends(train_slope: float, test_slope: float, expected: list[str]) -> None:
    findings = evaluate_test_collapse(paths(train_slope, test_slope))
    assert [str(finding.verdict) for finding in findings[2:6]] == expected


def layered(falls: list[float], delay: list[float]) -> pd.DataFrame:
    """Layers whose log variance ratio falls by given amounts, each as a step at a given share of training."""
    rng = np.random.default_rng(0)
    rows = []
    for run in range(12):
        for step in range(9):
            done = 1 / (1 + np.exp(-2 * (step - 8 * np.array(delay))))
            logs = -np.array(falls) * done + 0.001 * rng.normal(size=len(falls))
            values = {f"layer/{tap}/variance_ratio": np.exp(log) for tap, log in zip(TAPS, logs, strict=True)}
            rows.append({"run": run, "step": step, "learning_rate": run, "train/error": 0.0} | values)
    return pd.DataFrame(rows)


def test_b5_sees_a_cascade() -> None:
    verdicts = by_line(evaluate_cascade(layered([1, 2, 3, 4], [0.7, 0.6, 0.5, 0.4])))
    assert set(verdicts.values()) == {"supported"}


def test_b5_sees_its_mirror() -> None:
    verdicts = by_line(evaluate_cascade(layered([4, 3, 2, 1], [0.4, 0.5, 0.6, 0.7])))
    assert verdicts["later layers fall deeper"] == "contradicted"
    assert verdicts["later layers reach half of their fall first"] == "contradicted"


def test_b5_headline_leaves_the_embedding_out() -> None:
    findings = evaluate_cascade(layered([-1, -1, -1, 9], [0.5, 0.5, 0.5, 0.5]))
    assert str(findings[0].verdict) == "contradicted"
    assert by_line(findings)["variance ratio falls in embedding"] == "supported"


def test_a_layer_that_never_falls_comes_last_in_time() -> None:
    verdicts = by_line(evaluate_cascade(layered([-1, 2, 2, 2], [0.1, 0.7, 0.6, 0.5])))
    assert verdicts["later layers reach half of their fall first"] == "supported"


def test_taps_are_in_the_order_of_the_layers() -> None:
    columns = [f"layer/{tap}/variance_ratio" for tap in ("block1", "block10", "block2", "embedding")]
    assert layer_taps(pd.DataFrame(columns=columns)) == ["block1", "block2", "block10", "embedding"]


@pytest.mark.parametrize("key", ["A1", "A5", "B1", "B5"])
def test_runs_that_never_reached_the_terminal_phase_are_not_applicable(key: str) -> None:
    findings = BY_KEY[key].evaluate(sweep_table(seeds=1).assign(**{"train/error": 0.2}))
    assert [finding.verdict for finding in findings] == [Verdict.NOT_APPLICABLE]
    assert "no run reached the terminal phase (train error at most 0.05 at the end): 6 stayed above" in findings[0].note
    assert findings[0].unsettled == 6


@pytest.mark.parametrize(("key", "axis"), [("A2", "gc_penalty"), ("B3", "train_samples")])
def test_a_hyperparameter_that_does_not_vary_names_the_config_that_varies_it(key: str, axis: str) -> None:
    [finding] = BY_KEY[key].evaluate(sweep_table(seeds=1).assign(**{axis: 0.0}))
    assert finding.note == f"the runs do not differ in {axis}: --config={BY_KEY[key].config} varies it"


@pytest.mark.parametrize(
    ("claim", "column"),
    [
        ("A1", "train/geometric_complexity"),
        ("A1", "train/cdnv"),
        ("A5", "target/cdnv"),
        ("B1", "test/variance_ratio"),
        ("B5", "train/error"),
    ],
)
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_a_missing_column_is_named(claim: str, column: str, how: str) -> None:
    table = sweep_table(seeds=1)
    table = table.drop(columns=column) if how == "absent" else table.assign(**{column: np.nan})
    [judged] = [each for each in CLAIMS if each.key == claim]
    findings = judged.evaluate(table)
    assert [finding.verdict for finding in findings] == [Verdict.NOT_APPLICABLE]
    assert f"lacks {column}: --config={judged.config} measures it" in findings[0].note


def test_a_missing_column_of_one_line_leaves_the_others() -> None:
    verdicts = by_line(evaluate_transfer(sweep_table().drop(columns="target/accuracy_5shot")))
    assert verdicts["source GC and 5-shot accuracy, all runs"] == "not applicable"
    assert verdicts["source GC and target CDNV, all runs"] == "supported"


def test_diverged_runs_change_nothing_but_the_count() -> None:
    table = sweep_table()
    lost = evaluate_collapse(with_diverged(table, 5))
    without = evaluate_collapse(table[table["run"] != 5])
    assert [finding.diverged for finding in lost] == [1] * len(lost)
    assert [(f.value, f.low, f.high) for f in lost] == [(f.value, f.low, f.high) for f in without]


def test_a_run_that_collapsed_to_a_point_changes_nothing_but_the_count() -> None:
    table = sweep_table().assign(**{"train/collapsed_to_a_point": lambda rows: rows["run"] == 5})
    lost = evaluate_collapse(table)
    without = evaluate_collapse(table[table["run"] != 5])
    assert {(finding.collapsed, finding.diverged) for finding in lost} == {(1, 0)}
    assert [(f.value, f.low, f.high) for f in lost] == [(f.value, f.low, f.high) for f in without]


def test_a_claim_without_a_run_left_says_what_became_of_them() -> None:
    [finding] = BY_KEY["A6"].evaluate(
        with_optional(sweep_table(seeds=1)).assign(**{"train/collapsed_to_a_point": True})
    )
    assert finding.note == "no run is left: 6 collapsed to a point"


def test_the_verdict_does_not_depend_on_the_order_of_rows(planted: list[Finding]) -> None:
    assert evaluate(sweep_table().sample(frac=1, random_state=0)) == planted
