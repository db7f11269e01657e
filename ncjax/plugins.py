"""What others add without editing the package: objects named ``MODULE:NAME``, and modules that register things."""

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def is_plugin(name: str) -> bool:
    """Whether a name is ``MODULE:NAME``, and not one that the package knows.

    Args:
        name: of a model or a data set.

    Returns:
        Whether it is.

    Examples:
        >>> is_plugin("my_module:MyNet"), is_plugin("vgg11")
        (True, False)
    """
    module, colon, attribute = name.partition(":")
    return bool(colon) and all(part.isidentifier() for part in module.split(".")) and attribute.isidentifier()


def load_plugin(name: str, key: str) -> Any:
    """The object that a name ``MODULE:NAME`` stands for.

    Args:
        name: of a module that Python finds, in the current directory too, and of something in it.
        key: of the config, for the error.

    Returns:
        The object.

    Raises:
        ValueError: one line, if there is no such module or nothing of that name in it, or the module cannot be
            imported.

    Examples:
        >>> load_plugin("json:dumps", "data.name")([1])
        '[1]'
        >>> load_plugin("json:dump_all", "data.name")
        Traceback (most recent call last):
        ValueError: data.name: module 'json' has no 'dump_all'
    """
    module_name, _, attribute = name.partition(":")
    module = _imported(module_name, key)
    if not hasattr(module, attribute):
        raise ValueError(f"{key}: module {module_name!r} has no {attribute!r}")
    return getattr(module, attribute)


def import_plugins(modules: Iterable[str], key: str = "config.plugins") -> None:
    """Imports modules that register few-shot heads, measures or claims of their own.

    Args:
        modules: that Python finds, in the current directory too.
        key: of the config, for the error.

    Raises:
        ValueError: one line, if one is not there or cannot be imported.

    Examples:
        >>> import_plugins(("json",))
        >>> import_plugins(("no_module",))
        Traceback (most recent call last):
        ValueError: config.plugins: cannot import 'no_module': ModuleNotFoundError: No module named 'no_module'
    """
    for name in modules:
        _imported(name, key)


def _imported(name: str, key: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        # A console command does not look here by itself; last, so that nothing is hidden.
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{key}: cannot import {name!r}: {type(error).__name__}: {reason}") from error
