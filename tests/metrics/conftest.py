"""Fixtures of the metrics tests."""

from collections.abc import Iterator

import jax
import pytest
from jaxtyping import config

_ROUNDING = ("test_class_stats", "test_collapse", "test_compensated")


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
    before = jax.config.jax_disable_most_optimizations  # type: ignore[attr-defined]
    jax.config.update("jax_disable_most_optimizations", before and request.path.stem not in _ROUNDING)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
