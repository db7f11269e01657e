"""Fixtures of the metrics tests."""

import os
from collections.abc import Iterator

import jax
import pytest
from jaxtyping import config

_ROUNDING = ("test_class_means", "test_class_stats", "test_collapse", "test_compensated")


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


@pytest.fixture(autouse=True, scope="module")
def _optimized(request: pytest.FixtureRequest) -> Iterator[None]:
    """Rounding is tested in the programs that users run: there the optimizer may contract, fuse and reorder."""
    if request.path.stem not in _ROUNDING:
        yield
        return
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "true")
