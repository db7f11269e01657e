"""How a convolution becomes machine code: XLA's own convolution, or matrix products over shifted slices on a CPU.

Nothing else in the package knows of ``ncjax.cpu_convolution``: without it, ``auto`` and ``xla`` are what is left here.
"""

from collections.abc import Callable
from typing import Literal, cast, get_args

from jax import lax
from jaxtyping import Array

from ncjax.cpu_convolution import matmul_convolution
from ncjax.metrics.platform import platform as traced_platform

__all__ = ["Lowering", "convolution", "matmul_convolution", "resolve_lowering"]

Lowering = Literal["auto", "xla", "matmul"]


def resolve_lowering(lowering: str, platform: str | None = None) -> Lowering:
    """Turns ``auto`` into the lowering that suits the platform.

    Args:
        lowering: ``auto``, ``xla`` or ``matmul``.
        platform: ``cpu``, ``gpu`` or ``tpu``; that for which programs are traced if None.

    Returns:
        ``matmul`` on CPU and ``xla`` elsewhere for ``auto``, otherwise what came.

    Raises:
        ValueError: if ``lowering`` is none of the three.

    Examples:
        >>> resolve_lowering("auto", "cpu"), resolve_lowering("auto", "gpu"), resolve_lowering("xla", "cpu")
        ('matmul', 'xla', 'xla')
    """
    if lowering not in get_args(Lowering):
        raise ValueError(f"lowering: got {lowering!r}, expected one of {', '.join(get_args(Lowering))}")
    if lowering != "auto":
        return cast("Lowering", lowering)
    return "matmul" if (platform or traced_platform()) == "cpu" else "xla"


def convolution(lowering: Lowering) -> Callable[..., Array]:
    """The function to hand to ``flax.linen.Conv(conv_general_dilated=…)`` for a lowering.

    Args:
        lowering: ``auto``, ``xla`` or ``matmul``; all give the same numbers and gradients.

    Returns:
        A function with the signature of ``jax.lax.conv_general_dilated``.

    Examples:
        >>> import flax.linen as nn
        >>> import jax
        >>> import jax.numpy as jnp
        >>> layer = nn.Conv(8, (3, 3), conv_general_dilated=convolution("matmul"))
        >>> layer.init_with_output(jax.random.key(0), jnp.ones((1, 5, 5, 3)))[0].shape
        (1, 5, 5, 8)
    """
    return matmul_convolution if resolve_lowering(lowering) == "matmul" else lax.conv_general_dilated
