import numpy as np
import pytest

from ncjax.training import balanced_sample, run_inputs


@pytest.mark.parametrize("size", [3, 7, 100])
def test_a_balanced_sample_takes_the_same_number_of_every_class_that_has_it(size):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(3), [2, 30, 40])).astype(np.int32)
    counts = np.bincount(labels[balanced_sample(labels, size)], minlength=3)
    available = np.bincount(labels)
    assert counts.sum() == min(size, len(labels))
    assert all(count == have or count >= counts.max() - 1 for count, have in zip(counts, available, strict=True))


def test_a_sample_smaller_than_the_number_of_classes_is_refused(small_dataset):
    with pytest.raises(ValueError, match=r"complexity_samples: got 2, expected at least one for each of the 3 classes"):
        run_inputs(small_dataset, complexity_samples=2)


def test_a_balanced_sample_is_not_the_beginning_of_each_class():
    labels = np.repeat(np.arange(4), 50).astype(np.int32)
    positions = balanced_sample(labels, 40) % 50
    # Ten of fifty at random: that all forty lie in the first half has a probability below 1e-12.
    assert positions.max() >= 25


def test_a_smaller_balanced_sample_lies_inside_a_larger_one():
    labels = np.repeat(np.arange(4), 50).astype(np.int32)
    assert set(balanced_sample(labels, 20)) < set(balanced_sample(labels, 30))
