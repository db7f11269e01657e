"""What every entry point does first and last: read flags, name the devices, end an error with one line."""

import logging as pylogging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import app, flags, logging

from ncjax.cli.given_flags import once_each, refuse_empty

# For a flag that other entry points have too: a process may import several of them.
SHARED: Any = {"allow_override": True}

PLATFORM = flags.DEFINE_enum(
    "platform", None, ["cpu", "gpu", "tpu"], "Demand this platform; by default JAX's choice, which may be the CPU."
)
COMPILATION_CACHE = flags.DEFINE_string(
    "compilation_cache",
    None,
    "Directory that keeps compiled programs for the next start, or off. Default: NCJAX_CACHE_DIR, ~/.cache/ncjax/xla.",
)
# A program that compiles faster than this, in seconds, is not worth a file.
_WORTH_KEEPING = 0.2

# What absl says of a flag that is required and not there.
_MISSING = re.compile(r"Flag --(\w+) must have a value other than None")

# The exit status of a run that ended because of what it was given, as for a wrong flag.
BAD_INPUT = 2
# Of a command that Ctrl-C ended, as shells have it: 128 and the number of the signal.
INTERRUPTED = 130


def run(main: Callable[[], None], first: Callable[[], None] | None = None, *, devices: bool = True) -> None:
    """Parses the flags, prints the devices and calls ``main``.

    A flag or config that is wrong, a file that is missing or damaged, ends the process with status 2 and one line.

    Args:
        main: takes nothing; raises ValueError or OSError for bad input.
        first: called before JAX is asked for its devices.
        devices: whether ``main`` computes on them; if not, JAX is never asked and another process can have them, as on
            a TPU only one can.
    """
    app.run(lambda argv: _guarded(lambda: _main(argv, main, first, devices)), flags_parser=_parse_flags)


def _main(argv: list[str], main: Callable[[], None], first: Callable[[], None] | None, devices: bool) -> None:
    if len(argv) > 1:
        raise ValueError(f"arguments: got {' '.join(argv[1:])!r}, expected flags only (--name=value)")
    logging.set_verbosity(logging.WARNING)
    _show_notes()
    warnings.showwarning = _show_warning
    if devices:
        _prepare_devices(first)
    main()


def _show_notes() -> None:
    """Says on stderr what the package notes, such as which data are used; stdout is for results."""
    notes = pylogging.getLogger("ncjax")
    notes.setLevel(pylogging.INFO)
    notes.propagate = False
    notes.handlers = [pylogging.StreamHandler()]


def _prepare_devices(first: Callable[[], None] | None) -> None:
    import jax

    _keep_compiled_programs()
    if PLATFORM.value == "cpu":
        jax.config.update("jax_platforms", "cpu")
    if first is not None:
        first()
    devices = _devices()
    print("devices: " + ", ".join(f"{device.platform}:{device.id} ({device.device_kind})" for device in devices))


def _keep_compiled_programs() -> None:
    """Makes JAX keep what it compiles in a directory, and look there before it compiles."""
    import jax

    environment = os.environ.get("NCJAX_CACHE_DIR") or os.environ.get("JAX_COMPILATION_CACHE_DIR")
    asked = COMPILATION_CACHE.value or environment
    if asked == "off":
        jax.config.update("jax_compilation_cache_dir", None)
        return
    directory = Path(asked or "~/.cache/ncjax/xla").expanduser()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        # A home that cannot be written to costs time, not results; a directory that was asked for must be there.
        if asked:
            raise
        return
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", _WORTH_KEEPING)


def _devices() -> list[Any]:
    import jax

    if PLATFORM.value and jax.default_backend() != PLATFORM.value:
        raise ValueError(
            f"--platform: got {PLATFORM.value}, but this JAX finds only {jax.default_backend()}; expected an "
            f"installation for {PLATFORM.value} (README: accelerators)"
        )
    return jax.devices()


def _parse_flags(argv: list[str]) -> list[str]:
    def parse() -> list[str]:
        if {"--help", "-help", "-h", "--h"} & {*argv[1:]}:
            from ncjax.cli.help import help_text

            print(help_text())
            sys.exit(0)
        expanded = [*argv[:1], *flags.FLAGS.read_flags_from_files(argv[1:], force_gnu=False)]
        try:
            rest: list[str] = flags.FLAGS(once_each(expanded))
        except flags.Error as error:
            raise _of_a_missing_flag(error, expanded) or error from None
        except (AttributeError, KeyError, TypeError) as error:
            # An override of a key that the config lacks, or of another type; a fault in the file itself is not caught.
            if not raised_by(error, "ml_collections"):
                raise
            from ncjax.cli.config_flag import unknown_key

            reason: object = error
            while isinstance(reason, Exception) and reason.args:
                reason = reason.args[0]
            raise ValueError(unknown_key(expanded) or f"--config: {reason}") from None
        refuse_empty()
        return rest

    return _guarded(parse)


def _of_a_missing_flag(error: flags.Error, argv: list[str]) -> ValueError | None:
    """What to say of an error of absl that comes of a flag that is not there."""
    if missing := _MISSING.search(str(error)):
        name = missing[1]
        return ValueError(f"--{name} is missing; expected --{name}=…: {flags.FLAGS[name].help}")
    if isinstance(error, flags.UnrecognizedFlagError) and "config" in flags.FLAGS:
        from ncjax.cli.config_flag import lacks_config

        line = lacks_config(argv)
        return ValueError(line) if line else None
    return None


def _guarded(call: Callable[[], Any]) -> Any:
    """Calls, and turns the errors of bad input into one line and status 2."""
    try:
        return call()
    except (flags.Error, ValueError, OSError) as error:
        # What a library raises from its own depths is a fault, and a fault needs its traceback.
        ours = isinstance(error, flags.Error) or raised_by(error, "ml_collections")
        if not ours and raised_by(error, "site-packages"):
            raise
        from ncjax.cli.help import as_called

        print(as_called("error: " + " ".join(str(error).split())), file=sys.stderr)
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        print("stopped: SIGINT", file=sys.stderr)
        sys.exit(INTERRUPTED)


def raised_by(error: BaseException, package: str) -> bool:
    """Whether the innermost frame of an error lies in a package.

    Args:
        error: with its traceback.
        package: a directory on the way to the file.

    Returns:
        Whether it does.
    """
    *_, innermost = traceback.extract_tb(error.__traceback__)
    return f"/{package}/" in Path(innermost.filename).as_posix()


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)
