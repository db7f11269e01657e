from pathlib import Path

import pytest

from ncjax.paths import inside


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
