"""What the machine can do at most: a large matrix product and a large copy, in every library that is there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from experiments.benchmarks import peers
from experiments.benchmarks.timing import alternate


@dataclass(frozen=True)
class Ceiling:
    """Rates that nothing in the same run is expected to exceed.

    Attributes:
        flops: of the best library's matrix product, a second.
        bytes: read and written by the best library's copy, a second.
        by_library: both for each library.
    """

    flops: float
    bytes: float
    by_library: dict[str, dict[str, float]]


def measure_ceiling(precision: str = "float32", quick: bool = False) -> Ceiling:
    """Times a large matrix product and a large copy."""
    large = jax.default_backend() != "cpu"
    size = 256 if quick else 16384 if large else 2048
    length = 2**16 if quick else 2**28 if large else 2**26
    products = {"jax": _jax_product(size, precision)}
    copies = {"jax": _jax_copy(length)}
    if peers.torch is not None:
        products["torch"] = _torch_product(size)
        copies["torch"] = _torch_copy(length)
    repeats = 3 if quick else 11
    product_times, copy_times = alternate(products, repeats, warm_up=2), alternate(copies, repeats, warm_up=2)
    by_library = {
        name: {"flops": 2 * size**3 / product_times[name].median, "bytes": 8 * length / copy_times[name].median}
        for name in products
    }
    return Ceiling(
        flops=max(rates["flops"] for rates in by_library.values()),
        bytes=max(rates["bytes"] for rates in by_library.values()),
        by_library=by_library,
    )


def _jax_product(size: int, precision: str) -> Callable[[], Any]:
    matrix = jax.random.normal(jax.random.key(0), (size, size))
    product = jax.jit(lambda x: jnp.matmul(x, x, precision=peers.JAX_PRECISION[precision]))
    return lambda: product(matrix).block_until_ready()


def _jax_copy(length: int) -> Callable[[], Any]:
    # A negation in place is a copy that no compiler leaves out, into memory that need not be asked for.
    negate = jax.jit(jnp.negative, donate_argnums=0)
    held = [jnp.ones(length)]

    def call() -> None:
        held[0] = negate(held[0]).block_until_ready()

    return call


def _torch_product(size: int) -> Callable[[], Any]:
    torch = peers.torch
    matrix = torch.randn(size, size, device=peers.device(), dtype=peers.matmul_dtype())
    out = torch.empty_like(matrix)

    def call() -> None:
        torch.matmul(matrix, matrix, out=out)
        peers.synchronise()

    return call


def _torch_copy(length: int) -> Callable[[], Any]:
    torch = peers.torch
    vector = torch.ones(length, device=peers.device())
    out = torch.empty_like(vector)

    def call() -> None:
        out.copy_(vector)
        peers.synchronise()

    return call
