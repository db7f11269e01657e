"""Floating-point operations of a function, counted from what JAX traced of it."""

import math
from typing import Any

import jax
from jax.extend import core


def product_operations(closed: core.ClosedJaxpr, highest: float = 1.0) -> float:
    """Floating-point operations of the matrix products and convolutions of a traced function.

    Args:
        closed: of ``jax.make_jaxpr``.
        highest: how often a product counts that is asked for in full single precision.

    Returns:
        The number. Loops count as often as they run, those of unknown length once; of branches the largest.

    Examples:
        >>> import jax.numpy as jnp
        >>> product_operations(jax.make_jaxpr(lambda x: x @ x)(jnp.ones((10, 10))))
        2000.0
        >>> loop = lambda x: jax.lax.scan(lambda y, _: (y @ x, None), x, length=3)[0]
        >>> product_operations(jax.make_jaxpr(loop)(jnp.ones((10, 10))))
        6000.0
    """
    return _of_jaxpr(closed.jaxpr, highest)


def _of_jaxpr(jaxpr: Any, highest: float) -> float:
    return float(sum(_of_equation(equation, highest) for equation in jaxpr.eqns))


def _of_equation(equation: Any, highest: float) -> float:
    name, params = equation.primitive.name, equation.params
    weight = highest if _is_highest(params.get("precision")) else 1.0
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return weight * 2.0 * math.prod(equation.outvars[0].aval.shape) * math.prod(left[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel, numbers = equation.invars[1].aval.shape, params["dimension_numbers"]
        features = kernel[numbers.rhs_spec[0]]
        return weight * 2.0 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) / features
    inner = [_of_jaxpr(jaxpr, highest) for jaxpr in _jaxprs(params)]
    if name == "cond":
        return max(inner)
    return float(sum(inner)) * (params["length"] if name == "scan" else 1)


def _jaxprs(params: dict[str, Any]) -> list[Any]:
    found = []
    for value in params.values():
        for each in value if isinstance(value, tuple | list) else (value,):
            jaxpr = getattr(each, "jaxpr", each)
            if hasattr(jaxpr, "eqns"):
                found.append(jaxpr)
    return found


def _is_highest(precision: Any) -> bool:
    both = precision if isinstance(precision, tuple) else (precision,)
    return any(each == jax.lax.Precision.HIGHEST for each in both)
