"""Switches that catch slips, set before JAX starts: eight virtual CPU devices and no silent rank promotion."""

import os
import pathlib
import tempfile
from collections.abc import Iterator

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")
# Doctests load data sets too: their cache must not be the user's.
os.environ["NCJAX_DATA_DIR"] = tempfile.mkdtemp(prefix="ncjax-tests-")
# Programs that many tests need are compiled once, by whichever needs them first. They must not outlive the tests, or a
# test could pass on what an earlier version compiled. Workers get the directory of the process that started them.
os.environ.setdefault("NCJAX_TEST_PROGRAMS", tempfile.mkdtemp(prefix="ncjax-programs-"))
os.environ["NCJAX_CACHE_DIR"] = os.environ["JAX_COMPILATION_CACHE_DIR"] = os.environ["NCJAX_TEST_PROGRAMS"]
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"

import jax
import pytest
from jaxtyping import config

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_runtest_setup(item):
    """Most of the tests' time is compiling. What asserts no number may do without the optimizer, and nothing else may.

    It is a matter of the whole process: jit keeps what it compiled before a switch.
    """
    without = os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS", "false").lower() not in ("", "0", "false")
    if without and not item.get_closest_marker("structure"):
        pytest.fail("a test without the marker structure runs as users do: unset JAX_DISABLE_MOST_OPTIMIZATIONS")


def pytest_runtest_teardown(item, nextitem):
    """Every program that XLA compiles for a CPU maps some memory, and the kernel allows a process 65,530 maps.

    Beyond them writing a program to the cache ends the process with a segmentation fault. A file that is over needs its
    programs no more.
    """
    maps = pathlib.Path("/proc/self/maps")
    if nextitem is None or nextitem.path == item.path or not maps.exists():
        return
    if maps.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the shape checker of the tests, as a user runs it: what is wrong meets the library's own messages."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def small_dataset():
    from tests import small

    return small.small_dataset()


@pytest.fixture(scope="session")
def small_inputs(small_dataset):
    from ncjax import training, transfer

    index = transfer.class_index(small_dataset.target.labels)
    return training.run_inputs(small_dataset, complexity_samples=9, target_index=index)


@pytest.fixture(scope="session")
def small_spec():
    from ncjax import models, training

    return training.TrainSpec(models.ModelSpec("mlp", widths=(6, 5)), num_classes=3, batch_size=4)
