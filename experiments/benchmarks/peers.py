"""PyTorch, if it is installed: the only place of the project that imports it."""

import importlib
import importlib.util
import os
from typing import Any

import jax
import numpy as np

torch: Any = importlib.import_module("torch") if importlib.util.find_spec("torch") else None

MISSING = "PyTorch is not installed: ncjax is timed alone (pip install -e '.[bench]' adds the peer)"
JAX_PRECISION = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}

_settings = {"precision": "float32"}


def configure(precision: str) -> None:
    """Gives both libraries the same precision of matrix products and convolutions, and the same number of threads."""
    _settings["precision"] = precision
    jax.config.update("jax_default_matmul_precision", JAX_PRECISION[precision])
    if torch is None:
        return
    # XLA uses every core that the process may run on.
    torch.set_num_threads(threads())
    torch.backends.cuda.matmul.allow_tf32 = precision != "float32"
    torch.backends.cudnn.allow_tf32 = precision != "float32"
    torch.backends.cudnn.benchmark = True


def threads() -> int:
    """Cores that this process may run on, which is how many threads every contestant gets."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device() -> str:
    """The device of torch that matches JAX's."""
    return "cuda" if torch.cuda.is_available() and jax.default_backend() == "gpu" else "cpu"


def matmul_dtype() -> Any:
    """The type of torch's matrices at the precision asked for."""
    return torch.bfloat16 if _settings["precision"] == "bfloat16" else torch.float32


def autocast() -> Any:
    """A context in which torch's layers run at the precision asked for."""
    return torch.autocast(device(), dtype=torch.bfloat16, enabled=_settings["precision"] == "bfloat16")


def synchronise() -> None:
    """Waits until torch's device has done its work."""
    if device() == "cuda":
        torch.cuda.synchronize()


def tensor(array: Any) -> Any:
    """A copy of a NumPy or JAX array on torch's device; integers become 64-bit."""
    host = np.array(array)
    return torch.from_numpy(host.astype(np.int64) if host.dtype.kind in "iu" else host).to(device())
