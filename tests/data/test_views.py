import itertools

import numpy as np
import pytest

from ncjax.data import Split, class_subset, concatenate, sample_subset, select_classes, split_by_class


def values(split):
    """The value that identifies each image of the fixture."""
    return split.images[:, 0, 0, 0].tolist()


def test_selected_classes_are_labelled_in_the_order_asked(pets):
    chosen = select_classes(pets, ("eel", "cat"))
    assert chosen.class_names == ("eel", "cat")
    assert values(chosen) == [0, 2, 3, 5, 6, 8, 9]
    assert chosen.labels.tolist() == [1, 0, 1, 0, 1, 0, 1]


def test_class_that_is_lacking_is_an_error(pets):
    with pytest.raises(ValueError, match=r"\(cat, dog, eel\); it lacks 'fox'"):
        select_classes(pets, ("cat", "fox"))


def test_subset_is_balanced(pets):
    assert np.bincount(class_subset(pets, 2, seed=0).labels).tolist() == [2, 2, 2]


def test_smaller_subset_lies_in_larger(pets):
    subsets = [set(values(class_subset(pets, n, seed=3))) for n in (1, 2, 3)]
    assert subsets[0] < subsets[1] < subsets[2]


def test_subset_depends_on_the_seed(pets):
    assert len({tuple(values(class_subset(pets, 1, seed=seed))) for seed in range(10)}) > 1


def test_subset_of_a_class_does_not_depend_on_other_classes(pets):
    alone = class_subset(select_classes(pets, ("eel",)), 2, seed=0)
    together = select_classes(class_subset(pets, 2, seed=0), ("eel",))
    assert values(alone) == values(together)


def test_subset_larger_than_a_class_is_an_error(pets):
    with pytest.raises(ValueError, match="per_class must be at most 3, as class 'dog' has; got 4"):
        class_subset(pets, 4, seed=0)


def test_samples_are_balanced_as_far_as_they_can_be(pets):
    assert sorted(np.bincount(sample_subset(pets, 7, seed=0).labels).tolist()) == [2, 2, 3]


def test_samples_of_a_smaller_number_lie_in_those_of_a_larger(pets):
    subsets = [set(values(sample_subset(pets, n, seed=3))) for n in range(1, 11)]
    assert [len(subset) for subset in subsets] == list(range(1, 11))
    assert all(small < large for small, large in itertools.pairwise(subsets))


def test_samples_are_the_class_subset_where_classes_are_full(pets):
    assert values(sample_subset(pets, 6, seed=1)) == values(class_subset(pets, 2, seed=1))


def test_small_classes_are_used_up_and_the_others_fill_in():
    split = Split(np.zeros((9, 4, 4, 1), np.uint8), np.array([0] * 8 + [1], np.int32), ("cat", "dog"))
    assert np.bincount(sample_subset(split, 6, seed=0).labels).tolist() == [5, 1]


@pytest.mark.parametrize("samples", [0, 11])
def test_number_of_samples_that_there_are_not_is_an_error(pets, samples):
    with pytest.raises(ValueError, match=f"samples must be from 1 to 10, the number of images; got {samples}"):
        sample_subset(pets, samples, seed=0)


@pytest.mark.parametrize(
    "view",
    [
        lambda split: concatenate(split, split),
        lambda split: select_classes(split, ("scales",)),
        lambda split: class_subset(split, 2, seed=0),
        lambda split: sample_subset(split, 5, seed=0),
    ],
)
def test_views_keep_fine_labels_beside_images(pets, view):
    coarse = Split(pets.images, pets.labels // 2, ("fur", "scales"), pets.labels, pets.class_names)
    viewed = view(coarse)
    np.testing.assert_array_equal(viewed.fine_labels, pets.labels[values(viewed)])


def test_concatenation_keeps_labels_beside_images(pets):
    both = concatenate(pets, select_classes(pets, pets.class_names))
    assert values(both) == values(pets) * 2
    assert both.labels.tolist() == pets.labels.tolist() * 2


def test_concatenation_of_other_classes_is_an_error(pets):
    with pytest.raises(ValueError, match="the same class names"):
        concatenate(pets, select_classes(pets, ("eel", "cat")))


def test_target_classes_come_from_train_and_test_and_are_in_neither(pets):
    test = Split(pets.images + 100, pets.labels, pets.class_names)
    splits = split_by_class(pets, test, target_classes=("dog",))
    assert set(splits) == {"train", "test", "target"}
    assert splits["train"].class_names == splits["test"].class_names == ("cat", "eel")
    assert values(splits["target"]) == [1, 4, 7, 101, 104, 107]
    assert not set(values(splits["target"])) & set(values(splits["train"]) + values(splits["test"]))


def test_source_classes_alone_drop_the_others(pets):
    assert split_by_class(pets, pets, source_classes=("dog", "cat"))["train"].class_names == ("dog", "cat")


def test_no_class_left_to_train_on_is_an_error(pets):
    with pytest.raises(ValueError, match="must leave a class to train on"):
        split_by_class(pets, pets, validation_classes=("cat",), target_classes=("dog", "eel"))
