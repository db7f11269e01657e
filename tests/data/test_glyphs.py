import hashlib
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ncjax.data import glyphs
from ncjax.data.glyphs import HELD_OUT_FACES, make_glyphs

FEW: dict[str, Any] = {"train_per_class": 8, "test_per_class": 4, "target_per_class": 12}


@pytest.fixture(scope="module")
def splits():
    return make_glyphs(**FEW)


def test_splits_have_the_promised_shapes(splits):
    shapes = {name: (*split.images.shape, split.num_classes) for name, split in splits.items()}
    assert shapes == {
        "train": (512, 28, 28, 1, 64),
        "test": (256, 28, 28, 1, 64),
        "validation": (192, 28, 28, 1, 16),
        "target": (240, 28, 28, 1, 20),
    }


def test_every_class_has_the_same_number_of_images(splits):
    assert set(np.bincount(splits["train"].labels)) == {8}


def test_no_two_images_are_equal(splits):
    images = np.concatenate([split.images.reshape(len(split), -1) for split in splits.values()])
    assert len(np.unique(images, axis=0)) == len(images)


def test_images_fill_the_range_without_being_cut(splits):
    images = splits["train"].images[..., 0] / 255.0
    assert images.max((1, 2)).min() > 0.5
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    assert (border > 0.5).mean() < 0.002


def test_held_out_faces_are_in_test_and_not_in_train(monkeypatch):
    def shade(letter, face):
        return Image.new("L", (10, 10), 0 if face in HELD_OUT_FACES else 255)

    monkeypatch.setattr(glyphs, "render", shade)
    splits = make_glyphs(**FEW)
    centre = {name: split.images[:, 12:16, 12:16].mean((1, 2, 3)) / 255.0 for name, split in splits.items()}
    assert centre["train"].min() > 0.5
    assert centre["test"].max() < 0.3
    assert centre["target"].min() < 0.3
    assert centre["target"].max() > 0.5


def test_larger_set_holds_the_smaller(splits):
    more = make_glyphs(**{**FEW, "train_per_class": 10})["train"].images.reshape(64, 10, 28, 28)
    np.testing.assert_array_equal(more[:, :8], splits["train"].images.reshape(64, 8, 28, 28))


def test_images_of_a_letter_do_not_depend_on_the_other_classes(splits):
    letter = splits["train"].class_names[5]
    alone = make_glyphs(**FEW, source_classes=(letter,))["train"]
    np.testing.assert_array_equal(alone.images, splits["train"].images[splits["train"].labels == 5])


def test_seed_changes_images_and_not_classes(splits):
    other = make_glyphs(**FEW, seed=1)["train"]
    assert other.class_names == splits["train"].class_names
    assert not np.array_equal(other.images, splits["train"].images)


def test_another_process_with_another_hash_seed_makes_the_same_images(splits):
    code = (
        "import hashlib; from ncjax.data.glyphs import make_glyphs; "
        f"splits = make_glyphs(**{FEW}); "
        "print(hashlib.sha256(b''.join(s.images.tobytes() for s in splits.values())).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    expected = hashlib.sha256(b"".join(split.images.tobytes() for split in splits.values())).hexdigest()
    assert run.stdout.strip() == expected


def test_new_faces_are_hard_but_not_hopeless_for_nearest_pixel_means(splits):
    train, test = (splits[name].images.reshape(len(splits[name]), -1) / 255.0 for name in ("train", "test"))
    means = np.stack([train[splits["train"].labels == label].mean(0) for label in range(64)])
    nearest = ((test[:, None] - means[None]) ** 2).sum(-1).argmin(1)
    assert 0.1 < (nearest != splits["test"].labels).mean() < 0.8


def test_other_size_shows_the_same_letters():
    large = make_glyphs(image_size=32, **FEW)["train"].images
    assert large.shape == (512, 32, 32, 1)


def test_named_classes_leave_the_standard_lists():
    standard = make_glyphs(**FEW)
    moved = standard["target"].class_names[0]
    splits = make_glyphs(**FEW, source_classes=(moved, standard["train"].class_names[0]))
    assert splits["train"].class_names == (moved, standard["train"].class_names[0])
    assert moved not in splits["target"].class_names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": 64}, r"image_size of glyphs must be one of \(28, 32\); got 64"),
        ({"target_classes": ("A", "O")}, "must be among its distinct letters; got O"),
    ],
)
def test_what_glyphs_cannot_give_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        make_glyphs(**options)
