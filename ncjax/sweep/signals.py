"""Being asked to stop: SIGTERM, by which a cloud takes a machine back, and SIGINT, by which a person does."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

STOPPED = 75
"""Exit status of a sweep that was stopped and goes on by the same command (EX_TEMPFAIL of sysexits.h)."""

GRACE_SECONDS = 20.0
"""A stopped sweep has ended after so many seconds, whatever it was doing; clouds give 30."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SweepStopped(Exception):  # noqa: N818 - nothing went wrong
    """A sweep ended before its time, saved, and goes on by the same command."""


class StopRequest:
    """Whether someone has asked to stop.

    Attributes:
      signal: name of the signal that asked, or None.
    """

    def __init__(self) -> None:
        self.signal: str | None = None


@contextlib.contextmanager
def noticing_signals(grace_seconds: float = GRACE_SECONDS) -> Iterator[StopRequest]:
    """Turns the first SIGTERM or SIGINT into a request to stop, for a ``with`` block; a second one ends at once.

    Python runs a signal's handler only between bytecodes, never inside a compilation or a long measurement. So a thread
    ends the process when the time is up: what lies on the disk is consistent at every moment.

    Args:
      grace_seconds: time to reach a place where the state can be saved.

    Yields:
      The request. Outside the main thread, where signals cannot be handled, it never comes.

    Example:
      >>> with noticing_signals() as stop:
      ...     signal.raise_signal(signal.SIGTERM)
      ...     stop.signal
      'SIGTERM'
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def handle(number: int, _: FrameType | None) -> None:
        if request.signal is not None:
            raise KeyboardInterrupt
        request.signal = signal.Signals(number).name

    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    ended = threading.Event()
    watcher = threading.Thread(target=_end_in_time, args=(receiver, grace_seconds, ended), daemon=True)
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
        ended.set()
        os.close(sender)
        watcher.join()
        os.close(receiver)


def _end_in_time(receiver: int, grace_seconds: float, ended: threading.Event) -> None:
    """Waits for a signal's byte, then for the block to end, and ends the process if it does not."""
    while (byte := os.read(receiver, 1)) and byte[0] not in _SIGNALS:
        pass
    if byte and not ended.wait(grace_seconds):
        line = f"stopped: {signal.Signals(byte[0]).name}; what was not saved within {grace_seconds:g} s is done again\n"
        sys.stderr.write(line)
        sys.stderr.flush()
        os._exit(STOPPED)
