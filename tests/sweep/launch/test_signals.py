"""What a person who asks a sweep to stop is told: real processes and real signals."""

import signal
import subprocess
import sys
import time

import pytest

from ncjax.sweep.launch import signals

# Loaded by itself: the package would bring JAX, which takes seconds.
BUSY = """
import importlib.util, time
spec = importlib.util.spec_from_file_location("signals", {path!r})
signals = importlib.util.module_from_spec(spec)
spec.loader.exec_module(signals)
signals._ECHO_SECONDS = {echo}
with signals.noticing_signals(grace_seconds={grace}) as stop:
    {setting}
    print("ready", flush=True)
    while True:
        time.sleep(0.05)
"""


@pytest.fixture
def busy():
    """A process that never looks whether it is asked to stop, as while it compiles."""
    children = []

    def start(grace, echo=0.0, setting="pass"):
        code = BUSY.format(path=signals.__file__, grace=grace, echo=echo, setting=setting)
        child = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_a_signal_is_acknowledged_at_once_and_a_second_one_ends_at_once(busy):
    child = busy(grace=100)
    began = time.monotonic()
    child.send_signal(signal.SIGINT)
    said = child.stderr.readline()
    assert said == "stopping: SIGINT; saves and ends at the next step, after 100 s as it is; again: ends at once\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(timeout=30) == signals.STOPPED
    assert child.stderr.read().strip() == "stopped: SIGINT once more; what was not saved is done again"
    assert time.monotonic() - began < 30


def test_a_signal_that_is_passed_on_to_the_same_process_counts_once(busy):
    child = busy(grace=1.5, echo=1.0)
    child.send_signal(signal.SIGINT)
    child.stderr.readline()
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == signals.STOPPED
    assert child.stderr.read().strip() == "stopped: SIGINT; what was not saved within 1.5 s is done again"


def test_the_line_goes_where_the_sweep_says(busy):
    child = busy(grace=0.2, setting="stop.tell = lambda line: print('told', line, flush=True)")
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == signals.STOPPED
    assert child.stdout.read().startswith("told stopping: SIGTERM")
