import numpy as np
import pytest

from ncjax.claims import (
    Finding,
    Relation,
    Verdict,
    association_findings,
    axis_findings,
    bootstrap_interval,
    decide,
    select_runs,
    spearman,
)
from tests.claims.synthetic import final_table, sweep_table

GC, CDNV = "train/geometric_complexity", "train/cdnv"


def headline(x: np.ndarray, y: np.ndarray, seeds: int = 1) -> Finding:
    runs = select_runs(final_table(x, y, seeds=seeds))
    return association_findings("A1", runs, GC, "GC", [Relation(CDNV, "CDNV", 1)])[0]


def planted(sign: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    signal = np.repeat(np.linspace(0, 3, 12 // seeds), seeds)
    return np.exp(signal + 0.2 * rng.normal(size=12)), np.exp(sign * signal + 0.2 * rng.normal(size=12))


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize(("sign", "verdict"), [(1, "supported"), (-1, "contradicted")])
def test_planted_effect_and_its_mirror(sign: int, verdict: str, seeds: int) -> None:
    assert str(headline(*planted(sign, seeds), seeds=seeds).verdict) == verdict


@pytest.mark.parametrize(("between", "rate"), [(0.0, 0.078), (0.95, 0.067)])
def test_noise_is_inconclusive_at_about_the_nominal_rate(between: float, rate: float) -> None:
    """Unrelated quantities over 6 settings of 2 seeds; `between` is the share of the spread that settings have."""
    rng, sweeps = np.random.default_rng(1), 300
    settings = select_runs(final_table(np.ones(12), np.ones(12), seeds=2)).settings
    decided = 0
    for _ in range(sweeps):
        shared, own = np.repeat(rng.normal(size=(2, 6)), 2, axis=1), rng.normal(size=(2, 12))
        x, y = between * shared + (1 - between**2) ** 0.5 * own
        interval = bootstrap_interval(lambda weights, x=x, y=y: spearman(x, y, weights), settings, resamples=1000)
        decided += decide(interval, 1, units=6) is not Verdict.INCONCLUSIVE
    # `rate` was measured over 600 other sweeps (nominal 0.05); both proportions have a binomial error.
    error = 3 * np.sqrt(rate * (1 - rate) * (1 / sweeps + 1 / 600))
    assert 0.05 - error <= decided / sweeps <= rate + error


def test_seeds_of_a_setting_are_drawn_together() -> None:
    finding = headline(*planted(1, 2), seeds=2)
    assert (finding.runs, finding.units, finding.unit) == (12, 6, "settings")


def test_five_settings_are_enough_to_resample_them() -> None:
    finding = headline(np.arange(1.0, 11), np.arange(1.0, 11), seeds=2)
    assert (finding.units, finding.unit, finding.note) == (5, "settings", "")


def test_few_settings_fall_back_to_runs_and_say_so() -> None:
    finding = headline(*planted(1, 4), seeds=4)
    assert (finding.units, finding.unit) == (12, "runs")
    assert finding.note.startswith("only 3 settings")


def test_too_few_runs_are_inconclusive_and_say_so() -> None:
    finding = headline(np.arange(1.0, 5), np.arange(1.0, 5))
    assert str(finding.verdict) == "inconclusive"
    assert finding.note == "not judged, too few runs: 4, at least 5 are needed"
    assert np.isnan([finding.value, finding.low]).all()


def test_a_run_without_a_value_takes_no_part() -> None:
    x, y = planted(1, 1)
    y[3] = np.nan
    assert headline(x, y).runs == 11


def test_every_axis_has_its_own_line() -> None:
    runs = select_runs(sweep_table(batch_sizes=(16, 32)))
    lines = [f.line for f in association_findings("A1", runs, GC, "GC", [Relation(CDNV, "CDNV", 1)])]
    assert lines == [
        "GC and CDNV, all runs",
        "GC and CDNV, along learning rate",
        "GC and CDNV, along L2",
        "GC and CDNV, along batch size",
        "GC and CDNV, given train loss",
        "GC and CDNV, log on log",
    ]


def test_an_effect_of_progress_alone_vanishes_given_train_loss() -> None:
    rng = np.random.default_rng(0)
    progress = np.linspace(0, 3, 24)
    table = final_table(np.exp(progress + 0.3 * rng.normal(size=24)), np.exp(progress + 0.3 * rng.normal(size=24)))
    findings = association_findings(
        "A1", select_runs(table.assign(**{"train/loss": np.exp(progress)})), GC, "GC", [Relation(CDNV, "CDNV", 1)]
    )
    verdicts = {finding.line.split(", ")[1]: str(finding.verdict) for finding in findings}
    assert (verdicts["all runs"], verdicts["given train loss"]) == ("supported", "inconclusive")
    assert "given train loss (inconclusive)" in findings[0].note


def test_simpson_is_seen_along_the_axis() -> None:
    """Within each L2 the two rise together, between the L2s they fall."""
    table = sweep_table(learning_rates=(1, 2, 3, 4, 5), l2s=(0.0, 1e-3), seeds=1)
    rate, l2 = table["learning_rate"], (table["l2"] > 0) * 12.0
    table = table.assign(**{GC: np.exp(rate + l2), CDNV: np.exp(rate - l2), "train/error": 0.0})
    findings = association_findings("A1", select_runs(table), GC, "GC", [Relation(CDNV, "CDNV", 1)])
    along = {finding.line.split(", ")[1]: str(finding.verdict) for finding in findings}
    assert along["along learning rate"] == "supported"
    assert along["along L2"] == "contradicted"


@pytest.mark.parametrize(("sign", "verdict"), [(-1, "supported"), (1, "contradicted")])
def test_axis_effect_and_its_mirror(sign: int, verdict: str) -> None:
    table = sweep_table(seeds=2)
    table = table.assign(**{GC: np.exp(sign * np.log(table["learning_rate"]) + 0.01 * table["run"] % 0.05)})
    finding = axis_findings("A1", select_runs(table), GC, "GC", {"learning_rate": -1, "batch_size": 1})
    assert [(f.line, str(f.verdict)) for f in finding] == [("learning rate and GC", verdict)]
