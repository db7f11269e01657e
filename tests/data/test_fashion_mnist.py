"""The one real data set that can be had without the internet: Debian's package of Fashion-MNIST."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from ncjax.data import DataSpec, load, prepare

FOLDER = Path("/usr/share/datasets/fashion-mnist")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not FOLDER.is_dir(),
        reason="Debian's package dataset-fashion-mnist is not installed (apt-get install it to run this)",
    ),
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Fashion-MNIST prepared from the package; the folders of the cache and of tensorflow_datasets."""
    root = tmp_path_factory.mktemp("fashion_mnist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NCJAX_DATA_DIR", str(root / "cache"))
        prepare(DataSpec("fashion_mnist", source=str(FOLDER)), root / "tfds")
    return root / "cache", root / "tfds"


def originals(part):
    """Images and labels, by nothing but the description of the format."""
    images = gzip.decompress((FOLDER / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((FOLDER / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784), np.frombuffer(labels, np.uint8, offset=8)


def as_set(images, labels):
    return sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))


@pytest.mark.parametrize(("split", "part", "count"), [("train", "train", 60_000), ("test", "t10k", 10_000)])
def test_every_image_is_equal_bit_for_bit(folders, monkeypatch, split, part, count):
    monkeypatch.setenv("NCJAX_DATA_DIR", str(folders[0]))
    found = getattr(load(DataSpec("fashion_mnist")), split)
    assert found.images.shape == (count, 28, 28, 1)
    assert as_set(found.images, found.labels) == as_set(*originals(part))


def test_plain_tensorflow_datasets_reads_the_same(folders, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setenv("NCJAX_DATA_DIR", str(folders[0]))
    train = load(DataSpec("fashion_mnist")).train
    records = tfds.data_source("fashion_mnist", split="train", data_dir=folders[1])
    assert len(records) == 60_000
    for i in range(0, 60_000, 30):
        np.testing.assert_array_equal(records[i]["image"], train.images[i])
        assert records[i]["label"] == train.labels[i]


def test_statistics_are_the_known_ones(folders, monkeypatch):
    monkeypatch.setenv("NCJAX_DATA_DIR", str(folders[0]))
    fashion = load(DataSpec("fashion_mnist"))
    np.testing.assert_allclose([fashion.mean[0], fashion.std[0]], [0.2860, 0.3530], atol=1e-4)
