"""What ``--help`` shows: how to call a command, its flags, and every option of a config."""

import sys
from collections.abc import Iterator
from textwrap import wrap

from absl import flags

_WIDTH, _INDENT = 118, 6


def help_text() -> str:
    """The help of the command whose module is loaded.

    Returns:
        Text for a terminal.
    """
    by_module = flags.FLAGS.flags_by_module_dict()
    own = {name: given for name, given in by_module.items() if name.split(".")[0] in _PACKAGES}
    lines = [*_about(own), "", "Flags:"]
    for name, each in sorted({flag.name: flag for given in own.values() for flag in given}.items()):
        default = "" if each.default in (None, "", []) else f" (default: {str(each.default_as_str).strip(chr(39))})"
        lines += _entry(f"--{name}", f"{each.help}{default}")
    if "config" in flags.FLAGS:
        lines += ["", "Options of the config, each a flag --config.KEY=VALUE; --config.sweep.AXIS='(A, B)' sweeps one:"]
        lines += _options()
    return as_called("\n".join(lines))


def as_called(text: str) -> str:
    """Text with its commands written as this one was called: ``ncjax NAME``, or ``python -m experiments.NAME``.

    Args:
        text: With commands of the second kind.

    Returns:
        The text.

    Examples:
        >>> as_called("next: python -m experiments.report")
        'next: python -m experiments.report'
    """
    for name in _NAMES if sys.argv[0].startswith("ncjax ") else ():
        text = text.replace(f"python -m experiments.{name}", f"ncjax {name.replace('_', '-')}")
    return text


_PACKAGES = ("ncjax", "experiments", "__main__")
_NAMES = ("sweep", "report", "measure", "few_shot", "prepare_data", "results", "benchmark", "runs")


def _about(own: dict[str, list[flags.Flag]]) -> list[str]:
    """The docstring of the command's module: that with flags which is no part of others."""
    shared = {"ncjax.cli.entry", "ncjax.cli.config_flag"}
    modules = [name for name in own if name not in shared]
    documents = [sys.modules[name].__doc__ for name in modules if name in sys.modules]
    return [(documents[0] or "").strip()] if documents else []


def _options() -> Iterator[str]:
    from ncjax.sweep.plan.options import OPTIONS

    for key, about in OPTIONS.items():
        axis = f"; axis {about.axis}" if about.axis else ""
        yield from _entry(key, f"{about.doc}: {about.expected} (default: {about.default!r}{axis})")


def _entry(name: str, text: str) -> list[str]:
    return [f"  {name}", *wrap(text, _WIDTH, initial_indent=" " * _INDENT, subsequent_indent=" " * _INDENT)]
