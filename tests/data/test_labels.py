import numpy as np
import pytest

from ncjax.data import Split, coarse_groups, coarsen, long_tail, noisy_labels, random_labels
from ncjax.data.class_names import known_classes, read_facts
from ncjax.data.glyph_classes import standard_classes

CLASSES = {
    "cifar10": known_classes("cifar10"),
    "cifar100": known_classes("cifar100"),
    "fashion_mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
}
GROUPINGS = [(dataset, coarse) for dataset, groupings in read_facts("coarse_labels").items() for coarse in groupings]


def numbered(num_classes=10, per_class=100):
    """A split whose classes take turns."""
    labels = np.tile(np.arange(num_classes, dtype=np.int32), per_class)
    names = tuple(f"class {i}" for i in range(num_classes))
    return Split(np.arange(len(labels), dtype=np.uint16).view(np.uint8).reshape(-1, 1, 2, 1), labels, names)


@pytest.mark.parametrize(("dataset", "coarse"), GROUPINGS)
def test_groups_partition_the_classes(dataset, coarse):
    groups = coarse_groups(dataset, coarse, CLASSES[dataset])
    assert sorted(name for names in groups.values() for name in names) == sorted(CLASSES[dataset])


def test_groupings_have_the_promised_sizes():
    sizes = {
        (dataset, coarse): [len(names) for names in coarse_groups(dataset, coarse, CLASSES[dataset]).values()]
        for dataset, coarse in GROUPINGS
    }
    assert sizes == {
        ("cifar10", "animals_objects"): [6, 4],
        ("cifar10", "pairs"): [2] * 5,
        ("cifar100", "superclasses"): [5] * 20,
        ("fashion_mnist", "groups"): [4, 2, 4],
    }


@pytest.mark.parametrize("coarse", ["script", "case"])
def test_groups_partition_the_glyphs(coarse):
    letters = standard_classes()["source"]
    groups = coarse_groups("glyphs", coarse, letters)
    assert sorted(name for names in groups.values() for name in names) == sorted(letters)


def test_glyphs_by_script_and_case():
    letters = ("A", "ж", "Ω", "3")
    assert coarse_groups("glyphs", "script", letters) == {
        "cyrillic": ("ж",),
        "digit": ("3",),
        "greek": ("Ω",),
        "latin": ("A",),
    }
    assert coarse_groups("glyphs", "case", letters) == {"capital": ("A", "Ω"), "other": ("3",), "small": ("ж",)}


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ("cifar10", "coarse of 'cifar10' must be one of animals_objects, pairs; got 'colour'"),
        ("glyphs", "must be one of case, script; got 'colour'"),
        ("mnist", "must be empty: it has no groups of classes; got 'colour'"),
    ],
)
def test_unknown_grouping_is_an_error(dataset, message):
    with pytest.raises(ValueError, match=message):
        coarse_groups(dataset, "colour", ())


def test_coarse_labels_are_trained_on_and_fine_ones_kept(pets):
    coarse = coarsen(pets, {"scales": ("eel",), "fur": ("cat", "dog")})
    assert coarse.class_names == ("scales", "fur")
    assert coarse.labels.tolist() == [1, 1, 0, 1, 1, 0, 1, 1, 0, 1]
    np.testing.assert_array_equal(coarse.fine_labels, pets.labels)
    assert coarse.fine_class_names == pets.class_names


@pytest.mark.parametrize("groups", [{"fur": ("cat", "dog")}, {"fur": ("cat", "dog"), "long": ("dog", "eel")}])
def test_class_in_no_group_or_two_is_an_error(pets, groups):
    with pytest.raises(ValueError, match="groups must hold every class once"):
        coarsen(pets, groups)


def test_long_tail_falls_exponentially():
    sizes = np.bincount(long_tail(numbered(), 100.0, seed=0).labels)
    np.testing.assert_array_equal(sizes, np.floor(100 * 100.0 ** -(np.arange(10) / 9) + 1e-9))
    assert (sizes[0], sizes[-1]) == (100, 1)


def test_longer_tail_lies_in_the_shorter():
    split = numbered()
    kept = [{image.tobytes() for image in long_tail(split, factor, seed=0).images} for factor in (50.0, 10.0, 2.0)]
    assert kept[0] < kept[1] < kept[2]


def test_tail_longer_than_a_class_is_an_error():
    with pytest.raises(ValueError, match="imbalance must be at most 100, so that each class keeps an image; got 101"):
        long_tail(numbered(), 101.0, seed=0)


def test_noise_has_its_rate_and_spares_no_wrong_class():
    split = numbered()
    noisy = noisy_labels(split, 0.3, seed=0)
    wrong = noisy.labels != split.labels
    assert abs(wrong.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / len(split))
    assert set((noisy.labels - split.labels)[wrong] % 10) == set(range(1, 10))


def test_lower_noise_lies_in_the_higher():
    split = numbered()
    low, high = (noisy_labels(split, rate, seed=0).labels for rate in (0.1, 0.6))
    wrong = low != split.labels
    np.testing.assert_array_equal(high[wrong], low[wrong])


def test_full_noise_leaves_no_label():
    split = numbered()
    assert (noisy_labels(split, 1.0, seed=0).labels != split.labels).all()


def test_noise_among_one_class_is_an_error(pets):
    with pytest.raises(ValueError, match="label_noise needs at least two classes"):
        noisy_labels(numbered(1), 0.1, seed=0)


def test_random_labels_keep_class_sizes_and_say_nothing():
    split = numbered()
    labels = random_labels(split, seed=0).labels
    np.testing.assert_array_equal(np.bincount(labels), np.bincount(split.labels))
    assert abs((labels == split.labels).mean() - 0.1) < 4 * np.sqrt(0.09 / len(split))


@pytest.mark.parametrize(
    "view",
    [
        lambda split, seed: long_tail(split, 10.0, seed).images,
        lambda split, seed: noisy_labels(split, 0.3, seed).labels,
        lambda split, seed: random_labels(split, seed).labels,
    ],
    ids=["long tail", "noise", "random"],
)
def test_seed_decides_and_nothing_else(view):
    split = numbered()
    np.testing.assert_array_equal(view(split, 1), view(split, 1))
    assert not np.array_equal(view(split, 1), view(split, 2))


def test_fine_labels_are_spared_by_noise(pets):
    coarse = coarsen(pets, {"fur": ("cat", "dog"), "scales": ("eel",)})
    for other in (noisy_labels(coarse, 1.0, seed=0), random_labels(coarse, seed=0)):
        np.testing.assert_array_equal(other.fine_labels, pets.labels)
