"""For which platform a program is traced: block sizes, convolutions and ways of sharing a device follow it."""

from contextlib import AbstractContextManager

import jax

# Part of every key of jit's caches: what was traced for one platform is not taken for another.
_TARGET = jax.make_user_context(None)


def platform() -> str:
    """The platform for which programs are traced: JAX's default backend, unless `tracing_for` says another.

    Returns:
        ``cpu``, ``gpu`` or ``tpu``.

    Examples:
        >>> platform() == jax.default_backend()
        True
    """
    return str(_TARGET.value or jax.default_backend())


def tracing_for(name: str) -> AbstractContextManager[None]:
    """Makes programs that are traced in a ``with`` block suit another platform, as to compile them ahead for it.

    Args:
        name: ``cpu``, ``gpu`` or ``tpu``.

    Returns:
        The context.

    Examples:
        >>> with tracing_for("tpu"):
        ...     platform()
        'tpu'
    """
    context: AbstractContextManager[None] = _TARGET(name)
    return context
