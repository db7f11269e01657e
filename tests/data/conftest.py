"""Every test has a data cache of its own."""

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
