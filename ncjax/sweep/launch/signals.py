"""Being asked to stop: SIGTERM, by which a cloud takes a machine back, and SIGINT, by which a person does."""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

STOPPED = 75
"""Exit status of a sweep that was stopped and goes on by the same command (EX_TEMPFAIL of sysexits.h)."""

GRACE_SECONDS = 20.0
"""A stopped sweep has ended after so many seconds, whatever it was doing; clouds give 30."""

# A signal that comes again within this time is the same.
_ECHO_SECONDS = 1.0

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SweepStopped(Exception):  # noqa: N818 - nothing went wrong
    """A sweep ended before its time, saved, and goes on by the same command."""


class StopRequest:
    """Whether someone has asked to stop.

    Attributes:
        signal: name of the signal that asked, or None.
        tell: says a line to the person who asked, from another thread.
    """

    def __init__(self) -> None:
        self.signal: str | None = None
        self.tell: Callable[[str], None] = _tell


# Of the blocks below that are under way in this process.
_REQUESTS: list[StopRequest] = []


def stop_sweeps(reason: str) -> None:
    """Asks the sweeps of this process to stop, as a signal does; for threads that find that they must.

    Args:
        reason: said where a signal would be named.
    """
    for request in tuple(_REQUESTS):
        request.signal = request.signal or reason


@contextlib.contextmanager
def noticing_signals(grace_seconds: float = GRACE_SECONDS) -> Iterator[StopRequest]:
    """Turns the first SIGTERM or SIGINT into a request to stop, for a ``with`` block; a second one ends at once.

    Python runs a signal's handler only between bytecodes, never inside a compilation or a long measurement. So a thread
    says at once that the signal was heard, and ends the process at the second one, or when the time is up: what lies on
    the disk is consistent at every moment.

    Args:
        grace_seconds: time to reach a place where the state can be saved.

    Yields:
        The request. Outside the main thread, where signals cannot be handled, it never comes.

    Examples:
        >>> with noticing_signals() as stop:
        ...     signal.raise_signal(signal.SIGTERM)
        ...     stop.signal
        'SIGTERM'
    """
    request = StopRequest()
    _REQUESTS.append(request)
    try:
        yield from _noticing(request, grace_seconds)
    finally:
        _REQUESTS.remove(request)


def _noticing(request: StopRequest, grace_seconds: float) -> Iterator[StopRequest]:
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, _: FrameType | None) -> None:
        request.signal = request.signal or signal.Signals(number).name

    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    watcher = threading.Thread(target=_watch, args=(receiver, grace_seconds, request), daemon=True)
    watcher.start()
    # The interpreter writes to this pipe as soon as the signal comes, whatever the main thread is doing.
    pipe_before = signal.set_wakeup_fd(sender, warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(pipe_before)
        os.close(sender)
        watcher.join()
        os.close(receiver)


def _watch(receiver: int, grace_seconds: float, request: StopRequest) -> None:
    """Says that a signal was heard, and ends the process at the next one or when the time is up."""
    name = _next_signal(receiver)
    if name is None:
        return
    request.tell(
        f"stopping: {name}; saves and ends at the next step, after {grace_seconds:g} s as it is; again: ends at once"
    )
    heard = time.monotonic()
    while (left := heard + grace_seconds - time.monotonic()) > 0:
        if not select.select([receiver], [], [], left)[0]:
            break
        byte = os.read(receiver, 1)
        if not byte:
            return
        # What started this process may pass on a signal that the terminal has sent to both.
        if byte[0] in _SIGNALS and time.monotonic() - heard > _ECHO_SECONDS:
            _end(f"stopped: {signal.Signals(byte[0]).name} once more; what was not saved is done again")
    _end(f"stopped: {name}; what was not saved within {grace_seconds:g} s is done again")


def _next_signal(receiver: int) -> str | None:
    """Waits for a signal, or for the end of the block, which closes the pipe."""
    while byte := os.read(receiver, 1):
        if byte[0] in _SIGNALS:
            return signal.Signals(byte[0]).name
    return None


def _end(line: str) -> None:
    # Below a progress bar, if there is one; its lock may be held by what hangs.
    _tell(f"\n{line}")
    os._exit(STOPPED)


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
