import csv
import itertools
import pickle

import numpy as np
import pytest
from PIL import Image

from ncjax.data import DataSpec, NotPreparedError, class_lists, load, prepare
from ncjax.data.mini_imagenet import make_mini_imagenet

LISTS = class_lists("mini_imagenet")
PARTS = dict(zip(("train", "val", "test"), LISTS.values(), strict=True))
SYNSETS = tuple(itertools.chain(*LISTS.values()))


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (12, 10), (value, 0, 0)).save(path)


@pytest.fixture
def imagenet(tmp_path):
    """Six images of each class, and one of a class that mini-ImageNet lacks."""
    root = tmp_path / "imagenet" / "train"
    for value, name in enumerate(SYNSETS):
        for i in range(6):
            write(root / name / f"{name}_{i}.JPEG", value)
    write(root / "n00000000" / "a.JPEG", 0)
    return root


def check(folder, image_size=8):
    prepare(DataSpec("mini_imagenet", source=str(folder), image_size=image_size))
    mini = load(DataSpec("mini_imagenet", image_size=image_size))
    assert mini.validation is not None
    assert mini.target is not None
    assert (mini.train.class_names, mini.target.class_names) == (LISTS["source_classes"], LISTS["target_classes"])
    assert [len(split) for split in (mini.train, mini.test, mini.validation, mini.target)] == [320, 64, 96, 120]
    return mini


@pytest.mark.parametrize("parent", [False, True])
def test_imagenet_folder_is_read_and_split_by_class(imagenet, parent):
    mini = check(imagenet.parent if parent else imagenet)
    value = SYNSETS.index("n02105505")
    label = mini.train.class_names.index("n02105505")
    assert abs(int(mini.train.images[mini.train.labels == label][0, 0, 0, 0]) - value) <= 3


def test_folders_by_split_are_read(imagenet, tmp_path):
    for part, names in PARTS.items():
        for name in names:
            (tmp_path / "parts" / part).mkdir(parents=True, exist_ok=True)
            (imagenet / name).rename(tmp_path / "parts" / part / name)
    check(tmp_path / "parts")


def test_lists_with_images_are_read(imagenet, tmp_path):
    root = tmp_path / "listed"
    (root / "images").mkdir(parents=True)
    for part, names in PARTS.items():
        with (root / f"{part}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["filename", "label"])
            for name in names:
                for path in sorted((imagenet / name).iterdir()):
                    path.rename(root / "images" / path.name)
                    rows.writerow([path.name, name])
    check(root)


@pytest.mark.parametrize("key", [str, str.encode])
def test_archives_by_split_are_read(tmp_path, key):
    for part, names in PARTS.items():
        values = np.repeat([SYNSETS.index(name) for name in names], 6).astype(np.uint8)
        pixels = np.broadcast_to(values[:, None, None, None], (len(values), 84, 84, 3))
        members = {key(name): list(range(6 * i, 6 * i + 6)) for i, name in enumerate(names)}
        content = {key("image_data"): pixels.copy(), key("class_dict"): members}
        (tmp_path / f"mini-imagenet-cache-{part}.pkl").write_bytes(pickle.dumps(content, protocol=4))
    mini = check(tmp_path, 84)
    expected = [SYNSETS.index(mini.test.class_names[label]) for label in mini.test.labels]
    assert mini.test.images[:, 40, 40, 1].tolist() == expected


def test_damaged_archive_is_an_error(tmp_path):
    for part in PARTS:
        (tmp_path / f"mini-imagenet-cache-{part}.pkl").write_bytes(pickle.dumps({"image_data": 3})[:-5])
    with pytest.raises(ValueError, match=r"mini-imagenet-cache-train.pkl is damaged or truncated"):
        make_mini_imagenet(str(tmp_path))


def test_class_that_is_lacking_is_an_error(imagenet):
    (imagenet / SYNSETS[0]).rename(imagenet / "n99999999")
    with pytest.raises(ValueError, match="must hold the 100 classes of mini-ImageNet; it lacks 1: n01532829"):
        make_mini_imagenet(str(imagenet))


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "a/../../secret.jpg", ""])
def test_a_list_that_names_files_elsewhere_is_refused(tmp_path, name):
    for part in PARTS:
        (tmp_path / f"{part}.csv").write_text(f"filename,label\n{name},n01532829\n")
    with pytest.raises(ValueError, match=r"train.csv, line 2: got the file name"):
        make_mini_imagenet(str(tmp_path))


def test_a_list_with_a_short_line_is_an_error_that_names_it(tmp_path):
    for part in PARTS:
        (tmp_path / f"{part}.csv").write_text("filename,label\na.jpg\n")
    with pytest.raises(ValueError, match=r"train.csv must have the columns filename and label; got \['a.jpg', None\]"):
        make_mini_imagenet(str(tmp_path))


def test_not_prepared_is_one_line_that_says_how():
    with pytest.raises(NotPreparedError, match=r"prepare_data --dataset=mini_imagenet --source=DIR$"):
        load(DataSpec("mini_imagenet"))
