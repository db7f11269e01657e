"""Public functions as one compiled program each.

Called step by step, a measure compiles dozens of small programs, and again whatever it builds anew at each call. Here
a function of arrays is compiled as a whole, once for each set of shapes and options; a function that takes a function,
once for all that compute the same.
"""

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, ParamSpec, TypeVar, get_args
from weakref import WeakKeyDictionary

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxpr_as_fun
from jaxtyping import Array

from ncjax.metrics.arrays import as_array, as_count, as_labels

P = ParamSpec("P")
R = TypeVar("R")

# Programs kept for functions that take functions.
_KEPT = 128


def compiled(*static: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Makes a function of arrays one compiled program for each set of shapes and options.

    Arrays of other libraries are converted first. Labels are checked first, too: a program cannot look at them.

    Args:
        *static: Names of the arguments that are no arrays, as they fix shapes or choose a method.

    Returns:
        A decorator.

    Examples:
        >>> double = compiled("times")(lambda features, times: times * features)
        >>> double(np.ones(2, np.float32), times=2).tolist()
        [2.0, 2.0]
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        may_be_none = {
            name
            for name, parameter in signature.parameters.items()
            if parameter.default is None or type(None) in get_args(parameter.annotation)
        }
        # Compiled functions return dicts in alphabetical order; the order in which a report is written is kept.
        program = jax.jit(
            functools.wraps(function)(lambda *args, **kwargs: _ordered(function(*args, **kwargs))),
            static_argnames=static,
        )

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            given = bound.arguments
            for name, value in given.items():
                if name in static:
                    given[name] = as_count(name, value) if name == "num_classes" else _option(value)
                elif value is not None or name not in may_be_none:
                    given[name] = _traceable(name, value)
            _check_labels(given)
            return _plain(program(*bound.args, **bound.kwargs))

        return call

    return decorate


def compiled_by_content(function: Callable[..., R], *arrays: Any) -> R:
    """Calls a function that is made anew at each call, and compiles it once for all calls that compute the same.

    The function is traced at each call, which takes milliseconds. What it computes decides, and not which object it is:
    a lambda that is written in a loop compiles once. Arrays that it holds, such as weights, are arguments of the
    program: other values of them are used, and compile nothing.

    Args:
        function: Takes the arrays.
        *arrays: Pytrees of arrays; what else is in them belongs to the function.

    Returns:
        What the function returns.

    Examples:
        >>> import jax.numpy as jnp
        >>> scales = jnp.float32(2), jnp.float32(3)
        >>> [float(compiled_by_content(lambda x: scale * x, jnp.ones(()))) for scale in scales]
        [2.0, 3.0]
    """
    leaves, tree = jax.tree.flatten(arrays)
    is_array = [isinstance(leaf, jax.Array | np.ndarray | np.generic) for leaf in leaves]
    given = [leaf for leaf, traced in zip(leaves, is_array, strict=True) if traced]

    def of_arrays(*given: Array) -> R:
        remaining = iter(given)
        every = [next(remaining) if traced else leaf for leaf, traced in zip(leaves, is_array, strict=True)]
        return function(*jax.tree.unflatten(tree, every))

    if any(isinstance(leaf, jax.core.Tracer) for leaf in given):
        return jax.jit(of_arrays)(*given)
    closed, shape = jax.make_jaxpr(of_arrays, return_shape=True)(*given)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in closed.consts):
        return jax.jit(of_arrays)(*given)
    outputs = _compiled(_Program(_Structure(closed.jaxpr), closed.jaxpr))(closed.consts, given)
    return jax.tree.unflatten(jax.tree.structure(shape), outputs)


class _Structure:
    """What a traced function computes, to be compared: without the values of the arrays that it holds."""

    def __init__(self, jaxpr: Jaxpr):
        self.steps = _steps(jaxpr)
        self.hash = hash(self.steps)

    def __hash__(self) -> int:
        return self.hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, _Structure) and self.steps == other.steps)


class _Program(NamedTuple):
    """The first of all functions of a structure."""

    structure: _Structure
    jaxpr: Jaxpr

    def __hash__(self) -> int:
        return hash(self.structure)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Program) and self.structure == other.structure


# What is compiled is traced once, so that the same object is seen inside of many functions.
_INNER: WeakKeyDictionary[Jaxpr, _Structure] = WeakKeyDictionary()


