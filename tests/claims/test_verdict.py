import json

import pytest

from ncjax.claims import BootstrapInterval, Finding, Verdict, decide


@pytest.mark.parametrize(
    ("low", "high", "claimed", "verdict"),
    [
        (0.1, 0.9, 1, "supported"),
        (0.1, 0.9, -1, "contradicted"),
        (-0.9, -0.1, -1, "supported"),
        (-0.9, -0.1, 1, "contradicted"),
        (-0.1, 0.9, 1, "inconclusive"),
        (0.0, 0.9, 1, "inconclusive"),
        (-0.9, 0.0, 1, "inconclusive"),
    ],
)
def test_rule(low: float, high: float, claimed: int, verdict: str) -> None:
    assert str(decide(BootstrapInterval(0.0, low, high), claimed, units=12)) == verdict


def test_few_units_decide_nothing() -> None:
    assert decide(BootstrapInterval(1.0, 1.0, 1.0), 1, units=4) is Verdict.INCONCLUSIVE


def test_a_claim_has_a_sign() -> None:
    with pytest.raises(ValueError, match="claimed must be"):
        decide(BootstrapInterval(1.0, 1.0, 1.0), 0, units=12)


def test_a_finding_without_numbers_is_valid_json() -> None:
    finding = Finding("A1", "line", Verdict.NOT_APPLICABLE, "ρ", 1)
    assert json.loads(json.dumps(finding.as_dict(), allow_nan=False))["low"] is None
