"""Names of the version before still work, with a warning that says the new one."""

import pytest

from ncjax import claims


@pytest.mark.parametrize(
    ("old", "new"), [("Interval", "BootstrapInterval"), ("Moment", "When"), ("at_moment", "cut_runs")]
)
def test_a_renamed_name_is_the_new_one_with_a_warning(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=new):
        assert getattr(claims, old) is getattr(claims, new)


def test_the_moment_of_a_finding_is_now_when() -> None:
    finding = claims.Finding("A1", "line", claims.Verdict.INCONCLUSIVE, "mean", 1, when="at equal epochs")
    with pytest.warns(DeprecationWarning, match="when"):
        assert finding.moment == "at equal epochs"
    assert finding.as_dict()["moment"] == "at equal epochs"


def test_a_name_that_never_was_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'intervall'"):
        _ = claims.intervall