@functools.lru_cache(maxsize=_KEPT)
def _compiled(program: _Program) -> Callable[[list[Any], list[Any]], list[Any]]:
    jaxpr = program.jaxpr
    return jax.jit(lambda consts, leaves: jaxpr_as_fun(ClosedJaxpr(jaxpr, consts))(*leaves))


def _steps(jaxpr: Jaxpr) -> tuple[Any, ...]:
    numbers: dict[Any, int] = {}

    def atom(variable: Any) -> Any:
        if isinstance(variable, Literal):
            return "literal", variable.aval, _comparable(variable.val)
        return numbers.setdefault(variable, len(numbers)), variable.aval

    inputs = tuple(map(atom, (*jaxpr.constvars, *jaxpr.invars)))
    steps = []
    for step in jaxpr.eqns:
        params = list(step.params.items())
        if step.primitive.name.startswith("custom_"):
            # The rule of a derivative has been used already where one is taken.
            params = [(name, value) for name, value in params if isinstance(value, Jaxpr | ClosedJaxpr | int)]
        options = tuple((name, _comparable(value)) for name, value in sorted(params))
        steps.append((step.primitive, tuple(map(atom, step.invars)), options, tuple(map(atom, step.outvars))))
    return len(jaxpr.constvars), inputs, tuple(steps), tuple(map(atom, jaxpr.outvars))


def _comparable(value: Any) -> Any:
    """A value of a traced function's step, as something with a hash."""
    if isinstance(value, Jaxpr):
        if value not in _INNER:
            _INNER[value] = _Structure(value)
        return _INNER[value]
    if isinstance(value, ClosedJaxpr):
        return _comparable(value.jaxpr), _comparable(value.consts)
    if isinstance(value, tuple | list):
        return type(value), tuple(map(_comparable, value))
    if isinstance(value, dict):
        return tuple((name, _comparable(inner)) for name, inner in value.items())
    if isinstance(value, float):
        # Not a number equals nothing, and the two zeros equal each other.
        return float, np.float64(value).tobytes()
    if isinstance(value, np.ndarray | np.generic):
        return value.shape, str(value.dtype), value.tobytes()
    try:
        hash(value)
    except TypeError:
        return _Same(value)
    return value


class _Same:
    """An object that equals itself alone."""

    def __init__(self, value: Any):
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def _option(value: Any) -> Any:
    """A value with a hash in the place of a list, or of a number of an array library."""
    if isinstance(value, list):
        return tuple(value)
    is_number = isinstance(value, np.generic | np.ndarray | jax.Array) and not isinstance(value, jax.core.Tracer)
    return value.item() if is_number and np.ndim(value) == 0 else value


def _traceable(name: str, value: Any) -> Any:
    """An array of JAX in the place of another library's."""
    if isinstance(value, Mapping):
        return {inner: _traceable(f"{name}[{inner!r}]", tap) for inner, tap in value.items()}
    is_tree = value is not None and not jax.tree_util.all_leaves([value])
    if name.endswith("labels") and not is_tree:
        return _on_the_host(name, value)
    if is_tree or isinstance(value, jax.Array | bool | int | float):
        return value
    return as_array(name, value)


def _on_the_host(name: str, labels: Any) -> Any:
    """Labels of another library as an array of NumPy: JAX may have no type so wide."""
    if isinstance(labels, jax.Array | np.ndarray | np.generic) or not hasattr(labels, "__array__"):
        return labels
    try:
        return np.asarray(labels)
    except Exception:
        # A tensor on another device, say: this says what to write.
        return as_array(name, labels)


def _check_labels(given: dict[str, Any]) -> None:
    """Looks at every argument whose name ends in "labels", unless it is traced."""
    stats, mask = given.get("stats"), given.get("mask")
    num_classes = given.get("num_classes") if stats is None else stats.num_classes
    if num_classes is None or isinstance(mask, jax.core.Tracer):
        return
    for name, labels in given.items():
        if name.endswith("labels") and labels is not None and not isinstance(labels, jax.core.Tracer):
            try:
                given[name] = as_labels(labels, np.size(labels), num_classes, mask)
            except ValueError as error:
                raise ValueError(f"{name.removesuffix('labels')}{error}") from None


def _ordered(value: Any) -> Any:
    return OrderedDict((name, _ordered(inner)) for name, inner in value.items()) if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    return {name: _plain(inner) for name, inner in value.items()} if isinstance(value, dict) else value
