"""Fixtures of the metrics tests."""

from collections.abc import Iterator

import jax
import pytest
from jaxtyping import config


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the shape checker of the tests, as a user runs it: what is wrong meets the library's own messages."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture
def x64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
