import itertools

import pytest

from ncjax.data import class_lists
from ncjax.data.class_names import known_classes, read_facts


def superclass_of():
    groups = read_facts("coarse_labels")["cifar100"]["superclasses"]["classes"]
    return {name: group for group, names in groups.items() for name in names}


@pytest.mark.parametrize(
    ("split", "dataset", "sizes"),
    [
        ("cifar_fs", "cifar100", (64, 16, 20)),
        ("fc100", "cifar100", (60, 20, 20)),
        ("emnist_fs", "emnist/balanced", (27, 8, 12)),
    ],
)
def test_lists_partition_the_classes(split, dataset, sizes):
    lists = class_lists(split)
    assert tuple(map(len, lists.values())) == sizes
    assert sorted(itertools.chain(*lists.values())) == sorted(known_classes(dataset))


def test_mini_imagenet_has_a_hundred_classes():
    lists = class_lists("mini_imagenet")
    assert tuple(map(len, lists.values())) == (64, 16, 20)
    assert len(set(itertools.chain(*lists.values()))) == 100


def test_fc100_divides_whole_superclasses():
    groups = [{superclass_of()[name] for name in names} for names in class_lists("fc100").values()]
    assert [len(group) for group in groups] == [12, 4, 4]
    assert all(not a & b for a, b in itertools.combinations(groups, 2))


def test_cifar100_is_in_the_order_of_its_labels():
    names = known_classes("cifar100")
    assert len(names) == 100
    assert list(names) == sorted(names)


@pytest.mark.parametrize("split", ["cifar_fs", "fc100", "mini_imagenet", "emnist_fs"])
def test_every_list_names_its_source(split):
    assert read_facts(split)["source"]
