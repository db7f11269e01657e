import pytest

from ncjax.claims import CLAIMS, Finding, evaluate
from ncjax.report import claims_text
from ncjax.report.pages.verdict_tables import elsewhere
from tests.claims.synthetic import sweep_table, with_diverged


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    claims = tuple(claim for claim in CLAIMS if claim.key in ("A1", "A5", "B1", "B5"))
    return evaluate(with_diverged(sweep_table(batch_sizes=(16, 32), seeds=1), 3), claims)


def test_fits_120_columns(findings: list[Finding]) -> None:
    text = claims_text(findings)
    assert max(map(len, text.splitlines())) <= 120


def test_columns_are_aligned(findings: list[Finding]) -> None:
    lines = claims_text(findings).splitlines()
    where = lines[0].index("verdict")
    rows = [line for line in lines[2:] if line[where:].startswith(("supported", "inconclusive", "contradicted"))]
    ended = [finding for finding in findings if finding.when == "at the end"]
    assert len(rows) == len(ended) + sum(len(elsewhere(finding, findings)) for finding in ended)


def test_other_comparisons_stand_below_headlines_and_where_they_differ(findings: list[Finding]) -> None:
    ended = [finding for finding in findings if finding.when == "at the end"]
    for finding in ended:
        others = elsewhere(finding, findings)
        assert all(other.when == "at equal train loss" for other in others)
        assert finding.headline == bool(others) or {other.verdict for other in others}.isdisjoint([finding.verdict])


def test_headlines_carry_the_key_and_other_lines_are_indented(findings: list[Finding]) -> None:
    lines = claims_text(findings).splitlines()
    assert lines[2].startswith("A1 GC and train CDNV, all runs ")
    assert any(line.startswith("     GC and train CDNV, along learning rate ") for line in lines)


def test_nothing_is_cut_short(findings: list[Finding]) -> None:
    assert "…" not in claims_text(findings)


def test_says_what_was_left_out(findings: list[Finding]) -> None:
    text = " ".join(claims_text(findings).split())
    assert "Left out: 1 diverged, 0 with a final train error above 0.05." in text


def test_a_reason_stands_below_a_claim_that_does_not_apply() -> None:
    text = claims_text(evaluate(sweep_table(seeds=1).assign(**{"train/error": 0.5})))
    assert " ".join(text.split()).count("no run reached the terminal phase") == 4 + 1
