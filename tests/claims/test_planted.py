"""Every claim on tables with its effect planted, with the mirror of it, and with noise."""

import numpy as np
import pytest

from ncjax.claims import CLAIMS, select_runs, statistics
from tests.claims.planted import PLANTED

BY_KEY = {claim.key: claim for claim in CLAIMS}


def test_every_claim_has_a_table() -> None:
    assert PLANTED.keys() == BY_KEY.keys()


@pytest.mark.parametrize("key", BY_KEY)
@pytest.mark.parametrize(("effect", "verdict"), [(1.0, "supported"), (-1.0, "contradicted")])
def test_an_effect_is_supported_and_its_mirror_contradicted(key: str, effect: float, verdict: str) -> None:
    findings = BY_KEY[key].evaluate(PLANTED[key](effect, np.random.default_rng(0)))
    assert str(findings[0].verdict) == verdict
    # What the table in a terminal has room for.
    assert max(len(finding.line) + 2 * (not finding.headline) for finding in findings) <= 57
    assert [finding.headline for finding in findings] == [True] + [False] * (len(findings) - 1)
    headline = BY_KEY[key].headline
    assert (findings[0].line, findings[0].statistic, findings[0].claimed) == (
        headline.line, headline.statistic, headline.claimed,
    )  # fmt: skip


@pytest.mark.parametrize("key", BY_KEY)
def test_noise_is_inconclusive_at_about_the_nominal_rate(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    claim, tables = BY_KEY[key], 30
    rng = np.random.default_rng(1)
    decided = 0
    for _ in range(tables):
        runs = select_runs(PLANTED[key](0.0, rng), claim.terminal)
        decided += str(claim.lines(runs)[0].verdict) != "inconclusive"
    # Nominal 5%, 5-10% at so few units (`ncjax.claims.statistics`); at 10% more than 8 of 30 come up once in 500.
    assert decided <= 8
