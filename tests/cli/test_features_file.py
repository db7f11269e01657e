import re

import numpy as np
import pytest

from ncjax import metrics
from ncjax.cli.features_file import read_features

LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
FEATURES = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32) + 3 * LABELS[:, None]
GOOD = {"features": FEATURES, "labels": LABELS}
KERNEL = np.arange(12, dtype=np.float32).reshape(4, 3)


def save(folder, **arrays):
    path = folder / "features.npz"
    np.savez(path, **arrays)
    return path


def test_what_was_saved_is_read(tmp_path):
    file = read_features(
        save(tmp_path, **GOOD, kernel=KERNEL, bias=KERNEL[0], test_features=FEATURES[:6], test_labels=LABELS[:6])
    )
    np.testing.assert_array_equal(file.train[0], FEATURES)
    np.testing.assert_array_equal(file.train[1], LABELS)
    assert file.test is not None
    np.testing.assert_array_equal(file.test[1], LABELS[:6])
    np.testing.assert_array_equal(file.kernel, KERNEL)
    assert (file.kernel_layout, file.classes) == ("[d, C]", (0, 1, 2))
    # Six samples are fewer than d + C: the one thing to know here.
    assert len(file.notes) == 1
    assert "vci says nothing" in file.notes[0]


def test_a_kernel_from_pytorch_is_transposed_and_named(tmp_path):
    file = read_features(save(tmp_path, **GOOD, kernel=KERNEL.T))
    np.testing.assert_array_equal(file.kernel, KERNEL)
    assert file.kernel_layout == "[C, d]"
    assert "kernel: stored as [C, d], as PyTorch does, and transposed" in file.notes


def test_a_square_kernel_is_taken_as_it_stands_and_both_layouts_are_tried(tmp_path):
    features = 9 * np.eye(3, dtype=np.float32)[LABELS]
    kernel = np.roll(np.eye(3, dtype=np.float32), 1, axis=1)
    file = read_features(save(tmp_path, features=features, labels=np.roll(LABELS, 1), kernel=kernel.T))
    np.testing.assert_array_equal(file.kernel, kernel.T)
    assert file.kernel_layout == "[d, C] (assumed)"
    assert any("errs on 0.0% of the train samples (as [C, d]: 100.0%)" in note for note in file.notes)


def test_classes_without_kernel_are_the_labels_that_occur(tmp_path):
    file = read_features(save(tmp_path, features=FEATURES, labels=LABELS * 10**12))
    assert file.classes == (0, 10**12, 2 * 10**12)
    np.testing.assert_array_equal(file.train[1], LABELS)


@pytest.mark.parametrize("labels", [LABELS + 1, LABELS * 2])
def test_labels_from_one_or_with_holes_are_numbered_from_zero_and_the_rule_is_said(tmp_path, labels):
    file = read_features(save(tmp_path, features=FEATURES, labels=labels))
    np.testing.assert_array_equal(file.train[1], LABELS)
    listed = ", ".join(map(str, np.unique(labels)))
    rule = "np.unique(labels, return_inverse=True)[1]"
    [note] = [note for note in file.notes if rule in note]
    assert note.startswith(f"labels: {listed} are classes 0..2 in ascending order")
    # The function that the command calls says the same rule where it refuses them.
    with pytest.raises(ValueError, match=re.escape(rule)):
        metrics.class_stats(FEATURES, labels, 3)
    assert not any(rule in note for note in read_features(save(tmp_path, features=FEATURES, labels=LABELS)).notes)


@pytest.mark.parametrize(
    ("arrays", "note"),
    [
        ({"features": FEATURES[:8], "labels": LABELS[:8] + (np.arange(8) == 7) * 5}, "one sample only of class 6"),
        ({**GOOD, "kernel": np.ones((4, 5))}, "labels: no sample of class 3, 4: absent classes take part in no mean"),
        ({"features": FEATURES[:, :1], "labels": LABELS}, "1 features cannot hold a simplex of 3 classes"),
        (
            {"features": np.ones((9, 8), np.float32), "labels": LABELS},
            "with fewer than d + C, vci says nothing",
        ),
        ({**GOOD, "weights": KERNEL}, "not read: weights; the names read are features, labels, kernel"),
        (
            {**GOOD, "test_features": FEATURES[:2], "test_labels": LABELS[:1].repeat(2)},
            "test_labels: one class",
        ),
    ],
)
def test_what_a_reader_has_to_know_is_noted(tmp_path, arrays, note):
    assert any(note in line for line in read_features(save(tmp_path, **arrays)).notes)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": FEATURES}, "labels: no such array in the file, which holds features"),
        ({"x": FEATURES, "y": LABELS}, "features: no such array in the file, which holds x, y"),
        ({}, "features: no such array in the file, which holds nothing"),
        ({"labels": LABELS}, "features: no such array in the file, which holds labels"),
        ({**GOOD, "test_features": FEATURES}, "test_labels: no such array"),
        ({**GOOD, "labels": LABELS.astype(object)}, "labels: holds Python objects, which are never unpickled"),
        ({**GOOD, "labels": LABELS.astype(float)}, "labels: got float64, expected integers"),
        ({**GOOD, "labels": LABELS[:, None]}, "labels: got shape (9, 1), expected (9,)"),
        ({**GOOD, "labels": LABELS - 1}, "labels: got -1, expected 0 or above"),
        ({**GOOD, "labels": LABELS + 3, "kernel": KERNEL}, "labels: got 5, expected 0..2 for the kernel's 3 classes"),
        ({**GOOD, "labels": np.full(9, 7)}, "labels: all samples are of class 7, expected at least two classes"),
        (
            {**GOOD, "features": FEATURES * np.where(LABELS == 2, np.nan, 1)[:, None]},
            "features: 12 values are not finite",
        ),
        ({**GOOD, "features": FEATURES[None]}, "features: got shape (1, 9, 4), expected 2 axes"),
        ({**GOOD, "features": FEATURES.astype(int)}, "features: got int64, expected floats"),
        ({"features": FEATURES[:0], "labels": LABELS[:0]}, "features: got shape (0, 4), expected at least one row"),
        ({**GOOD, "kernel": np.ones((5, 3))}, "kernel: got shape (5, 3), expected [d, C] or [C, d] with d = 4"),
        ({**GOOD, "kernel": np.ones((4, 1))}, "kernel: got shape (4, 1), expected at least two classes"),
        ({**GOOD, "bias": np.ones(3)}, "bias: given without a kernel"),
        ({**GOOD, "kernel": KERNEL, "bias": np.ones(4)}, "bias: got 4 entries, expected the kernel's 3 classes"),
        (
            {**GOOD, "test_features": FEATURES[:, :2], "test_labels": LABELS},
            "test_features: got 2 columns, expected the 4",
        ),
    ],
)
def test_bad_arrays_are_named(tmp_path, arrays, message):
    with pytest.raises(ValueError) as caught:
        read_features(save(tmp_path, **arrays))
    assert message in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut off", b"\x80\x04K\x01."])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "features.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"not an \.npz file"):
        read_features(path)


def test_a_damaged_array_is_named(tmp_path):
    path = save(tmp_path, **GOOD)
    content = bytearray(path.read_bytes())
    place = content.index(FEATURES.tobytes())
    content[place] ^= 255
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="features cannot be read"):
        read_features(path)


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_features(tmp_path / "none.npz")
