import gzip
import io
import pickle
import tarfile
import tracemalloc

import numpy as np
import pytest

from ncjax.data import originals
from ncjax.data.originals import read_cifar10, read_cifar100, read_idx, read_mnist_like, read_pickle


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.arange(6, dtype=np.uint8)


def write_mnist(folder, pack=lambda data: data, ending="", prefix="", test="t10k"):
    for stem in (f"{prefix}train", f"{prefix}{test}"):
        (folder / f"{stem}-images-idx3-ubyte{ending}").write_bytes(pack(idx(IMAGES)))
        (folder / f"{stem}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(LABELS)))


@pytest.mark.parametrize(("pack", "ending"), [(bytes, ""), (gzip.compress, ".gz")])
def test_idx_files_are_read_plain_and_gzipped(tmp_path, pack, ending):
    write_mnist(tmp_path, pack, ending)
    splits = read_mnist_like(tmp_path)
    for split in ("train", "test"):
        np.testing.assert_array_equal(splits[split].images[..., 0], IMAGES)
        np.testing.assert_array_equal(splits[split].labels["label"], LABELS)


def test_emnist_has_names_of_its_own(tmp_path):
    write_mnist(tmp_path, prefix="emnist-balanced-", test="test")
    assert len(read_mnist_like(tmp_path, "emnist-balanced-", "test")["test"].images) == 6


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx(IMAGES)[:-1], "is damaged or truncated: fewer bytes than the shape"),
        (idx(IMAGES) + b"0", "is damaged or truncated: more bytes than the shape"),
        (gzip.compress(idx(IMAGES)[:-1]), "is damaged or truncated: fewer bytes than the shape"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12, "is damaged or truncated: .* do not hold the shape"),
        (gzip.compress(bytes([0, 0, 8, 3]) + b"\xff" * 12), "is damaged or truncated: .* do not hold the shape"),
        (idx(IMAGES)[:6], "is damaged or truncated: it ends within its header"),
        (gzip.compress(idx(IMAGES))[:-9], "is damaged or truncated"),
        (b"\x1f\x8b" + bytes(20), "is damaged or truncated"),
        (b"<html>", "must be an idx file of bytes; it begins with '3c68746d'"),
        (b"", "must be an idx file of bytes"),
    ],
    ids=["short", "long", "short within", "4 TiB", "4 TiB packed", "header", "gzip", "no gzip", "html", "empty"],
)
def test_damaged_idx_file_is_an_error_of_one_line(tmp_path, data, message):
    (tmp_path / "images").write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(tmp_path / "images")
    assert "\n" not in str(caught.value)


def test_a_gzip_file_is_not_unpacked_beyond_what_its_header_says(tmp_path):
    bomb = idx(LABELS) + bytes(1 << 28)
    (tmp_path / "labels").write_bytes(gzip.compress(bomb, 1))
    del bomb
    tracemalloc.start()
    with pytest.raises(ValueError, match="more bytes than the shape"):
        read_idx(tmp_path / "labels")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def archive_of(path, *members):
    with tarfile.open(path, "w:gz") as tar:
        for name, size in members:
            member = tarfile.TarInfo(name)
            member.size = size
            tar.addfile(member, io.BytesIO(bytes(size)))
    return path


@pytest.mark.parametrize("name", ["../test_batch", "/tmp/test_batch", "cifar/../../test_batch"])
def test_a_member_that_leaves_its_archive_is_refused(tmp_path, name):
    path = archive_of(tmp_path / "cifar-10-python.tar.gz", (name, 10))
    with pytest.raises(ValueError, match=r"cifar-10-python.tar.gz: got the file name .* inside its directory"):
        read_cifar10(path)


def test_an_archive_that_unpacks_to_far_more_than_it_should_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(originals, "_LARGEST_ARCHIVE", 1 << 20)
    path = archive_of(tmp_path / "cifar-10-python.tar.gz", ("a", 1 << 19), ("b", 1 << 20), ("c", 1 << 20))
    with pytest.raises(ValueError, match="unpacks to more than 1 MiB"):
        read_cifar10(path)


def test_labels_of_another_number_are_an_error(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:5]))
    with pytest.raises(ValueError, match=r"must have a label for each image; got \[5\] labels"):
        read_mnist_like(tmp_path)


def test_missing_idx_file_is_named(tmp_path):
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte \(plain or .gz\) is not in"):
        read_mnist_like(tmp_path)


def test_cifar10_is_read_in_all_its_forms(tmp_path, cifar_form, cifar10_content):
    splits = read_cifar10(cifar_form(tmp_path, "cifar-10", cifar10_content))
    planes = np.concatenate([cifar10_content[f"data_batch_{i}"][0] for i in range(1, 6)])
    # Pixel (row 3, column 5) of channel 2 is at 2 * 1024 + 3 * 32 + 5.
    np.testing.assert_array_equal(splits["train"].images[:, 3, 5, 2], planes[:, 2149])
    np.testing.assert_array_equal(splits["train"].images.sum((1, 2, 3)), planes.sum(1))
    assert splits["train"].labels["label"].tolist() == list(range(10)) * 5
    assert splits["test"].images.shape == (10, 32, 32, 3)


def test_cifar100_has_fine_and_coarse_labels(tmp_path, cifar_form, cifar100_content):
    train = read_cifar100(cifar_form(tmp_path, "cifar-100", cifar100_content))["train"]
    assert train.labels["label"].tolist() == list(range(100)) * 2
    np.testing.assert_array_equal(train.labels["coarse_label"], train.labels["label"] // 5)


def first_file(root):
    return sorted(path for path in root.rglob("*") if path.is_file())[0]


def test_truncated_cifar_is_an_error_of_one_line(tmp_path, cifar_form, cifar10_content):
    path = first_file(cifar_form(tmp_path, "cifar-10", cifar10_content))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="is damaged") as caught:
        read_cifar10(tmp_path)
    assert "\n" not in str(caught.value)


def test_incomplete_cifar_is_an_error(tmp_path, cifar_form, cifar10_content):
    del cifar10_content["data_batch_3"]
    source = cifar_form(tmp_path, "cifar-10", cifar10_content)
    with pytest.raises(FileNotFoundError, match=r"lacks data_batch_1, .*, test_batch \(or the same names with .bin\)"):
        read_cifar10(source)


def test_source_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not there"):
        read_cifar10(tmp_path / "nowhere")


class Malice:
    def __reduce__(self):
        return print, ("run",)


def test_pickle_that_would_run_something_is_refused(tmp_path, capsys):
    (tmp_path / "batch").write_bytes(pickle.dumps({b"data": Malice()}))
    with pytest.raises(ValueError, match=r"it asks for builtins.print, which no data set needs"):
        read_pickle(tmp_path / "batch")
    assert capsys.readouterr().out == ""
