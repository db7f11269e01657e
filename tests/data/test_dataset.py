import jax
import numpy as np
import pytest

from ncjax.data import Dataset, Split, dataset, normalize, pixel_statistics


def test_statistics_equal_numpy():
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), np.uint8)
    mean, std = pixel_statistics(images)
    scaled = images.astype(np.float64) / 255
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(std, scaled.std((0, 1, 2)), rtol=1e-6)


def test_statistics_do_not_depend_on_blocks(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), np.uint8)
    whole = pixel_statistics(images)
    monkeypatch.setattr(dataset, "_PIXELS_AT_ONCE", 100)
    np.testing.assert_array_equal(pixel_statistics(images), whole)


def test_constant_channel_has_std_one():
    images = np.full((2, 3, 3, 1), 51, np.uint8)
    mean, std = pixel_statistics(images)
    assert (mean[0], std[0]) == (np.float32(0.2), 1.0)


def test_statistics_of_no_image_are_an_error():
    with pytest.raises(ValueError, match="images must hold at least one image"):
        pixel_statistics(np.empty((0, 3, 3, 1), np.uint8))


def test_normalized_pixels_have_mean_0_and_std_1():
    images = np.random.default_rng(0).integers(0, 200, (50, 5, 4, 3), np.uint8)
    scaled = jax.jit(normalize)(images, *pixel_statistics(images))
    np.testing.assert_allclose(scaled.mean((0, 1, 2)), 0.0, atol=1e-5)
    np.testing.assert_allclose(scaled.std((0, 1, 2)), 1.0, atol=1e-5)


IMAGES = np.zeros((2, 4, 4, 1), np.uint8)
LABELS = np.array([0, 1], np.int32)


@pytest.mark.parametrize(
    ("images", "labels", "names", "message"),
    [
        (IMAGES.astype(np.float32), LABELS, ("a", "b"), "images must be uint8"),
        (IMAGES[..., 0], LABELS, ("a", "b"), r"images must be uint8 \[n, h, w, c\]"),
        (IMAGES, LABELS[:1], ("a", "b"), r"labels must be int32 \[2\], one for each image"),
        (IMAGES, LABELS.astype(np.int64), ("a", "b"), "labels must be int32"),
        (IMAGES, LABELS, ("a",), r"labels must lie in 0..0, as there are 1 class names; got 0..1"),
        (IMAGES, LABELS - 1, ("a", "b"), r"labels must lie in 0..1"),
        (IMAGES, LABELS, ("a", "a"), "class_names must all be different"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_split_that_does_not_fit_is_an_error(images, labels, names, message):
    with pytest.raises(ValueError, match=message):
        Split(images, labels, names)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        (LABELS[:1], ("a", "b"), r"fine_labels must be int32 \[2\]"),
        (LABELS, ("a",), r"fine_labels must lie in 0..0"),
        (LABELS, ("a", "a"), "fine_class_names must all be different"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_fine_labels_that_do_not_fit_are_an_error(labels, names, message):
    with pytest.raises(ValueError, match=message):
        Split(IMAGES, LABELS, ("a", "b"), labels, names)


def test_taken_images_keep_what_belongs_to_them(pets):
    fine = Split(pets.images, pets.labels // 2, ("fur", "scales"), pets.labels, pets.class_names)
    taken = fine.take(np.array([5, 3]))
    assert taken.fine_labels is not None
    assert taken.images[:, 0, 0, 0].tolist() == [5, 3]
    assert (taken.labels.tolist(), taken.fine_labels.tolist()) == ([1, 0], [2, 0])
    assert (taken.class_names, taken.fine_class_names) == (fine.class_names, fine.fine_class_names)


def test_train_and_test_of_other_classes_are_an_error():
    train, test = Split(IMAGES, LABELS, ("a", "b")), Split(IMAGES, LABELS, ("b", "a"))
    with pytest.raises(ValueError, match="test of 'pets' must have the classes of train"):
        Dataset("pets", train, test, None, None, *pixel_statistics(IMAGES))


def test_splits_of_unequal_image_size_are_an_error():
    train, target = Split(IMAGES, LABELS, ("a", "b")), Split(IMAGES[:, 1:], LABELS, ("c", "d"))
    with pytest.raises(ValueError, match="target of 'pets' must have images of shape"):
        Dataset("pets", train, train, None, target, *pixel_statistics(IMAGES))
