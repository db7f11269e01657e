"""One of two processes that make one JAX runtime: python -m tests.sweep.two_hosts PORT NUMBER CASE."""

import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from ncjax.cli import sweep
from ncjax.sweep import SweepStopped
from ncjax.sweep.program import hosts
from ncjax.sweep.program.memory import TooLarge, agreed_runs

EXPECTED = [
    np.array([-0.0, np.inf, 1e-45], np.float32),
    np.array([0x7FC00001], np.uint32).view(np.float32),
    np.arange(20_000, dtype=np.int32).reshape(100, 200)[:, ::2],
    np.array([1.5, -2.0], ml_dtypes.bfloat16),
    np.float64(np.pi) * np.ones((2, 3)),
    np.zeros((0, 4), np.float32),
    np.array(True),
]


def sharing(directory):
    """Both have to the bit what the first has, in pieces smaller than the arrays."""
    hosts._PIECE_BYTES = 2**14
    ours = hosts.is_writer()
    facts, arrays = hosts.shared_arrays(lambda: ({"step": 3, "damage": None}, EXPECTED))
    assert facts == {"step": 3, "damage": None}
    for array, expected in zip(arrays, EXPECTED, strict=True):
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        assert array.tobytes() == expected.tobytes()
    assert hosts.shared(lambda: ours) is True
    for error in (ValueError("one\ntwo"), FileNotFoundError("gone"), KeyError("k"), TooLarge(1, "large")):
        kind = type(error) if ours or isinstance(error, ValueError | OSError) else RuntimeError
        with pytest.raises(kind) as raised:
            hosts.shared(lambda error=error: raising(error))
        assert type(raised.value) is kind
        assert str(error) in str(raised.value)
    assert hosts.meet("both")


def large(directory):
    """More than 2 GiB, in one array."""
    size = 2**31 + 12_345
    facts, (array,) = hosts.shared_arrays(lambda: ("large", [np.arange(size // 4, dtype=np.int32)]))
    assert facts == "large"
    assert (array[[0, 2**29, -1]] == [0, 2**29, size // 4 - 1]).all()


def raising(error):
    raise error


def failing(number, error):
    """One process alone fails while the other is waiting for it in a collective."""

    def run(directory):
        if hosts.jax.process_index() == number:
            raise error
        hosts.agree(1)

    return run


def late(directory):
    """One process alone is too large."""
    if hosts.is_writer():
        hosts.meet.__defaults__ = (2.0,)
        agreed_runs(TooLarge(2, "out of memory with 4 runs in a program"), 0)
    hosts.agree(1)


CASES = {
    "sharing": sharing,
    "large": large,
    "bad_input_first": failing(0, ValueError("--flag: got 1,\nexpected 2")),
    "bad_input_second": failing(1, OSError("no file")),
    "fault_first": failing(0, ZeroDivisionError("a fault")),
    "fault_second": failing(1, TypeError("a fault")),
    "interrupted_second": failing(1, KeyboardInterrupt()),
    "bad_input_both": lambda _: raising(ValueError("--flag: got 1,\nexpected 2")),
    "late": late,
    "stopped": lambda _: raising(SweepStopped("SIGTERM: saved")),
}


if __name__ == "__main__":
    port, number, case = sys.argv[1:]

    def run(workdir):
        CASES[case](workdir)
        call = {"runs": 1, "rows": 1, "seconds": 1, "compilations": 0, "compile_seconds": 0}
        call |= {"train_seconds": 0, "measure_seconds": 0}
        return {"runs": 1, "rows": 1, "peak_memory_bytes": 0, "this_call": call}

    sweep._run = run
    flags = [f"--coordinator=localhost:{port}", "--num_processes=2", f"--process_id={number}", "--heartbeat=600"]
    sys.argv = [sys.argv[0], "--config=configs/quickstart.py", f"--workdir={Path('nowhere')}", "--distributed", *flags]
    sweep.launch.run(sweep.main, first=sweep.join_hosts)
