"""Transfer to another data set."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from ncjax.data import Dataset, DataSpec, Split, load, outline
from ncjax.data.other_target import conform

pytestmark = pytest.mark.structure

GLYPHS = DataSpec("glyphs", train_per_class=2, test_per_class=2)


def glyphs(**options: Any) -> Dataset:
    return load(dataclasses.replace(GLYPHS, **options))


def target_of(dataset: Dataset) -> Split:
    assert dataset.target is not None
    return dataset.target


def test_the_target_is_the_test_split_of_the_other_data_set():
    target, digits = target_of(glyphs(target="digits")), load(DataSpec("digits"))
    np.testing.assert_array_equal(target.labels, digits.test.labels)
    assert target.class_names == digits.test.class_names
    assert target.images.shape == (500, 28, 28, 1)


def test_what_is_trained_on_stays_the_same():
    found, plain = glyphs(target="digits"), glyphs()
    np.testing.assert_array_equal(found.train.images, plain.train.images)
    np.testing.assert_array_equal(found.mean, plain.mean)


def test_the_checksum_tells_targets_apart():
    of = {target: glyphs(target=target).sha256 for target in ("", "digits")}
    assert of[""] != of["digits"]
    assert of["digits"] != glyphs(target="digits", target_per_class=5).sha256


def test_so_many_images_a_class_are_taken():
    target = target_of(glyphs(target="digits", target_per_class=7))
    np.testing.assert_array_equal(np.bincount(target.labels), np.full(10, 7))


def test_grey_becomes_colour_and_back():
    grey = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4, 1)
    colour = conform(grey, (4, 4, 3))
    np.testing.assert_array_equal(colour, np.repeat(grey, 3, axis=3))
    np.testing.assert_array_equal(conform(colour, (4, 4, 1)), grey)


def test_colour_weighs_as_the_eye_does():
    colour = np.array([[[[200, 0, 0]]], [[[0, 200, 0]]], [[[0, 0, 200]]]], np.uint8)
    np.testing.assert_array_equal(conform(colour, (1, 1, 1)).ravel(), np.rint([59.8, 117.4, 22.8]))


def test_twice_as_large_keeps_the_mean():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1)).astype(np.uint8)
    larger = conform(images, (16, 16, 1))
    # Away from the border each pixel of a bilinear filter spreads its whole weight; rounding adds half a grey value.
    inner = np.full((3, 8, 8, 1), 100, np.uint8)
    inner[:, 2:6, 2:6] = images[:, 2:6, 2:6]
    np.testing.assert_allclose(conform(inner, (16, 16, 1)).mean(), inner.mean(), atol=0.5)
    assert larger.shape == (3, 16, 16, 1)


def test_other_channels_are_refused():
    with pytest.raises(ValueError, match="got images of 2 channels, expected 1, or 1 against 3"):
        conform(np.zeros((1, 4, 4, 2), np.uint8), (4, 4, 1))


def test_an_unknown_data_set_is_named():
    with pytest.raises(ValueError, match="target: name must be a known data set; got 'digit': did you mean 'digits'"):
        glyphs(target="digit")


def test_the_outline_has_the_same_shapes():
    spec = DataSpec("mnist", target="fashion_mnist", target_per_class=100)
    assert target_of(outline(spec)).images.shape == (1000, 28, 28, 1)
