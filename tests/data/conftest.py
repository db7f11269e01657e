"""Every test has a data cache of its own."""

import pickle
import shutil
import tarfile

import jaxtyping
import numpy as np
import pytest

from ncjax.data import Split


@pytest.fixture(autouse=True)
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("NCJAX_DATA_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def as_users_run():
    """Without the annotations' check, which in tests would come before our own errors."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture
def pets():
    """Three classes of 4, 3 and 3 images; every image has a value of its own."""
    images = np.broadcast_to(np.arange(10, dtype=np.uint8)[:, None, None, None], (10, 4, 4, 1)).copy()
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0], np.int32)
    return Split(images, labels, ("cat", "dog", "eel"))


@pytest.fixture
def tfds_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    return tmp_path / "tfds"


def cifar_planes(count, seed):
    """Images as CIFAR's archives hold them: a row of 1,024 reds, greens and blues each."""
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), np.uint8)


def as_images(planes):
    return planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


@pytest.fixture
def cifar10_content():
    """Planes and labels by batch: 10 images each, the classes in turn."""
    batches = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    return {name: (cifar_planes(10, i), {"labels": list(range(10))}) for i, name in enumerate(batches)}


@pytest.fixture
def cifar100_content():
    """Planes and labels by batch: 2 train images and 1 test image a class."""
    content = {}
    for name, count in (("train", 200), ("test", 100)):
        fine = [i % 100 for i in range(count)]
        content[name] = (cifar_planes(count, count), {"coarse_labels": [i // 5 for i in fine], "fine_labels": fine})
    return content


def write_python(folder, content):
    """Batches as the python archives hold them: pickles with byte strings for keys."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (planes, labels) in content.items():
        batch = {
            b"data": planes,
            b"batch_label": name.encode(),
            **{key.encode(): value for key, value in labels.items()},
        }
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def write_binary(folder, content):
    """Batches as the binary archives hold them: label bytes, coarse before fine, and planes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (planes, labels) in content.items():
        columns = [np.array(values, np.uint8)[:, None] for values in labels.values()]
        (folder / f"{name}.bin").write_bytes(np.concatenate([*columns, planes], axis=1).tobytes())


@pytest.fixture(params=["python", "binary", "python archive", "binary archive"])
def cifar_form(request):
    """Writes CIFAR as a folder or an archive that holds it; returns what to give as the source."""

    def write(root, stem, content):
        python = request.param.startswith("python")
        end = {"cifar-10": "batches-py" if python else "batches-bin"}.get(stem, "python" if python else "binary")
        (write_python if python else write_binary)(root / f"{stem}-{end}", content)
        if not request.param.endswith("archive"):
            return root
        path = root / f"{stem}-{'python' if python else 'binary'}.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            tar.add(root / f"{stem}-{end}", f"{stem}-{end}")
        shutil.rmtree(root / f"{stem}-{end}")
        return root

    return write
