import dataclasses
import inspect
import typing
from pathlib import Path

import pytest

from ncjax import data, report, sweep
from ncjax.paths import StrPath, inside


@pytest.mark.parametrize("name", ["a", "a/b", "..a/b..", "a b/ü", ".hidden"])
def test_a_plain_name_stays_below_its_directory(tmp_path, name):
    assert inside(tmp_path, name) == tmp_path / name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/a", "//a", "../a", "a/../../b", "a/../b", "./a", "a//b", "a/", "a/.", "a\\..\\b", "a\0b"]
)
def test_any_other_name_is_refused(tmp_path, name):
    with pytest.raises(
        ValueError, match=r"^got the file name .*, expected one that is relative, normalised and inside"
    ):
        inside(tmp_path, name)


def test_a_link_that_leads_elsewhere_is_refused(tmp_path):
    root = tmp_path / "root"
    (root / "within").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)
    (root / "in").symlink_to(root / "within")
    assert inside(root, "in/a") == root / "in" / "a"
    with pytest.raises(ValueError, match="got the file name 'out/a'"):
        inside(root, "out/a")


def test_a_directory_may_be_given_as_text_and_need_not_be_there():
    assert inside("nowhere", "a") == Path("nowhere/a")


@pytest.mark.parametrize("room", [data, report, sweep])
def test_every_public_function_takes_a_path_as_text_too(room):
    for name in room.__all__:
        public = getattr(room, name)
        if not callable(public) or dataclasses.is_dataclass(public):
            continue
        function = public.__init__ if inspect.isclass(public) else public
        hints = typing.get_type_hints(inspect.unwrap(function)) if inspect.isfunction(function) else {}
        hints.pop("return", None)
        for argument, hint in hints.items():
            # A function that is handed over may ask for what it likes.
            allowed = "" if "Callable" in str(hint) else str(hint).replace(str(StrPath), "")
            assert "pathlib" not in allowed, f"{room.__name__}.{name}({argument}: {hint})"
