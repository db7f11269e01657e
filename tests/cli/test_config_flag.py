"""The flag --config and what it says of a file that is wrong."""

import pytest
from absl import flags

from ncjax.cli.config_flag import asked_config, define_config, unknown_key

GOOD = """from ncjax.sweep import default_config
def get_config():
    config = default_config()
    config.sweep.l2 = (0.0, 0.1)
    return config
"""


@pytest.fixture
def parse(monkeypatch, tmp_path):
    """Parses flags of a process that has no others."""
    own = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", own)
    path = tmp_path / "experiment.py"

    def parsed(content, *arguments):
        path.write_text(content)
        command = ["command", f"--config={path}", *(f"--config.{argument}" for argument in arguments)]
        holder = define_config(own, command)
        own(command)
        return asked_config(holder)

    return parsed


def test_a_flag_takes_an_axis_off(parse):
    config = parse(GOOD, "sweep.l2=None", "train.l2=0.5")
    assert config.sweep.l2 is None
    assert config.train.l2 == 0.5


def test_a_value_that_no_run_would_take_is_refused(parse):
    with pytest.raises(
        ValueError, match=r"--config.train.l2: got -1.0, which no run would take.*--config.sweep.l2=None"
    ):
        parse(GOOD, "train.l2=-1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("def get_config(:\n", r"experiment.py, line 1: SyntaxError"),
        ("\ndef get_config():\n    return nothing\n", r"experiment.py, line 3: NameError: name 'nothing'"),
        ("import no_such_module\n", r"experiment.py, line 1: ModuleNotFoundError"),
        ("\0", r"experiment.py: (SyntaxError|ValueError): source code string cannot contain null bytes"),
        ("x = 1\n", r"has no function get_config"),
        ("def get_config():\n    return {}\n", r"returns dict, expected a ConfigDict"),
        ("def get_config(variant):\n    return {}\n", r"expected a variant after a colon"),
    ],
)
def test_a_file_that_is_wrong_is_one_line_that_names_the_place(parse, content, message):
    with pytest.raises(flags.Error, match=message) as caught:
        parse(content)
    assert str(caught.value).startswith("--config: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "no/such.py", "."])
def test_a_file_that_is_not_there_is_named(monkeypatch, name):
    own = flags.FlagValues()
    monkeypatch.setattr(flags, "FLAGS", own)
    define_config(own, ["command", f"--config={name}"])
    with pytest.raises(flags.Error, match=f"--config: got '{name}', expected a Python file"):
        own(["command", f"--config={name}"])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("nope", "--config.nope: unknown, config holds augmentation, compute_dtype, data"),
        ("sweep.lerning_rate", "--config.sweep.lerning_rate: unknown, did you mean 'learning_rate'?"),
        ("train.epochs.x", "--config.train.epochs.x: unknown, config.train.epochs holds a value, not keys"),
    ],
)
def test_an_unknown_key_is_named_with_what_there_is(tmp_path, key, message):
    path = tmp_path / "experiment.py"
    path.write_text(GOOD)
    said = unknown_key(["command", f"--config={path}", "--config.train.l2=1", f"--config.{key}=1"])
    assert said is not None
    assert said.startswith(message)


def test_a_key_that_is_there_is_not_unknown(tmp_path):
    path = tmp_path / "experiment.py"
    path.write_text(GOOD)
    assert unknown_key(["command", f"--config={path}", "--noconfig.train.nesterov"]) is None
