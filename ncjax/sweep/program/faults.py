"""What befalls one process of a sweep ends them all: a line that each looks for, beside what they compute together.

Processes that compute together wait for each other without end. So a process that fails says so on the board of JAX's
coordination service, which every process reads once a second whatever its devices are waiting for.
"""

import contextlib
import json
import os
import sys
import threading
import time
import uuid
from typing import Any

import jax
from orbax.checkpoint import multihost

_KEY = "ncjax/fault"
_READ = "ncjax/fault_read/"
_LEFT = "ncjax/fault_left/teller"
_LOOK_SECONDS = 1.0
# Time for the others to read what a process that ends has said; the board may end with it.
_ANSWER_SECONDS = 10.0

# Set while this process says something itself.
_SPEAKING = threading.Event()


def listen() -> None:
    """Ends this process with one line, from now on, as soon as another one says that it failed."""
    threading.Thread(target=_listen, daemon=True).start()


def tell(line: str, status: int) -> None:
    """Says that this process failed and waits until the others know; of several that fail, the first is heard.

    Args:
        line: that the others end with.
        status: with which they end.
    """
    if jax.process_count() == 1:
        return
    _SPEAKING.set()
    board = multihost.get_jax_distributed_client()
    content = json.dumps({"process": jax.process_index(), "line": line, "status": status})
    try:
        board.key_value_set(_KEY, content)
    except jax.errors.JaxRuntimeError:
        # Another process was faster, or the board is gone.
        _answer(board)
        return
    with contextlib.suppress(jax.errors.JaxRuntimeError):
        _wait_for(board, _READ, jax.process_count() - 1)
        board.key_value_set(_LEFT, "left")


def heard() -> dict[str, Any] | None:
    """What another process has said of its end.

    Returns:
        ``process``, ``line`` and ``status``; None if none has.
    """
    try:
        said = multihost.get_jax_distributed_client().key_value_try_get(_KEY)
    except jax.errors.JaxRuntimeError:
        # Nothing, or the board is gone.
        return None
    content: dict[str, Any] = json.loads(said)
    return None if content["process"] == jax.process_index() else content


def _listen() -> None:
    while not _SPEAKING.wait(_LOOK_SECONDS):
        try:
            said = heard()
        except ValueError:
            # The service has ended, and with it this process's work.
            return
        if said is not None:
            end_as_told(said)


def end_as_told(said: dict[str, Any]) -> None:
    """Ends this process with the line of another one.

    Args:
        said: by it.
    """
    sys.stdout.flush()
    sys.stderr.write(f"stopped: process {said['process']} of the sweep: {said['line']}\n")
    sys.stderr.flush()
    _answer(multihost.get_jax_distributed_client())
    # Leaving in order would wait for what the processes compute together.
    os._exit(said["status"])


def _answer(board: Any) -> None:
    """Lets the process that spoke know that this one has read it, and lets it go first if the board is here."""
    with contextlib.suppress(jax.errors.JaxRuntimeError):
        board.key_value_set(_READ + uuid.uuid4().hex, "read")
        if jax.process_index() == 0:
            # With the board gone JAX aborts those that still look at it.
            _wait_for(board, _READ, jax.process_count() - 1)
            _wait_for(board, _LEFT.rpartition("/")[0], 1)
            time.sleep(_LOOK_SECONDS)


def _wait_for(board: Any, key: str, count: int) -> None:
    """Waits until so many entries begin with a key, or for as long as it is worth."""
    end = time.monotonic() + _ANSWER_SECONDS
    while len(board.key_value_dir_get(key)) < count and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS / 5)
