"""The list of columns: every name has one entry, and every entry points at what is there."""

import ast
import importlib
import itertools
import re
from pathlib import Path

import pytest

import ncjax
from ncjax.results import COLUMNS, check_columns, column, find_column
from ncjax.results.columns_page import DEFAULT, columns_page
from ncjax.sweep import default_config
from ncjax.sweep.plan.options import AXES
from ncjax.transfer import HEADS

EXAMPLES = {
    "tap": ("block1", "embedding"),
    "head": tuple(HEADS.keys() - {"ncm"}),
    "shots": ("1", "20"),
    "estimator": ("exact", "probes_4", "examples_16"),
}


def filled(name):
    """A name with every example in the place of each placeholder."""
    words = re.findall("<([^<>]+)>", name)
    for chosen in itertools.product(*(EXAMPLES[word] for word in words)):
        example = name
        for word, value in zip(words, chosen, strict=True):
            example = example.replace(f"<{word}>", value, 1)
        yield example


@pytest.mark.parametrize("entry", COLUMNS, ids=lambda entry: entry.name)
def test_every_name_of_an_entry_is_looked_up_as_that_entry(entry):
    for name in entry.names():
        assert [find_column(example) for example in filled(name)] == [entry] * len(list(filled(name)))


def test_no_name_has_two_entries():
    names = [name for entry in COLUMNS for name in entry.names()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("entry", [entry for entry in COLUMNS if entry.measured_by], ids=lambda entry: entry.name)
def test_what_computes_a_column_is_there(entry):
    module, _, function = entry.measured_by.rpartition(".")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("entry", [entry for entry in COLUMNS if entry.option], ids=lambda entry: entry.name)
def test_what_turns_a_column_on_is_an_option(entry):
    section, _, key = entry.option.partition(".")
    assert key in default_config()[section]


def test_no_setting_bears_the_name_of_a_column():
    assert AXES.keys() & {name for entry in COLUMNS for name in entry.names()} == set()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("train/cndv", "train/cdnv"),
        ("tst/error", "test/error"),
        ("layer/block1/variance_rato", "layer/<tap>/variance_ratio"),
        ("target/acuracy_5shot", "target/accuracy_<shots>shot"),
        ("target/error", "test/error"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, nearest):
    with pytest.raises(ValueError, match=re.escape(f"column: got {name!r}")) as error:
        column(name)
    assert f"(did you mean {nearest!r}?)" in str(error.value)


def test_a_row_may_hold_its_settings_and_no_other_name():
    row = {"run": 0, "step": 1, "l2": 0.0, "train/loss": 1.0}
    check_columns(row, settings=["l2"])
    with pytest.raises(ValueError, match="got 'l2'"):
        check_columns(row)


def test_the_page_of_columns_is_as_the_list_says():
    page = (Path(__file__).resolve().parents[2] / DEFAULT).read_text(encoding="utf-8")
    assert page == columns_page(), "run python -m ncjax.results.columns_page"


# A whole name of a column, perhaps with placeholders; what ends in a stroke is the beginning of one.
NAME = re.compile(r"(train|test|target|layer|test_layer|target_layer|estimate|fine|time)/[\w<>|/]*[\w>]")


def written_names(path):
    """Names of columns in a file's strings, but for docstrings and the parts of formatted strings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    left_out = docstrings | {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values
    }
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in left_out)
    return {node.value for node in texts if isinstance(node.value, str) and NAME.fullmatch(node.value)}


@pytest.mark.parametrize("room", ["claims", "cli", "measurement", "report", "sweep"])
def test_claims_figures_and_commands_name_columns_that_are_in_the_list(room):
    entries = {entry.name for entry in COLUMNS}
    paths = (Path(ncjax.__file__).parent / room).rglob("*.py")
    names = {name for path in paths for name in written_names(path)}
    # Raises for a name that is in no entry.
    assert [name for name in sorted(names - entries) if find_column(name) not in COLUMNS] == []
    assert len(names) > 3 or room == "sweep"
