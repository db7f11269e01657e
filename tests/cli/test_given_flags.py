"""What a command line may say."""

import pytest
from absl import flags

from ncjax.cli.given_flags import once_each, refuse_empty


@pytest.fixture(autouse=True)
def own_flags(monkeypatch):
    """Flags of this test alone."""
    own = flags.FlagValues()
    flags.DEFINE_string("place", None, "One.", flag_values=own)
    flags.DEFINE_string("word", "", "May be empty.", flag_values=own)
    flags.DEFINE_bool("loud", default=False, help="One.", flag_values=own)
    flags.DEFINE_multi_string("file", [], "Many.", flag_values=own)
    monkeypatch.setattr(flags, "FLAGS", own)
    return own


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["--config.a=(0,)", "--loud", "--config.a=(1,)"], ["--loud", "--config.a=(1,)"]),
        (["--config.a", "1", "--config.b=2", "-config.a=3"], ["--config.b=2", "-config.a=3"]),
        (["--config.a=1", "--noconfig.a"], ["--noconfig.a"]),
        (["--config.a=1", "--config.b=1", "--config.a=1"], ["--config.b=1", "--config.a=1"]),
        (["--file=1", "--file=2", "--file", "3"], ["--file=1", "--file=2", "--file", "3"]),
        (["--place=1", "--place=1", "stray"], ["--place=1", "--place=1", "stray"]),
    ],
)
def test_the_last_value_of_a_key_of_the_config_counts(given, kept, capsys):
    assert once_each(["command", *given]) == ["command", *kept]
    said = capsys.readouterr().err
    assert ("--config.a is given several times, the last counts" in said) == (len(kept) < len(given))


@pytest.mark.parametrize("given", [["--place=1", "--place", "2"], ["--loud", "--noloud"], ["-place=1", "--place="]])
def test_another_flag_that_says_two_things_is_refused(given):
    with pytest.raises(ValueError, match=r"--(place|loud): got .* and .*, expected one of them"):
        once_each(["command", *given])


@pytest.mark.parametrize("given", ["--place=", "--file="])
def test_a_flag_that_says_nothing_is_refused(own_flags, given):
    own_flags(["command", "--word=", given])
    with pytest.raises(ValueError, match=r"--(place|file): got nothing"):
        refuse_empty()


def test_what_is_not_given_is_no_empty_flag(own_flags):
    own_flags(["command", "--word="])
    refuse_empty()
