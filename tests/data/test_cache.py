import errno
import itertools
import os
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest

from ncjax.data import SplitBlocks, cache, cache_root
from ncjax.data.cache import fetch


def entry(data_dir):
    (folder,) = (data_dir / "pets").iterdir()
    return folder


def make_nothing():
    raise AssertionError("made, though it is in the cache")


def test_second_fetch_reads_the_same_arrays_without_making(pets):
    first = fetch("pets", {}, lambda: {"train": pets})["train"]
    second = fetch("pets", {}, make_nothing)["train"]
    for split in (first, second):
        np.testing.assert_array_equal(split.images, pets.images)
        np.testing.assert_array_equal(split.labels, pets.labels)
        assert split.class_names == pets.class_names


def test_images_are_a_read_only_memory_map(pets):
    fetch("pets", {}, lambda: {"train": pets})
    images = fetch("pets", {}, make_nothing)["train"].images
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


def test_other_options_are_another_entry(pets):
    fetch("pets", {"seed": 0}, lambda: {"train": pets})
    with pytest.raises(AssertionError, match="made"):
        fetch("pets", {"seed": 1}, make_nothing)


def flip_a_byte(folder):
    data = bytearray((folder / "train_images.npy").read_bytes())
    data[-1] ^= 1
    (folder / "train_images.npy").write_bytes(data)


def cut_images_short(folder):
    (folder / "train_images.npy").write_bytes((folder / "train_images.npy").read_bytes()[:-1])


def truncate(folder):
    (folder / "train_labels.npy").write_bytes((folder / "train_labels.npy").read_bytes()[:-4])


def remove_images(folder):
    (folder / "train_images.npy").unlink()


def remove_index(folder):
    (folder / "index.json").unlink()


def truncate_index(folder):
    (folder / "index.json").write_bytes((folder / "index.json").read_bytes()[:50])


def rename_class(folder):
    text = (folder / "index.json").read_text()
    (folder / "index.json").write_text(text.replace("dog", "fox"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_images_short, "train_images.npy is cut short or no array"),
        (truncate, "train_labels.npy fails its checksum"),
        (remove_images, "train_images.npy is missing"),
        (remove_index, "index.json is missing or unreadable"),
        (truncate_index, "index.json is missing or unreadable"),
        (rename_class, "index.json fails its checksum"),
    ],
)
def test_damaged_entry_is_remade_with_a_warning(pets, data_dir, damage, message):
    fetch("pets", {}, lambda: {"train": pets})
    damage(entry(data_dir))
    with pytest.warns(UserWarning, match=f"remaking the cached data set .*{message}"):
        fetch("pets", {}, lambda: {"train": pets})
    remade = fetch("pets", {}, make_nothing)["train"]
    np.testing.assert_array_equal(remade.images, pets.images)


def test_images_are_checked_when_asked_for(pets, data_dir):
    fetch("pets", {}, lambda: {"train": pets})
    flip_a_byte(entry(data_dir))
    fetch("pets", {}, make_nothing)
    with pytest.warns(UserWarning, match=r"remaking the cached data set .*train_images.npy fails its checksum"):
        fetch("pets", {}, lambda: {"train": pets}, verify=True)
    remade = fetch("pets", {}, make_nothing, verify=True)["train"]
    np.testing.assert_array_equal(remade.images, pets.images)


