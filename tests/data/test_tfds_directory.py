import struct
import sys

import numpy as np
import pytest

from ncjax.data import NotPreparedError, tfds_root
from ncjax.data.class_names import known_classes
from ncjax.data.originals import Originals, read_cifar10, read_cifar100
from ncjax.data.tfds_directory import find_prepared, prepare_official, read_prepared, write_prepared

NAMES = [
    "mnist",
    "fashion_mnist",
    "kmnist",
    "emnist/balanced",
    "emnist/byclass",
    "cifar10",
    "cifar100",
]


def small(shape, count=12):
    rng = np.random.default_rng(0)
    return {
        split: Originals(
            rng.integers(0, 256, (count, *shape), np.uint8), {"label": np.arange(count, dtype=np.uint8) % 10}
        )
        for split in ("train", "test")
    }


def whole(split):
    images, labels = zip(*split.blocks(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def as_set(images, labels):
    return sorted(zip((image.tobytes() for image in images), map(int, labels), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_back(name, tfds_dir):
    originals = small((32, 32, 3) if name.startswith("cifar") else (28, 28, 1))
    if name == "cifar100":
        for split in originals.values():
            split.labels["coarse_label"] = split.labels["label"] // 5
    folder = write_prepared(name, originals)
    assert folder.parent == tfds_dir / name
    splits = read_prepared(name)
    for split in ("train", "test"):
        expected = as_set(originals[split].images, originals[split].labels["label"])
        assert as_set(*whole(splits[split])) == expected
    assert "tensorflow" not in sys.modules


def test_cifar_archives_are_read_by_plain_tfds(tmp_path, tfds_dir, cifar_form, cifar10_content):
    import tensorflow_datasets as tfds

    originals = read_cifar10(cifar_form(tmp_path, "cifar-10", cifar10_content))
    write_prepared("cifar10", originals)
    records = tfds.data_source("cifar10", split="train", data_dir=tfds_dir)
    assert len(records) == 50
    for record in records:
        number = int(record["id"].decode().removeprefix("train_"))
        np.testing.assert_array_equal(record["image"], originals["train"].images[number])
        assert record["label"] == originals["train"].labels["label"][number]


def test_class_names_are_known_to_plain_tfds(tmp_path, tfds_dir, cifar_form, cifar100_content):
    import tensorflow_datasets as tfds

    write_prepared("cifar100", read_cifar100(cifar_form(tmp_path, "cifar-100", cifar100_content)))
    features = tfds.builder("cifar100", data_dir=tfds_dir).info.features
    assert features["label"].names == list(known_classes("cifar100"))
    assert features["coarse_label"].names[4] == "fruit_and_vegetables"


def test_letters_are_named(tfds_dir):
    write_prepared("emnist/balanced", small((28, 28, 1)))
    names = read_prepared("emnist/balanced")["train"].class_names
    assert (names[10], names[46]) == ("A", "t")


def test_order_does_not_depend_on_who_prepares(tfds_dir, tmp_path):
    originals = small((28, 28, 1), 50)
    write_prepared("mnist", originals)
    write_prepared("mnist", originals, tmp_path / "elsewhere")
    first, second = (whole(read_prepared("mnist", root)["train"])[0] for root in (None, tmp_path / "elsewhere"))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, originals["train"].images)


def test_prepared_folder_is_left_as_it_is(tfds_dir):
    folder = write_prepared("mnist", small((28, 28, 1)))
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert write_prepared("mnist", small((28, 28, 1), 20)) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_newest_version_is_read(tfds_dir):
    for version in ("1.9.0", "1.10.0", "incomplete.1.11.0"):
        (tfds_dir / "mnist" / version).mkdir(parents=True)
        (tfds_dir / "mnist" / version / "dataset_info.json").write_text("{}")
    assert find_prepared("mnist") == tfds_dir / "mnist" / "1.10.0"


def test_not_prepared_is_one_line_that_says_how(tfds_dir):
    with pytest.raises(
        NotPreparedError, match=r"python -m experiments.prepare_data --dataset=cifar10 \[--source=DIR\]$"
    ):
        read_prepared("cifar10")


def test_official_builder_without_tensorflow_is_one_line_that_says_what_to_install(tfds_dir, monkeypatch):
    monkeypatch.setattr("ncjax.data.tfds_directory.util.find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"pip install tensorflow importlib_resources, or give .* --source=DIR$"):
        prepare_official("stl10")


def truncate_records(folder):
    path = next(folder.glob("*train*"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_bytes(folder):
    path = next(folder.glob("*train*"))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle - 2000 : middle + 2000] = bytes(4000)
    path.write_bytes(data)


def damage_description(folder):
    (folder / "dataset_info.json").write_text("{")


@pytest.mark.parametrize("damage", [truncate_records, flip_bytes, damage_description])
def test_damaged_folder_is_an_error_of_one_line(tfds_dir, damage):
    damage(write_prepared("mnist", small((28, 28, 1), 40)))
    with pytest.raises(ValueError, match=r"is damaged: ") as caught:
        whole(read_prepared("mnist")["train"])
    assert "\n" not in str(caught.value)


def as_tfrecord(folder):
    """Rewrites a prepared folder in the default format of tensorflow_datasets."""
    from array_record.python.array_record_module import ArrayRecordReader  # type: ignore[import-untyped]

    for path in folder.glob("*.array_record-*"):
        reader = ArrayRecordReader(str(path))
        records = reader.read_all()
        reader.close()
        data = b"".join(struct.pack("<QI", len(record), 0) + record + bytes(4) for record in records)
        (folder / path.name.replace("array_record", "tfrecord")).write_bytes(data)
        path.unlink()
    text = (folder / "dataset_info.json").read_text()
    (folder / "dataset_info.json").write_text(text.replace('"array_record"', '"tfrecord"'))


def test_tfrecord_files_are_read_in_the_same_order(tfds_dir):
    folder = write_prepared("cifar10", small((32, 32, 3), 30))
    expected = whole(read_prepared("cifar10")["train"])
    as_tfrecord(folder)
    for found, wanted in zip(whole(read_prepared("cifar10")["train"]), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize(
    ("kept", "message"),
    [(100, "mnist-train.tfrecord-00000-of-00001 is truncated"), (0, "it ends after 0 of 12 images")],
)
def test_truncated_tfrecord_is_an_error(tfds_dir, kept, message):
    folder = write_prepared("mnist", small((28, 28, 1)))
    as_tfrecord(folder)
    path = next(folder.glob("*train*"))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=f"train in .* is damaged: {message}"):
        whole(read_prepared("mnist")["train"])


def test_records_that_only_tensorflow_reads_are_an_error(tfds_dir):
    folder = write_prepared("mnist", small((28, 28, 1)))
    text = (folder / "dataset_info.json").read_text()
    (folder / "dataset_info.json").write_text(text.replace("array_record", "riegeli"))
    with pytest.raises(ValueError, match="holds riegeli files, which cannot be read without TensorFlow: move it away"):
        read_prepared("mnist")


def test_images_of_another_size_are_an_error(tfds_dir):
    with pytest.raises(ValueError, match=r"train of mnist must have images of shape \(28, 28, 1\); got \(27, 28, 1\)"):
        write_prepared("mnist", small((27, 28, 1)))


def test_label_out_of_range_is_an_error(tfds_dir):
    originals = small((28, 28, 1))
    originals["test"].labels["label"][3] = 10
    with pytest.raises(ValueError, match="label in test of mnist must be below 10; got 10"):
        write_prepared("mnist", originals)


def test_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match=r"cannot write mnist into .*file: .*; --data_dir chooses another"):
        write_prepared("mnist", small((28, 28, 1)), tmp_path / "file")


def test_usual_folder_is_that_of_tensorflow_datasets(monkeypatch, tmp_path):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert tfds_root() == tmp_path / "tensorflow_datasets"
