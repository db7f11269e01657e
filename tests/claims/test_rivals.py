"""The ranking of measures by how well they predict an outcome."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ncjax.claims import OUTCOME, RIVALS, rank_rivals
from ncjax.claims.statistics import bootstrap_interval, spearman
from ncjax.results import find_column

pytestmark = pytest.mark.structure


def planted(settings: int = 10, seeds: int = 1, columns: dict[str, np.ndarray] | None = None) -> pd.DataFrame:
    """A table in which train/cdnv orders the outcome all but perfectly, and train/nc1 is noise."""
    runs = settings * seeds
    random = np.random.default_rng(0)
    quality = np.repeat(np.linspace(0, 1, settings), seeds) + 0.01 * random.normal(size=runs)
    return pd.DataFrame(
        {
            "run": range(runs), "step": 9, "train/error": 0.0, "learning_rate": np.repeat(np.arange(settings), seeds),
            "seed": np.tile(np.arange(seeds), settings), OUTCOME: quality,
            "train/cdnv": 2 - quality + 0.02 * random.normal(size=runs), "train/nc1": random.random(runs),
        }
        | (columns or {})
    )  # fmt: skip


def by_column(table: pd.DataFrame, outcome: str = OUTCOME):
    return {each.column: each for each in rank_rivals(table, outcome).standings}


def test_agreement_is_spearmans_rho_times_the_claimed_sign():
    table = planted()
    found = by_column(table)
    for column in ("train/cdnv", "train/nc1"):
        assert found[column].agreement == pytest.approx(-stats.spearmanr(table[column], table[OUTCOME]).statistic)


def test_the_best_comes_first():
    assert [each.column for each in rank_rivals(planted()).standings] == ["train/cdnv", "train/nc1"]


def test_intervals_are_those_of_the_claims():
    table = planted(seeds=2)
    x, y = table["train/nc1"].to_numpy(), table[OUTCOME].to_numpy()
    interval = bootstrap_interval(lambda weights: -spearman(x, y, weights), table["learning_rate"].to_numpy())
    found = by_column(table)["train/nc1"]
    np.testing.assert_allclose((found.low, found.high), interval[1:], atol=1e-12)


def test_the_interval_for_all_measures_holds_that_of_one():
    for found in rank_rivals(planted()).standings:
        assert found.low_of_all <= found.low <= found.agreement <= found.high <= found.high_of_all


def test_seeds_of_a_setting_are_drawn_together():
    rivals = rank_rivals(planted(settings=6, seeds=3))
    assert (rivals.runs, rivals.units, rivals.unit) == (18, 6, "settings")


def test_the_best_is_behind_itself_by_nothing():
    best = rank_rivals(planted()).standings[0]
    assert (best.behind, best.behind_low, best.behind_high) == (0, 0, 0)


def test_a_difference_is_of_the_same_resamples():
    # Two copies of one measure never differ, whatever their own intervals are.
    table = planted()
    found = by_column(table.assign(**{"test/cdnv": table["train/cdnv"]}))
    assert found["test/cdnv"].low < found["test/cdnv"].high
    assert (found["test/cdnv"].behind_low, found["test/cdnv"].behind_high) == (0, 0)


def test_measures_that_share_the_first_place_share_it_alike():
    table = planted()
    found = by_column(table.assign(**{"test/cdnv": table["train/cdnv"]}))
    assert found["test/cdnv"].best == pytest.approx(found["train/cdnv"].best)


def test_shares_of_the_first_place_sum_to_one():
    assert sum(each.best for each in rank_rivals(planted()).standings) == pytest.approx(1)


def test_a_measure_against_its_claim_is_reversed():
    table = planted()
    assert by_column(table.assign(**{"train/cdnv": table[OUTCOME]}))["train/cdnv"].verdict == "reversed"


def test_a_measure_with_its_claim_holds_and_noise_is_open():
    found = by_column(planted())
    assert (found["train/cdnv"].verdict, found["train/nc1"].verdict) == ("holds", "open")


def test_runs_are_compared_within_strata():
    # Within each network CDNV orders the runs perfectly; between networks it does not.
    table = planted(settings=12).drop(columns="train/nc1")
    rank = np.tile(np.arange(6.0), 2)
    table[OUTCOME], table["train/cdnv"] = rank + np.repeat([0, 10], 6), np.repeat([0, 10], 6) - rank
    found = rank_rivals(table.assign(model=np.repeat(["mlp", "vgg"], 6)))
    assert found.strata == 2
    assert found.standings[0].agreement == pytest.approx(1)


def test_weighted_tau_is_scipys():
    table = planted()
    want = -stats.weightedtau(table["train/nc1"], table[OUTCOME]).statistic
    assert by_column(table)["train/nc1"].tau == pytest.approx(want)


def test_less_is_better_after_a_minus():
    table = planted()
    found = by_column(table.assign(**{"test/error": 1 - table[OUTCOME]}), "-test/error")
    assert found["train/cdnv"].agreement == pytest.approx(by_column(table)["train/cdnv"].agreement)


def test_the_outcome_is_no_measure_of_itself():
    table = planted(columns={"test/error": np.linspace(1, 0, 10)})
    assert "test/error" not in by_column(table, "-test/error")


def test_a_certificate_is_compared_at_the_shots_of_the_outcome():
    table = planted(
        columns={f"target/few_shot_certificate_{shots}shot": np.arange(10.0) for shots in (1, 5)},
    )
    assert {"target/few_shot_certificate_5shot"} == {name for name in by_column(table) if "certificate" in name}


def test_a_measure_that_many_runs_lack_is_not_compared():
    lacking = np.where(np.arange(10) < 2, np.nan, np.arange(10.0))
    rivals = rank_rivals(planted(columns={"train/hessian_trace": lacking}))
    assert rivals.not_compared == ("train/hessian_trace",)
    assert rivals.runs == 10


def test_a_run_that_lacks_one_measure_drops_out():
    lacking = np.where(np.arange(10) < 1, np.nan, np.arange(10.0))
    rivals = rank_rivals(planted(columns={"train/hessian_trace": lacking}))
    assert (rivals.runs, rivals.incomplete) == (9, 1)


def test_runs_before_the_terminal_phase_are_counted():
    table = planted()
    table.loc[:2, "train/error"] = 0.5
    rivals = rank_rivals(table)
    assert (rivals.runs, rivals.left_out.unsettled) == (7, 3)
    assert rank_rivals(table, terminal=False).runs == 10


def test_a_constant_measure_says_nothing():
    found = by_column(planted(columns={"train/nc1": np.ones(10)}))["train/nc1"]
    assert (found.agreement, found.verdict) == (0, "open")
    assert np.isnan(found.tau)


def test_tied_outcomes_are_defined():
    found = by_column(planted(columns={OUTCOME: np.repeat([0.5, 0.6], 5)}))
    assert np.isfinite([found["train/nc1"].agreement, found["train/nc1"].tau]).all()


@pytest.mark.parametrize(
    ("table", "outcome", "words"),
    [
        (planted(), "target/acuracy", r"outcome: got 'target/acuracy'.*such as target/accuracy_5shot"),
        (planted(columns={OUTCOME: np.ones(10)}), OUTCOME, "outcome: .* the same in all runs"),
        (planted(settings=4), OUTCOME, "got 4 runs to compare .*expected at least 5"),
        (planted(settings=1), OUTCOME, "got 1 runs to compare"),
        (planted(columns={"train/error": np.ones(10)}), OUTCOME, "got 0 runs to compare .10 not in the terminal phase"),
        (planted().drop(columns=["train/cdnv", "train/nc1"]), OUTCOME, "no measure to compare"),
    ],
)
def test_what_cannot_be_ranked_is_one_line(table, outcome, words):
    with pytest.raises(ValueError, match=words) as caught:
        rank_rivals(table, outcome)
    assert "\n" not in str(caught.value)


def test_every_rival_is_a_column():
    for column, (sign, source) in RIVALS.items():
        assert find_column(column)
        assert abs(sign) == 1
        assert source
