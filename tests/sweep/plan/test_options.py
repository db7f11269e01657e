import dataclasses
from pathlib import Path

import pytest

from ncjax.options import check, option, options_of
from ncjax.sweep import AXES, SWEEP_AXES, default_config
from ncjax.sweep.plan.options import OPTIONS, SECTIONS
from ncjax.sweep.plan.options_page import options_page
from ncjax.training import HYPER_NAMES, Hyper

ROOT = Path(__file__).resolve().parents[3]


@dataclasses.dataclass(frozen=True)
class Example:
    rate: float = option(0.5, "of something", above=0, below=1)
    count: int = option(3, "of something", at_least=0, at_most=9, zero="all", config=0)
    kind: str = option("a", "of something", choices=("a", "b"), axis="sort")
    on: bool = option(False, "whether")


def test_the_page_of_options_is_as_they_are_defined():
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert page == options_page(), "write it again: python -m ncjax.sweep.plan.options_page docs/options.md"


def test_every_option_has_one_key_and_every_axis_one_name():
    count = sum(len(options_of(kind, section)) for kind, section in SECTIONS.items())
    assert count == len(OPTIONS)
    assert len(AXES) == len([about for about in OPTIONS.values() if about.axis])


def test_the_defaults_of_a_config_are_right_values_of_its_options():
    config = default_config()
    for key, about in OPTIONS.items():
        assert about.checked(key, _at(config, key)) == about.default


def _at(config, key):
    for part in key.split("."):
        config = config[part]
    return config


def test_every_field_of_hyper_is_a_traced_axis_and_stands_first():
    assert SWEEP_AXES[: len(HYPER_NAMES)] == HYPER_NAMES
    assert all(about.traced and about.axis == name for name, about in options_of(Hyper, "train").items())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rate": 1.0}, r"rate: got 1\.0, expected a number above 0, below 1"),
        ({"rate": True}, "rate: got True"),
        ({"rate": float("nan")}, "rate: got nan"),
        ({"count": 10}, r"count: got 10, expected a whole number from 0 to 9 \(0: all\)"),
        ({"count": 2.0}, r"count: got 2\.0"),
        ({"kind": "c"}, "kind: got 'c', expected one of a, b"),
        ({"on": 1}, "on: got 1, expected True or False"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(values, message):
    with pytest.raises(ValueError, match=message):
        check(Example(**values))


def test_an_option_tells_its_default_in_a_config_and_its_axis():
    options = options_of(Example, "here")
    assert (Example().count, options["count"].default, options["count"].key) == (3, 0, "here.count")
    assert (options["kind"].axis, options["rate"].axis) == ("sort", "")
    assert options["rate"].checked("rate", 0.25) == 0.25
