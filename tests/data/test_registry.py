import collections
import dataclasses
import inspect

import numpy as np
import pytest

from ncjax.data import SOURCES, DataSpec, Source, Split, load, names, pixel_statistics, registry


@pytest.fixture
def pets_source(monkeypatch, pets):
    # Not a list, whose change would look like a change of the function.
    calls: collections.deque[int] = collections.deque()

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
    assert list(pets_source) == [7]


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


def test_usual_split_by_class_is_used(monkeypatch, pets):
    lists = {"source_classes": ("cat",), "validation_classes": ("dog",), "target_classes": ("eel",)}
    monkeypatch.setattr(registry, "class_lists", lambda _: lists)
    monkeypatch.setitem(SOURCES, "pets", Source(lambda: {"train": pets, "test": pets}, class_split="usual"))
    few_shot = load(DataSpec("pets"))
    assert few_shot.validation is not None
    assert few_shot.target is not None
    classes = [split.class_names for split in (few_shot.train, few_shot.test, few_shot.validation, few_shot.target)]
    assert classes == [("cat",), ("cat",), ("dog",), ("eel",)]


def test_named_classes_leave_the_usual_lists(monkeypatch, pets):
    lists = {"source_classes": ("cat", "dog"), "validation_classes": (), "target_classes": ("eel",)}
    monkeypatch.setattr(registry, "class_lists", lambda _: lists)
    monkeypatch.setitem(SOURCES, "pets", Source(lambda: {"train": pets, "test": pets}, class_split="usual"))
    few_shot = load(DataSpec("pets", target_classes=("dog",)))
    assert few_shot.target is not None
    assert (few_shot.train.class_names, few_shot.target.class_names) == (("cat",), ("dog",))


def test_usual_classes_that_the_data_set_lacks_are_an_error(monkeypatch, pets):
    monkeypatch.setitem(SOURCES, "pets", Source(lambda: {"train": pets, "test": pets}, class_split="cifar_fs"))
    with pytest.raises(ValueError, match=r"\(cat, dog, eel\); it lacks 'apple'"):
        load(DataSpec("pets"))


def test_views_of_the_train_labels_leave_test_as_it_is(pets_source):
    spec = DataSpec("pets", train_samples=9, imbalance=3.0, label_noise=0.5, random_labels=True)
    changed, plain = load(spec), load(DataSpec("pets"))
    assert (len(changed.train), len(changed.test)) == (5, 10)
    np.testing.assert_array_equal(changed.test.labels, plain.test.labels)


def test_coarse_labels_have_the_fine_ones_beside():
    glyphs = load(DataSpec(coarse="script", train_per_class=1, test_per_class=1, target_per_class=1))
    for split in (glyphs.train, glyphs.test):
        assert "greek" in split.class_names
        assert split.fine_labels is not None
        assert len(split.fine_class_names) == 64
        assert np.unique(split.fine_labels).size == 64
    assert glyphs.target is not None
    assert glyphs.target.num_classes == 20


def test_source_of_a_data_set_that_has_none_is_an_error():
    with pytest.raises(ValueError, match="source of 'digits' must be '', as it is not read from a folder; got '/data'"):
        load(DataSpec("digits", source="/data"))


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
        (DataSpec("nothing like it"), "got 'nothing like it': there are cifar10, cifar100, .*, glyphs, .*, pets"),
        (DataSpec("pets", image_size=8), "image_size of 'pets' must be 4, the only one it has; got 8"),
        (DataSpec("pets", train_per_class=4), "train_per_class of 'pets', split train: .* at most 3, as class 'dog'"),
        (DataSpec("pets", target_classes=("fox",)), "it lacks 'fox'"),
        (DataSpec("pets", coarse="colour"), "coarse of 'pets' must be empty: it has no groups of classes"),
        (DataSpec("pets", train_samples=11), "'pets': samples must be from 1 to 10, the number of images; got 11"),
        (DataSpec("pets", imbalance=4.0), "'pets': imbalance must be at most 3"),
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


def images_of(count, value=0):
    images = np.full((count, 2, 2, 1), value, np.uint8)
    return Split(images, (np.arange(count) % 2).astype(np.int32), ("cat", "dog"))


def test_a_data_function_changed_from_1000_to_700_images_is_made_anew(monkeypatch, caplog):
    def maker(count):
        def make():
            return {"train": images_of(count), "test": images_of(10)}

        return make

    caplog.set_level("INFO", "ncjax.data")
    for count, said in ((1000, "made anew"), (1000, "from the cache"), (700, "made anew"), (1000, "from the cache")):
        monkeypatch.setitem(SOURCES, "pets", Source(maker(count)))
        caplog.clear()
        assert len(load(DataSpec("pets")).train) == count
        assert f"data set pets: {said}" in caplog.text


def test_shipped_data_sets_keep_the_caches_that_their_versions_name(monkeypatch):
    asked = []

    def fetch(name, options, make, verify):
        asked.append(options)
        return make()

    monkeypatch.setattr(registry, "fetch", fetch)
    load(DataSpec("digits"))
    assert "maker" not in asked[0]
