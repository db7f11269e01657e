import numpy as np
import pytest
from PIL import Image

from ncjax.data import DataSpec, load
from ncjax.data.image_files import make_folder

RNG = np.random.default_rng(0)


def write(path, size=(6, 5), colour=True):
    """An image of `size` (width, height) with random pixels; returns them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (size[1], size[0], 3) if colour else (size[1], size[0]), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


def images_of(split):
    return np.concatenate([images for images, _ in split.blocks()])


@pytest.fixture
def pets_folder(tmp_path):
    """Two classes of ten images."""
    for name in ("dog", "cat"):
        for i in range(10):
            write(tmp_path / "pets" / name / f"{i}.png")
    return tmp_path / "pets"


def test_folder_is_a_data_set(pets_folder):
    pets = load(DataSpec("folder", source=str(pets_folder)))
    assert pets.train.class_names == ("cat", "dog")
    assert np.bincount(pets.train.labels).tolist() == [8, 8]
    assert np.bincount(pets.test.labels).tolist() == [2, 2]
    assert pets.train.images.shape == (16, 5, 6, 3)


def test_train_and_test_folders_are_the_splits(tmp_path):
    train = write(tmp_path / "train" / "cat" / "a.png")
    test = write(tmp_path / "val" / "cat" / "a.png")
    splits = make_folder(str(tmp_path))
    np.testing.assert_array_equal(images_of(splits["train"])[0], train)
    np.testing.assert_array_equal(images_of(splits["test"])[0], test)


def test_train_and_test_folders_of_other_classes_are_an_error(tmp_path):
    write(tmp_path / "train" / "cat" / "a.png")
    write(tmp_path / "test" / "dog" / "a.png")
    with pytest.raises(ValueError, match=r"train and test of .* must have the same classes; see 'cat'"):
        make_folder(str(tmp_path))


def test_changed_folder_is_read_anew(pets_folder):
    before = load(DataSpec("folder", source=str(pets_folder)))
    write(pets_folder / "cat" / "more.jpg")
    after = load(DataSpec("folder", source=str(pets_folder)))
    assert len(after.train) + len(after.test) == len(before.train) + len(before.test) + 1


def test_one_more_image_moves_few_others(pets_folder):
    def names():
        return {images.tobytes() for images in images_of(make_folder(str(pets_folder))["test"])}

    before = names()
    write(pets_folder / "cat" / "more.png")
    assert len(before & names()) >= 3


def test_grey_images_have_one_channel(tmp_path):
    pixels = [write(tmp_path / "cat" / name, colour=False) for name in ("a.png", "b.png")]
    splits = make_folder(str(tmp_path))
    found = sorted(images_of(splits[name])[0, ..., 0].tobytes() for name in ("train", "test"))
    assert found == sorted(image.tobytes() for image in pixels)


def test_grey_image_among_coloured_ones_gets_three_channels(tmp_path):
    write(tmp_path / "cat" / "a.png", colour=False)
    write(tmp_path / "cat" / "b.png")
    assert make_folder(str(tmp_path))["train"].shape == (1, 5, 6, 3)


def test_images_of_unequal_size_are_an_error_that_names_them(pets_folder):
    write(pets_folder / "dog" / "odd.png", size=(7, 5))
    with pytest.raises(ValueError, match=r"images must be of one size, .*: .*png is 5x6, .*odd.png 5x7") as caught:
        load(DataSpec("folder", source=str(pets_folder)))
    assert "\n" not in str(caught.value)


def test_image_size_brings_all_to_one(pets_folder):
    write(pets_folder / "dog" / "odd.png", size=(7, 50))
    assert load(DataSpec("folder", source=str(pets_folder), image_size=8)).train.images.shape[1:] == (8, 8, 3)


def test_resizing_keeps_the_middle(tmp_path):
    stripes = np.zeros((4, 12, 3), np.uint8)
    stripes[:, 4:8] = 255
    for name in ("a.png", "b.png"):
        (tmp_path / "cat").mkdir(exist_ok=True)
        Image.fromarray(stripes).save(tmp_path / "cat" / name)
    assert images_of(make_folder(str(tmp_path), 4)["train"]).min() == 255


def damage(path):
    path.write_bytes(path.read_bytes()[:60])


def not_an_image(path):
    path.write_text("text")


@pytest.mark.parametrize("spoil", [damage, not_an_image])
def test_damaged_image_is_an_error_that_names_it(pets_folder, data_dir, spoil):
    spoil(pets_folder / "dog" / "3.png")
    with pytest.raises(ValueError, match=r"dog/3.png is damaged") as caught:
        load(DataSpec("folder", source=str(pets_folder)))
    assert "\n" not in str(caught.value)
    assert not list(data_dir.rglob("*.npy"))


def test_folder_without_images_is_an_error(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(ValueError, match=r"must hold a folder of .png or .jpg images for each class; it holds none"):
        load(DataSpec("folder", source=str(tmp_path)))


def test_class_of_one_image_is_an_error(tmp_path):
    write(tmp_path / "cat" / "a.png")
    with pytest.raises(ValueError, match="class 'cat' must have at least two images"):
        load(DataSpec("folder", source=str(tmp_path)))


def test_no_source_is_an_error():
    with pytest.raises(ValueError, match="source of 'folder' must be a folder with a folder of images for each class"):
        load(DataSpec("folder"))


def test_source_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"source of 'folder': .*nowhere is no folder"):
        load(DataSpec("folder", source=str(tmp_path / "nowhere")))


@pytest.mark.parametrize("link", ["dog/out.png", "out"])
def test_a_link_that_leads_out_of_the_folder_is_refused(pets_folder, tmp_path, data_dir, link):
    write(tmp_path / "secret" / "a.png")
    target = tmp_path / "secret" / ("a.png" if link.endswith(".png") else "")
    (pets_folder / link).symlink_to(target)
    with pytest.raises(ValueError, match=r"leads out of .*pets, to .*secret"):
        load(DataSpec("folder", source=str(pets_folder)))
    assert not list(data_dir.rglob("*.npy"))


def test_a_link_within_the_folder_is_followed(pets_folder):
    (pets_folder / "dog" / "again.png").symlink_to(pets_folder / "dog" / "0.png")
    assert len(load(DataSpec("folder", source=str(pets_folder))).train) == 17


def test_an_image_of_too_many_pixels_is_an_error_of_one_line(pets_folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match=r"\.png: Image size \(30 pixels\) exceeds limit of 20 pixels"):
        make_folder(str(pets_folder))
