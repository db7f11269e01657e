"""How much memory a compiled program needs and how much there is."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
from jax.sharding import Mesh

from ncjax.sweep.program import hosts

SAFETY = 1.25
"""A program is taken to need so many times what the compiler says: allocators leave gaps, libraries want workspace."""


class TooLarge(Exception):  # noqa: N818 - an answer, not a fault
    """So many runs do not fit into one program.

    Attributes:
        runs: that may fit, fewer than there were.
        reason: in words.
    """

    def __init__(self, runs: int, reason: str) -> None:
        super().__init__(reason)
        self.runs = runs
        self.reason = reason


def needed_bytes(compiled: Any) -> int:
    """Memory that a compiled program holds at once on each device: arguments, results and what lies between.

    Args:
        compiled: of ``jax.jit(...).lower(...).compile()``.

    Returns:
        Bytes, as the compiler says; 0 if it says nothing.

    Examples:
        >>> import jax.numpy as jnp
        >>> needed_bytes(jax.jit(lambda x: x * 2).lower(jnp.zeros(1000)).compile()) >= 8000
        True
    """
    stats = compiled.memory_analysis()
    if stats is None:
        return 0
    return int(
        stats.argument_size_in_bytes
        + stats.output_size_in_bytes
        - stats.alias_size_in_bytes
        + stats.temp_size_in_bytes
        + stats.generated_code_size_in_bytes
    )


def available_bytes(device: Any) -> int | None:
    """Memory that programs may use on a device.

    Args:
        device: of this process.

    Returns:
        Bytes: an accelerator's own, or this process's share of what the machine has free; None if it cannot be told.

    Examples:
        >>> available_bytes(jax.local_devices()[0]) != 0
        True
    """
    stats = device.memory_stats()
    if stats and "bytes_limit" in stats:
        return int(stats["bytes_limit"])
    if device.platform != "cpu":
        return None
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            free = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        return None
    return free // len(jax.local_devices())


def runs_that_fit(needed: int, fixed: int, runs: int, available: int | None) -> int:
    """How many of a program's runs fit into memory.

    Args:
        needed: bytes of the whole program on one device.
        fixed: bytes of these that do not grow with the runs, the data.
        runs: of the program on one device.
        available: bytes, or None if it cannot be told.

    Returns:
        ``runs`` if they fit, else fewer, but at least 1: a single run is tried whatever the estimate says.

    Examples:
        >>> runs_that_fit(needed=100, fixed=20, runs=8, available=1000), runs_that_fit(100, 20, 8, available=75)
        (8, 4)
    """
    if available is None or needed * SAFETY <= available:
        return runs
    per_run = max(needed - fixed, 1) / runs
    return max(1, min(runs - 1, int((available / SAFETY - fixed) / per_run)))


def ensure_fits(programs: Sequence[tuple[Any, int]], fixed: int, runs: int, num_runs: int, mesh: Mesh) -> None:
    """Asks, for every way of running a group alike, whether its programs fit into memory on every host.

    Args:
        programs: compiled, that run one after another, each with the bytes that a device holds beside its arguments and
            that grow with the runs.
        fixed: bytes that a device holds whatever the number of runs, the data.
        runs: of the programs on one device.
        num_runs: of the group, those that fill it up left out.
        mesh: over which the runs are spread.

    Raises:
        TooLarge: on every host, if they do not.
    """
    needed = max(needed_bytes(program) + beside for program, beside in programs)
    available = available_bytes(mesh.local_mesh.devices.flat[0])
    fit = hosts.agree(runs_that_fit(needed, fixed, runs, available))[0] * mesh.shape["runs"]
    if fit < num_runs:
        raise TooLarge(
            fit,
            f"{num_runs} runs in a program would need {needed / 2**30:.1f} GiB a device of "
            f"{(available or 0) / 2**30:.1f}",
        )


def agreed_runs(answer: TooLarge, number: int) -> int:
    """How many runs of a group fit on every host.

    Args:
        answer: of this process.
        number: of the group.

    Returns:
        The fewest of all.

    Raises:
        ValueError: if this process alone is out of memory, while others go on.
    """
    if not hosts.meet(f"too large {number}"):
        raise ValueError(
            f"config.mesh.runs_per_program: group {number}, {answer.reason}, on one host alone; expected at most "
            f"{answer.runs}"
        ) from None
    return hosts.agree(answer.runs)[0]


@contextmanager
def halving_when_out_of_memory(runs: int) -> Iterator[None]:
    """Turns an accelerator's "out of memory" inside a ``with`` block into an answer.

    Args:
        runs: that the program advances.

    Raises:
        TooLarge: asking for half of them.
        ValueError: if a single run was too large.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        message = str(error).partition("\n")[0]
    else:
        return
    # Outside the handler: the error's traceback would keep the arrays that are in the way.
    if runs == 1:
        raise ValueError(
            f"config.train.batch_size, config.measure.chunk: one run does not fit into memory ({message}); expected "
            f"smaller ones, or more devices (config.mesh.batch)"
        )
    raise TooLarge(-(-runs // 2), f"out of memory with {runs} runs in a program")
