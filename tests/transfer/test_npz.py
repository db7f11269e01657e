"""Files of arrays that lie about themselves."""

import io
import struct
import zipfile

import numpy as np
import pytest

from ncjax.transfer import npz, read_npz


def save(path, content, name="features.npy", compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(name, content)
    return path


def npy(array, **changes):
    """The bytes of an array, with another header."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array)
    header = {
        "descr": np.lib.format.dtype_to_descr(array.dtype),
        "fortran_order": False,
        "shape": array.shape,
        **changes,
    }
    text = repr(header).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + array.tobytes()


def read(path):
    return read_npz(path, ["features"], "numpy.savez")[0]["features"]


def test_an_array_is_read_as_it_was_saved(tmp_path):
    array = np.random.default_rng(0).normal(size=(3, 4))
    for writer in (np.savez, np.savez_compressed):
        writer(tmp_path / "a.npz", features=array)
        np.testing.assert_array_equal(read(tmp_path / "a.npz"), array)
    np.testing.assert_array_equal(read(save(tmp_path / "b.npz", npy(array))), array)


@pytest.mark.parametrize("shape", [(2**40,), (2**20, 2**20), (2**80,), (1,), (0,)])
def test_a_header_that_announces_another_size_is_refused_before_memory_is_taken(tmp_path, shape):
    path = save(tmp_path / "a.npz", npy(np.zeros(3), shape=shape))
    with pytest.raises(ValueError, match=r"a.npz: features announces \d+ bytes of shape .*, but holds 24"):
        read(path)


def test_what_unpacks_to_far_more_than_it_takes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "_SMALL_BYTES", 2**16)
    bomb = save(tmp_path / "a.npz", npy(np.zeros(2**17)), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"a.npz: features unpacks from .* to 1.0 MiB, over 200 times that"):
        read(bomb)


def test_what_does_not_fit_into_memory_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "_free_bytes", lambda: 1000)
    path = save(tmp_path / "a.npz", npy(np.zeros(2**17)))
    with pytest.raises(ValueError, match=r"a.npz: features takes 1.0 MiB, of which this machine has 0.0 MiB free"):
        read(path)


@pytest.mark.parametrize("content", [b"", b"text", npy(np.zeros(3))[:40], npy(np.zeros(3), descr="<x9")])
def test_a_member_that_is_no_array_is_named(tmp_path, content):
    with pytest.raises(ValueError, match=r"a.npz: features cannot be read"):
        read(save(tmp_path / "a.npz", content))


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="features: holds Python objects, which are never unpickled"):
        read(tmp_path / "a.npz")
