import dataclasses
import hashlib
import time

import numpy as np
import pytest

from ncjax.data import SOURCES, DataSpec, Source, load, pixel_statistics, prepare


@pytest.fixture(autouse=True)
def pets_source(monkeypatch, pets):
    monkeypatch.setitem(SOURCES, "pets", Source(lambda: {"train": pets, "test": pets}))


def blank(data_dir):
    """Puts zeros for all cached images, so that whatever reads them shows it."""
    for path in data_dir.glob("*/*/*_images.npy"):
        size, header = path.stat().st_size, path.read_bytes()[:128]
        with path.open("wb") as file:
            file.write(header)
            file.truncate(size)


def sha256(*splits):
    parts = [array.tobytes() for split in splits if split is not None for array in (split.images, split.labels)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


@pytest.mark.parametrize("options", [{}, {"label_noise": 0.5}, {"train_per_class": 2, "target_classes": ("dog",)}])
def test_images_are_read_when_a_view_is_first_asked_for_and_never_again(data_dir, options):
    first = load(DataSpec("pets", **options))
    assert first.sha256 == sha256(first.train, first.test, first.target)
    blank(data_dir)
    again = load(DataSpec("pets", **options))
    assert not again.test.images.any()
    assert again.sha256 == first.sha256
    np.testing.assert_array_equal((again.mean, again.std), (first.mean, first.std))


def test_prepared_data_are_not_read_by_any_start(data_dir, pets):
    prepare(DataSpec("pets"))
    blank(data_dir)
    dataset = load(DataSpec("pets"))
    assert dataset.sha256 == sha256(pets, pets)
    np.testing.assert_array_equal((dataset.mean, dataset.std), pixel_statistics(pets.images))


def test_a_start_with_twenty_gigabytes_takes_no_time(data_dir):
    load(DataSpec("pets"))
    (path,) = data_dir.glob("pets/*/train_images.npy")
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (10, 2**16, 2**15, 1)}
        )
        file.truncate(file.tell() + 10 * 2**31)
    began = time.perf_counter()
    # The test split has other images, which is found out later: what is asked here is how long the train split takes.
    with pytest.raises(ValueError, match="must have images of shape"):
        load(DataSpec("pets"))
    # Its checksum alone would take ten seconds and more.
    assert time.perf_counter() - began < 2


def test_each_view_has_its_own(data_dir):
    views = (
        DataSpec("pets"),
        DataSpec("pets", seed=1, train_samples=5),
        DataSpec("pets", seed=2, train_samples=5),
        DataSpec("pets", train_per_class=2),
    )
    for _ in range(2):
        for spec in views:
            dataset = load(spec)
            assert dataset.sha256 == sha256(dataset.train, dataset.test)
            np.testing.assert_array_equal((dataset.mean, dataset.std), pixel_statistics(dataset.train.images))


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"facts": {"sha256": "0", "mean": [0], "std": [1]}, "sha256": "0"}'])
def test_a_damaged_file_is_computed_again(data_dir, damage):
    first = load(DataSpec("pets"))
    (path,) = data_dir.glob("pets/*/digest-*.json")
    path.write_bytes(damage)
    again = load(DataSpec("pets"))
    assert (again.sha256, again.mean, again.std) == (first.sha256, first.mean, first.std)


def test_data_that_are_verified_are_read_and_mended(data_dir, pets):
    load(DataSpec("pets"))
    blank(data_dir)
    with pytest.warns(UserWarning, match=r"remaking the cached data set .* fails its checksum"):
        dataset = load(DataSpec("pets"), verify=True)
    np.testing.assert_array_equal(dataset.test.images, pets.images)


def test_a_copy_with_other_images_has_another_checksum():
    dataset = load(DataSpec("pets"))
    fewer = dataclasses.replace(dataset, train=dataset.train.take(np.arange(5)))
    assert fewer.sha256 == sha256(fewer.train, fewer.test)
