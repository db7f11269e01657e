"""A digest of a function's code and of what it refers to, so that a cache knows when its maker was changed."""

import dataclasses
import functools
import hashlib
import inspect
import os
import site
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

_PLAIN = (int, float, complex, str, bytes, type(None), type(...))


def code_digest(function: Callable[..., Any]) -> str:
    """Changes whenever a function would compute something else because its code was changed.

    Followed are functions, classes, numbers, texts, arrays and collections that the function refers to by name, by
    default or by closure, in the user's own files; installed packages and this one are known by their versions.
    Comments and documentation make no difference. Files that the function reads are not seen.

    Args:
        function: any callable.

    Returns:
        A digest of 16 hexadecimal digits, the same in every process of one version of Python.

    Examples:
        >>> few, many = functools.partial(range, 700), functools.partial(range, 1000)
        >>> code_digest(few) == code_digest(functools.partial(range, 700)), code_digest(few) == code_digest(many)
        (True, False)
    """
    digest = hashlib.sha256()
    for part in _parts(function, {}):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:16]


_Seen = dict[int, Any]


def _parts(value: Any, seen: _Seen) -> Iterator[str]:
    """Texts that tell a value from others; each object that can refer back to itself is taken once."""
    if isinstance(value, _PLAIN):
        yield f"{type(value).__name__} {value!r}"
    elif id(value) in seen:
        yield "again"
    else:
        seen[id(value)] = value  # kept, so that nothing else gets its id
        yield type(value).__qualname__
        yield from _inner_parts(value, seen)


@functools.singledispatch
def _inner_parts(value: Any, seen: _Seen) -> Iterator[str]:
    """What an object holds: of a type that is not known, its class and, if that is the user's, its attributes."""
    if hasattr(value, "__wrapped__"):
        yield from _parts(value.__wrapped__, seen)
        return
    yield from _parts(type(value), seen)
    names = [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
    names = names or (sorted(getattr(value, "__dict__", ())) if _is_own(type(value)) else [])
    yield from _parts([(name, getattr(value, name)) for name in names], seen)


@_inner_parts.register
def _(value: np.ndarray, _: _Seen) -> Iterator[str]:
    yield f"{value.dtype} {value.shape} {hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()}"


@_inner_parts.register(tuple)
@_inner_parts.register(list)
def _(value: Any, seen: _Seen) -> Iterator[str]:
    for each in value:
        yield from _parts(each, seen)


@_inner_parts.register(set)
@_inner_parts.register(frozenset)
def _(value: Any, seen: _Seen) -> Iterator[str]:
    # Their order is another in every process.
    yield from sorted(" ".join(_parts(each, dict(seen))) for each in value)


@_inner_parts.register
def _(value: dict, seen: _Seen) -> Iterator[str]:
    yield from _parts(list(value.items()), seen)


@_inner_parts.register
def _(value: os.PathLike, _: _Seen) -> Iterator[str]:
    yield repr(os.fspath(value))


@_inner_parts.register
def _(value: functools.partial, seen: _Seen) -> Iterator[str]:
    yield from _parts((value.func, value.args, value.keywords), seen)


@_inner_parts.register
def _(value: types.MethodType, seen: _Seen) -> Iterator[str]:
    yield from _parts((value.__func__, value.__self__), seen)


@_inner_parts.register
def _(value: types.FunctionType, seen: _Seen) -> Iterator[str]:
    yield f"{value.__module__}.{value.__qualname__}"
    if _is_own(value):
        yield from _parts((value.__defaults__, value.__kwdefaults__), seen)
        for cell in value.__closure__ or ():
            try:
                yield from _parts(cell.cell_contents, seen)
            except ValueError:  # not yet filled
                yield "empty"
        yield from _code_parts(value.__code__, value.__globals__, seen)


@_inner_parts.register
def _(value: type, seen: _Seen) -> Iterator[str]:
    yield f"{value.__module__}.{value.__qualname__}"
    if _is_own(value):
        yield from _parts(value.__bases__, seen)
        for name, each in vars(value).items():
            if not name.startswith("__") or isinstance(each, types.FunctionType):
                yield name
                yield from _parts(each.__func__ if isinstance(each, staticmethod | classmethod) else each, seen)


def _code_parts(code: types.CodeType, names: dict[str, Any], seen: _Seen) -> Iterator[str]:
    yield f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {code.co_freevars}"
    for constant in code.co_consts[_has_doc(code) :]:
        if isinstance(constant, types.CodeType):
            yield from _code_parts(constant, names, seen)
        else:
            yield from _parts(constant, seen)
    for name in (each for each in code.co_names if each in names):
        value = names[name]
        # Which of a module's names are meant cannot be told from other attributes: all that fit are taken.
        taken = [value]
        if isinstance(value, types.ModuleType):
            taken = [getattr(value, each, None) for each in code.co_names] if _is_own(value) else []
        yield from _parts([name, *taken], seen)


def _has_doc(code: types.CodeType) -> bool:
    """Whether its first constant is documentation, for which Python 3.13 has a flag and earlier ones a place."""
    if sys.version_info >= (3, 13):
        return bool(code.co_flags & inspect.CO_HAS_DOCSTRING)
    named = code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith("<")
    return bool(named and code.co_consts and isinstance(code.co_consts[0], str | None))


def _is_own(thing: Any) -> bool:
    """Whether it stands in the user's own files: what is installed has a version, and this package's sources too."""
    module = thing if isinstance(thing, types.ModuleType) else None
    name = module.__name__ if module else (getattr(thing, "__module__", None) or "builtins")
    if name.partition(".")[0] == __name__.partition(".")[0] or name == "builtins":
        return False
    file = getattr(module or sys.modules.get(name), "__file__", None)
    if file is None:
        return name == "__main__" or name not in sys.stdlib_module_names
    return not any(Path(file).resolve().is_relative_to(folder) for folder in _installed())


@functools.cache
def _installed() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    folders = {*(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")), site.getusersitepackages()}
    return tuple(Path(folder).resolve() for folder in folders)
