"""The flag --config: an experiment's file or name, and single values of it on the command line."""

import difflib
import inspect
import runpy
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags
from ml_collections.config_flags import config_path

_NAME = "config"
# Beside the package, in a clone and where it is installed.
SHIPPED = Path(__file__).resolve().parents[2] / "configs"


def define_config(values: flags.FlagValues = flags.FLAGS, argv: list[str] | None = None) -> Any:
    """Defines --config=FILE[:VARIANT] and --config.KEY=VALUE.

    Args:
        values: that get the flags.
        argv: of the command; by default this process's.

    Returns:
        The flag's holder, for ``asked_config``.
    """
    about = "Experiment: a file, or the name of one that ships with ncjax, e.g. quickstart."
    # Several commands have it, and a process may import several of them.
    holder = config_flags.DEFINE_config_file(_NAME, None, about, flag_values=values, sys_argv=argv, allow_override=True)
    values[_NAME].parser = _ConfigFile()
    return holder


def asked_config(holder: Any) -> ConfigDict:
    """The config that the flags describe; an axis that a flag sets to None is taken off.

    Args:
        holder: of ``define_config``, parsed.

    Returns:
        The config.

    Raises:
        ValueError: if a flag sets a value that no run takes, since the config sweeps it.
    """
    from ncjax.sweep import AXES, swept_axes

    config: ConfigDict = holder.value
    asked = config_flags.get_override_values(flags.FLAGS[_NAME])
    for key, value in asked.items():
        # A flag of a tuple makes a tuple of whatever it is given.
        if value == (None,):
            config_path.set_value(key, config, None)
    for name in sorted(swept_axes(config)):
        home = AXES[name].key
        if home in asked:
            raise ValueError(
                f"--config.{home}: got {asked[home]!r}, which no run would take: the config sweeps this axis; expected "
                f"--config.sweep.{name}='({asked[home]!r},)', or --config.sweep.{name}=None with it"
            )
    return config


def unknown_key(argv: list[str]) -> str | None:
    """Says which key of the command line the config lacks.

    Args:
        argv: of the command, in which ``--config`` stands before its keys.

    Returns:
        One line with the nearest key or all there are, or None if none is missing.
    """
    config: Any = None
    for argument in argv:
        name, _, value = argument.lstrip("-").removeprefix("no").partition("=")
        if name == _NAME:
            config = _load(value)
        if not name.startswith(f"{_NAME}.") or config is None:
            continue
        place, section = _NAME, config
        for part in name.split(".")[1:]:
            if not isinstance(section, ConfigDict) or part not in section:
                return f"--{name}: unknown, {_there(part, place, section)}"
            place, section = f"{place}.{part}", section[part]
    return None


def lacks_config(argv: list[str]) -> str | None:
    """Says that a command line sets values of a config and names none.

    Args:
        argv: of the command.

    Returns:
        One line with an example, or None if there is a config or no value of one.
    """
    names = [argument.lstrip("-").partition("=")[0] for argument in argv[1:] if argument.startswith("-")]
    keys = [name for name in names if name.removeprefix("no").startswith(f"{_NAME}.")]
    if not keys or _NAME in names:
        return None
    return (
        f"--{keys[0]}: --config is missing, whose value this sets; expected a file or a name with it, "
        f"e.g. --config=quickstart"
    )


def _there(part: str, place: str, section: Any) -> str:
    if not isinstance(section, ConfigDict):
        return f"{place} holds a value, not keys"
    nearest = difflib.get_close_matches(part, section, n=1)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    return f"{place} holds {', '.join(section) or 'no keys'}"


class _ConfigFile(flags.ArgumentParser[ConfigDict]):
    """Loads the file, and says in one line where it is wrong."""

    def parse(self, argument: str) -> ConfigDict:
        config = _load(argument)
        config.lock()
        return config


def _load(argument: str) -> ConfigDict:
    named, colon, variant = argument.partition(":")
    name = _file(named)
    if name is None:
        shipped = shipped_configs()
        nearest = difflib.get_close_matches(named, shipped, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(shipped)}"
        raise flags.Error(f"--config: got {argument!r}, expected a Python file or the name of a config: {hint}")
    get_config = _in_file(name, lambda: _get_config(name))
    if not callable(get_config):
        raise flags.Error(f"--config: {name} has no function get_config, expected one that returns a config")
    variants = [variant] if colon else []
    try:
        inspect.signature(get_config).bind(*variants)
    except TypeError:
        wanted = "no variant, as it has none" if colon else "a variant after a colon"
        raise flags.Error(f"--config: got {argument!r}, expected {wanted}") from None
    config = _in_file(name, lambda: get_config(*variants))
    if not isinstance(config, ConfigDict):
        raise flags.Error(
            f"--config: get_config() of {name} returns {type(config).__name__}, expected a ConfigDict that begins as "
            f"ncjax.sweep.default_config()"
        )
    return config


def shipped_configs() -> dict[str, Path]:
    """The configs that come with the package.

    Returns:
        Their files by name: ``quickstart``, ``limits_paper/cascade``.
    """
    files = (path for path in sorted(SHIPPED.rglob("*.py")) if path.stem != "__init__")
    return {
        path.relative_to(SHIPPED).with_suffix("").as_posix(): path
        for path in files
        if "def get_config(" in path.read_text(encoding="utf-8")
    }


def _file(name: str) -> str | None:
    """The path of a config's file, given as a path or by the name of a shipped one."""
    if Path(name).is_file():
        return name
    # In a clone the path from its root is a name as well, wherever the command is called.
    found = shipped_configs().get(name.removeprefix("configs/").removesuffix(".py"))
    return None if found is None else str(found)


def _get_config(name: str) -> Any:
    root = str(SHIPPED.parent)
    if root not in sys.path:
        # For what the shipped configs share; last, so that it hides nothing.
        sys.path.append(root)
    content: Mapping[str, Any] = runpy.run_path(name)
    return content.get("get_config")


def _in_file(name: str, call: Callable[[], Any]) -> Any:
    """Calls what a user wrote, whose errors are of any kind; the line is what they look for."""
    try:
        return call()
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
        line = error.lineno if isinstance(error, SyntaxError) and error.filename == name else (lines or [None])[-1]
        place = f"{name}, line {line}" if line else name
        reason = error.msg if isinstance(error, SyntaxError) else error
        if str(reason).startswith("--config: "):
            raise flags.Error(str(reason)) from None
        raise flags.Error(f"--config: {place}: {type(error).__name__}: {reason}") from None