def test_two_that_make_the_same_entry_do_not_collide(pets, data_dir):
    barrier = threading.Barrier(2)
    results = []

    def make():
        barrier.wait(timeout=20)
        return {"train": pets}

    threads = [threading.Thread(target=lambda: results.append(fetch("pets", {}, make))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        np.testing.assert_array_equal(result["train"].images, pets.images)
    assert len(results) == 2
    assert len(list((data_dir / "pets").iterdir())) == 1


def test_failure_while_writing_leaves_nothing(pets, data_dir, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.np, "save", full)
    with pytest.raises(OSError, match=r"cannot use the data cache .*No space left on device; NCJAX_DATA_DIR"):
        fetch("pets", {}, lambda: {"train": pets})
    assert list((data_dir / "pets").iterdir()) == []


def test_half_made_entry_of_a_killed_process_is_not_read(pets, data_dir):
    (data_dir / "pets" / ".making-0").mkdir(parents=True)
    (data_dir / "pets" / ".making-0" / "train_images.npy").write_bytes(b"half")
    with warnings.catch_warnings(action="error"):
        fetch("pets", {}, lambda: {"train": pets})


def blocks_of(split, sizes):
    """The split in blocks of the given sizes."""
    ends = np.cumsum([0, *sizes])
    pieces = [split.take(np.arange(start, end)) for start, end in itertools.pairwise(ends)]
    return SplitBlocks(
        split.images.shape, split.class_names, lambda: [(piece.images, piece.labels) for piece in pieces]
    )


def test_split_made_by_blocks_is_the_same(pets):
    made = fetch("pets", {}, lambda: {"train": blocks_of(pets, [4, 4, 2])})["train"]
    np.testing.assert_array_equal(made.images, pets.images)
    np.testing.assert_array_equal(made.labels, pets.labels)
    assert made.class_names == pets.class_names


def test_blocks_of_another_number_are_an_error_that_leaves_nothing(pets, data_dir):
    with pytest.raises(ValueError, match="train must have 10 images; its blocks hold 8"):
        fetch("pets", {}, lambda: {"train": blocks_of(pets, [4, 4])})
    assert list((data_dir / "pets").iterdir()) == []


def test_error_of_a_block_is_not_blamed_on_the_cache(pets, data_dir):
    def blocks():
        yield pets.images, pets.labels
        raise OSError("the archive is on fire")

    with pytest.raises(OSError, match=r"^the archive is on fire$"):
        fetch("pets", {}, lambda: {"train": SplitBlocks(pets.images.shape, pets.class_names, blocks)})
    assert list((data_dir / "pets").iterdir()) == []


def test_disk_that_fills_up_between_blocks_leaves_nothing(pets, data_dir, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot use the data cache .*No space left on device; NCJAX_DATA_DIR"):
        fetch("pets", {}, lambda: {"train": blocks_of(pets, [10])})
    assert list((data_dir / "pets").iterdir()) == []


def test_too_little_space_is_known_before_anything_is_made(pets):
    huge = SplitBlocks((10**12, 32, 32, 3), pets.class_names, make_nothing)
    with pytest.raises(OSError, match=r"3072000.0 GB are needed and .* GB free; NCJAX_DATA_DIR chooses another"):
        fetch("pets", {}, lambda: {"train": huge})


KILLED_HALFWAY = """
import os, signal
import numpy as np
from ncjax.data import SplitBlocks
from ncjax.data.cache import fetch

def blocks():
    yield np.zeros((5, 4, 4, 1), np.uint8), np.zeros(5, np.int32)
    os.kill(os.getpid(), signal.SIGKILL)

fetch("pets", {}, lambda: {"train": SplitBlocks((10, 4, 4, 1), ("cat", "dog", "eel"), blocks)})
"""


def test_killed_preparation_leaves_nothing_that_is_read_and_is_cleared_away(pets, data_dir):
    run = subprocess.run([sys.executable, "-c", KILLED_HALFWAY], check=False)
    assert run.returncode == -signal.SIGKILL
    (half_made,) = (data_dir / "pets").iterdir()
    for path in (half_made, *half_made.iterdir()):
        os.utime(path, (0, 0))
    with warnings.catch_warnings(action="error"):
        made = fetch("pets", {}, lambda: {"train": pets})["train"]
    np.testing.assert_array_equal(made.images, pets.images)
    assert not half_made.exists()


def test_what_another_process_is_making_is_left_alone(pets, data_dir):
    (data_dir / "pets" / ".making-0").mkdir(parents=True)
    fetch("pets", {}, lambda: {"train": pets})
    assert (data_dir / "pets" / ".making-0").exists()


def test_folder_that_cannot_be_made_is_an_error_that_names_it(pets, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match=r"cannot use the data cache .*file/pets/.*NCJAX_DATA_DIR chooses another"):
        fetch("pets", {}, lambda: {"train": pets}, tmp_path / "file")


def test_error_of_the_maker_is_not_blamed_on_the_cache():
    def make():
        raise FileNotFoundError("the archive is not there")

    with pytest.raises(FileNotFoundError, match=r"^the archive is not there$"):
        fetch("pets", {}, make)


def test_cache_is_in_the_users_cache_folder_unless_told(monkeypatch, tmp_path):
    monkeypatch.delenv("NCJAX_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_root() == tmp_path / "ncjax"
