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
    """Times a large matrix product and a large copy; `quick` makes them small."""
    large = jax.default_backend() != "cpu"
    size = 256 if quick else 16384 if large else 2048
    length = 2**16 if quick else 2**28 if large else 2**26
    calls = {"jax": _jax_calls(size, length, precision)}
    if peers.torch is not None:
        calls["torch"] = _torch_calls(size, length)
    repeats = 3 if quick else 11
    products = alternate({name: product for name, (product, _) in calls.items()}, repeats, warm_up=2)
    copies = alternate({name: copy for name, (_, copy) in calls.items()}, repeats, warm_up=2)
    by_library = {
        name: {"flops": 2 * size**3 / products[name].median, "bytes": 8 * length / copies[name].median}
        for name in calls
    }
    best = {rate: max(rates[rate] for rates in by_library.values()) for rate in ("flops", "bytes")}
    return Ceiling(**best, by_library=by_library)


def _jax_calls(size: int, length: int, precision: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    matrix = jax.random.normal(jax.random.key(0), (size, size))
    product = jax.jit(lambda x: jnp.matmul(x, x, precision=peers.JAX_PRECISION[precision]))
    # A negation in place is a copy that no compiler leaves out, into memory that need not be asked for.
    negate = jax.jit(jnp.negative, donate_argnums=0)
    held = [jnp.ones(length)]

    def copy() -> None:
        held[0] = negate(held[0]).block_until_ready()

    return lambda: product(matrix).block_until_ready(), copy


def _torch_calls(size: int, length: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    torch = peers.torch
    matrix = torch.randn(size, size, device=peers.device(), dtype=peers.matmul_dtype())
    vector = torch.ones(length, device=peers.device())
    product, copied = torch.empty_like(matrix), torch.empty_like(vector)

    def multiply() -> None:
        torch.matmul(matrix, matrix, out=product)
        peers.synchronise()

    def copy() -> None:
        copied.copy_(vector)
        peers.synchronise()

    return multiply, copy
