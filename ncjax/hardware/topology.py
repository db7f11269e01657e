"""Slices of accelerators by name, described to their compilers without having them."""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import util
from typing import Any

_GIB = 2**30


@dataclass(frozen=True)
class Chip:
    """What a plan needs to know of a chip, from its maker's pages.

    Attributes:
        platform: of JAX, ``tpu`` or ``gpu``.
        memory: bytes that programs may use.
        bandwidth: bytes a second between the chip and its memory.
        operations: floating-point operations a second of matrix products of float32 arrays as XLA makes them unless
            told otherwise: of bfloat16 on a TPU, of TF32 on a GPU.
        highest: how many times longer a product in full single precision takes.
        links: bytes a second that the chip sends to others of its slice.
    """

    platform: str
    memory: int
    bandwidth: float
    operations: float
    highest: float
    links: float


# TPUs: https://cloud.google.com/tpu/docs/v5e, /v5p, /v6e; GPUs: NVIDIA's data sheets of H100 SXM and H200 SXM.
CHIPS = {
    "v5e": Chip("tpu", int(15.75 * _GIB), 819e9, 197e12, 6.0, 200e9),
    "v5p": Chip("tpu", 95 * _GIB, 2765e9, 459e12, 6.0, 600e9),
    "v6e": Chip("tpu", int(31.25 * _GIB), 1638e9, 918e12, 6.0, 400e9),
    "h100": Chip("gpu", int(0.92 * 80e9), 3352e9, 494e12, 494 / 67, 450e9),
    "h200": Chip("gpu", int(0.92 * 141e9), 4800e9, 494e12, 494 / 67, 450e9),
}
# Without them libtpu asks a server of Google's cloud what machine this is, and complains that there is none.
_NO_TPU_HERE = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",
    "TPU_STDERR_LOG_LEVEL": "3",
    "TPU_MIN_LOG_LEVEL": "3",
}
_EXTRAS = {"tpu": ("libtpu", "tpu"), "gpu": ("jax_cuda13_plugin", "cuda")}
# XLA's own description of a Hopper GPU: what its compiler reads of it.
_HOPPER = """
gpu_device_info {{
  threads_per_block_limit: 1024
  threads_per_warp: 32
  shared_memory_per_block: 49152
  shared_memory_per_core: 233472
  shared_memory_per_block_optin: 232448
  threads_per_core_limit: 2048
  core_count: 132
  fpus_per_core: 128
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  memory_bandwidth: {bandwidth}
  l2_cache_size: 52428800
  clock_rate_ghz: 1.98
  device_memory_size: {memory}
  cuda_compute_capability {{ major: 9 }}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 12 }}
device_description_str: "{description}"
"""


@dataclass(frozen=True)
class Topology:
    """A slice of accelerators.

    Attributes:
        name: as given.
        chip: that it is made of.
        devices: as JAX's compilers know them.
    """

    name: str
    chip: Chip
    devices: Sequence[Any]


def find_topology(name: str) -> Topology:
    """The slice that a name describes.

    Args:
        name: chip and shape, as ``v5e:2x4``, ``v5p:2x2x1``, ``v6e:4x4``, ``h100:1x1x8`` (slices × hosts × GPUs).

    Returns:
        The slice. It needs the compiler of its chips: the extra ``tpu`` or ``cuda`` of this package.

    Raises:
        ValueError: if the name is none, or the compiler knows no such slice.
        ModuleNotFoundError: if the compiler is not installed; the message says how it is.

    Examples:
        >>> find_topology("v9:2x2")
        Traceback (most recent call last):
        ...
        ValueError: --topology: got 'v9:2x2', expected CHIP:SHAPE, CHIP one of v5e, v5p, v6e, h100, h200
    """
    kind, _, shape = name.partition(":")
    chip = CHIPS.get(kind)
    sizes = shape.split("x")
    if chip is None or not all(size.isdigit() and int(size) for size in sizes):
        near = difflib.get_close_matches(kind, CHIPS, n=1)
        hint = f"; did you mean {near[0]}:2x4?" if near and chip is None else ""
        raise ValueError(f"--topology: got {name!r}, expected CHIP:SHAPE, CHIP one of {', '.join(CHIPS)}{hint}")
    module, extra = _EXTRAS[chip.platform]
    if util.find_spec(module) is None:
        raise ModuleNotFoundError(
            f"--topology: {name} needs the compiler of its chips, which is not installed: pip install 'ncjax[{extra}]'"
        )
    from jax.experimental import topologies

    try:
        if chip.platform == "tpu":
            for variable, value in _NO_TPU_HERE.items():
                os.environ.setdefault(variable, value)
            found = topologies.get_topology_desc(platform="tpu", topology_name=name)
        else:
            described = _HOPPER.format(
                bandwidth=int(chip.bandwidth), memory=chip.memory, description=f"NVIDIA {kind.upper()}"
            )
            found = topologies.get_topology_desc(
                platform="cuda", topology_name=kind, topology=shape, target_config=described
            )
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ValueError(f"--topology: got {name!r}, of which the compiler says: {reason}") from error
    return Topology(name, chip, tuple(found.devices))
