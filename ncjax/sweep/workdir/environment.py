"""What a sweep ran on, and what its compilation cost."""

import contextlib
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

_NUMERICS = ("ncjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "pandas")
_PACKAGES = (*_NUMERICS, "pillow", "matplotlib", "tensorboardX")
_COMPILED = "/jax/core/compile/backend_compile_duration"


def environment() -> dict[str, Any]:
    """Versions, devices and the commit of the code.

    Returns:
        A dict that JSON can hold.

    Examples:
        >>> sorted(environment())
        ['command', 'cpu_cores', 'devices', 'git_commit', 'platform', 'python', 'versions']
    """
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "cpu_cores": os.cpu_count(),
        "devices": [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()],
        "git_commit": _git_commit(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def peak_memory_bytes() -> int:
    """The most memory that this process has held at once, in bytes.

    Examples:
        >>> peak_memory_bytes() > 1_000_000
        True
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def device_memory_bytes() -> int:
    """The memory of one device in bytes; on a CPU, its devices share the machine's.

    Examples:
        >>> device_memory_bytes() > 1_000_000
        True
    """
    stats = jax.local_devices()[0].memory_stats()
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // len(jax.local_devices())


@dataclass
class Compilations:
    """How many programs XLA compiled, and for how long in all.

    Attributes:
        count: programs.
        seconds: their compilation time together.
    """

    count: int = 0
    seconds: float = 0.0


@contextlib.contextmanager
def count_compilations() -> Iterator[Compilations]:
    """Counts the programs that XLA compiles inside a ``with`` block.

    Yields:
        The count, complete when the block ends.

    Examples:
        >>> import jax.numpy as jnp
        >>> with count_compilations() as compilations:
        ...     _ = jax.jit(lambda x: x * 2 + 1)(jnp.float32(1.0))
        >>> compilations.count >= 1
        True
    """
    compilations = Compilations()

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == _COMPILED:
            compilations.count += 1
            compilations.seconds += duration_secs

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield compilations
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit that the code is at, with ``+`` if files differ from it; None outside a git checkout."""
    root = Path(__file__).resolve().parents[3]
    git = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=10)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")
