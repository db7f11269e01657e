import dataclasses
import inspect

import numpy as np
import pytest

from ncjax.data import SOURCES, DataSpec, Source, Split, load, names, pixel_statistics


@pytest.fixture
def pets_source(monkeypatch, pets):
    calls = []

    def make(seed: int = 0):
        calls.append(seed)
        return {"train": pets, "test": pets}

    monkeypatch.setitem(SOURCES, "pets", Source(make))
    return calls


@pytest.mark.parametrize("name", names())
def test_makers_take_options_of_the_spec(name):
    options = {field.name for field in dataclasses.fields(DataSpec)}
    assert set(inspect.signature(SOURCES[name].make).parameters) <= options


def test_glyphs_by_default():
    glyphs = load(DataSpec(train_per_class=2, test_per_class=1, target_per_class=1))
    assert glyphs.validation is not None
    assert glyphs.target is not None
    assert (len(glyphs.train), len(glyphs.test), len(glyphs.validation), len(glyphs.target)) == (128, 64, 16, 20)
    np.testing.assert_array_equal(glyphs.mean, pixel_statistics(glyphs.train.images)[0])


def test_default_numbers_of_glyphs_are_as_documented():
    parameters = inspect.signature(SOURCES["glyphs"].make).parameters
    assert [parameters[f"{split}_per_class"].default for split in ("train", "test", "target")] == [40, 20, 60]


def test_second_load_makes_nothing(pets_source):
    for _ in range(2):
        load(DataSpec("pets"))
    assert len(pets_source) == 1


def test_option_that_the_maker_obeys_is_given_to_it(pets_source):
    load(DataSpec("pets", seed=7))
    assert pets_source == [7]


def test_raised_version_is_made_anew(pets_source, monkeypatch):
    load(DataSpec("pets"))
    monkeypatch.setitem(SOURCES, "pets", dataclasses.replace(SOURCES["pets"], version=2))
    load(DataSpec("pets"))
    assert len(pets_source) == 2


def test_options_that_the_maker_does_not_obey_are_views(pets_source):
    spec = DataSpec("pets", train_per_class=2, test_per_class=1, target_per_class=5, target_classes=("dog",))
    pets = load(spec)
    assert pets.target is not None
    assert (len(pets.train), len(pets.test), len(pets.target)) == (4, 2, 5)
    assert pets.validation is None
    assert pets.target.class_names == ("dog",)


def test_statistics_are_of_the_train_split_used(pets_source):
    pets = load(DataSpec("pets", train_per_class=1))
    mean, std = pixel_statistics(pets.train.images)
    assert (pets.mean, pets.std) == (mean, std)
    assert pets.mean != load(DataSpec("pets")).mean


def test_digits_have_ten_classes_and_no_target():
    digits = load(DataSpec("digits"))
    assert digits.train.class_names == tuple("0123456789")
    assert digits.target is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (DataSpec("glyph"), "got 'glyph': did you mean 'glyphs'?"),
        (DataSpec("nothing like it"), "got 'nothing like it': there are digits, glyphs, pets"),
        (DataSpec("pets", image_size=8), "image_size of 'pets' must be 4, the only one it has; got 8"),
        (DataSpec("pets", train_per_class=4), "train_per_class of 'pets', split train: .* at most 3, as class 'dog'"),
        (DataSpec("pets", target_classes=("fox",)), "it lacks 'fox'"),
    ],
)
def test_what_cannot_be_had_is_an_error_of_one_line(pets_source, spec, message):
    with pytest.raises(ValueError, match=message) as caught:
        load(spec)
    assert "\n" not in str(caught.value)


def test_maker_that_gives_other_classes_in_test_is_an_error(monkeypatch, pets):
    other = Split(pets.images, pets.labels, ("dog", "cat", "eel"))
    monkeypatch.setitem(SOURCES, "pets", Source(lambda: {"train": pets, "test": other}))
    with pytest.raises(ValueError, match="test of 'pets' must have the classes of train"):
        load(DataSpec("pets"))
