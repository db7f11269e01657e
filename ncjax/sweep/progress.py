"""What a person sees while a sweep runs."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from tqdm import tqdm

FILE_NAME = "sweep.log"

# Seconds between two lines of the log file.
_LOG_SECONDS = 10.0


class Progress:
    """A bar that counts training samples over all runs, on a terminal, and plain lines in a log file.

    Both say how many samples a second, which step of which group, how much time is left, and how many model FLOP/s. A
    context manager.
    """

    def __init__(self, workdir: Path | None, total_samples: int, num_runs: int) -> None:
        """Begins to count.

        Args:
          workdir: that gets ``sweep.log``, or None to show and write nothing.
          total_samples: of the whole sweep.
          num_runs: of the whole sweep.
        """
        self._title = f"{num_runs} runs, {total_samples} samples"
        self._log = None if workdir is None else workdir / FILE_NAME
        self._step_flops = 0.0
        self._last = self._logged = time.monotonic()
        self._bar: tqdm[Any] = tqdm(
            total=total_samples,
            unit=" samples",
            unit_scale=True,
            desc=f"{num_runs} runs",
            dynamic_ncols=True,
            smoothing=0.1,
            # Where the standard error is a file it gets a line now and then, not a frame a second.
            mininterval=0.5 if sys.stderr.isatty() else 10.0,
            disable=workdir is None,
        )

    def __enter__(self) -> "Progress":
        self._write(f"begins: {self._title}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        self._write("ends: finished" if kind is None else f"ends: {kind.__name__}: {error}")

    def begin(self, samples: int, step_flops: float) -> None:
        """Begins a group: counts samples of an earlier call as done, and notes the FLOPs of a step of all its runs."""
        self.skip(samples)
        self._step_flops = step_flops
        self._last = time.monotonic()

    def advance(self, samples: int, place: str, steps: int) -> None:
        """Counts samples just seen, in so many steps; ``place`` says where the sweep is."""
        if self._log is None:
            return
        now = time.monotonic()
        rate = steps * self._step_flops / max(now - self._last, 1e-9)
        self._last = now
        self._bar.set_postfix_str(f"{place}, {_flops(rate)}", refresh=False)
        self._bar.update(samples)
        if now - self._logged > _LOG_SECONDS:
            self._write(self._line())

    def skip(self, samples: int) -> None:
        """Counts what an earlier call did as done, but not towards this call's samples a second."""
        if self._log is not None:
            self._bar.initial += samples
            self._bar.update(samples)

    def say(self, line: str) -> None:
        """Prints a line above the bar, and logs it."""
        if self._log is not None:
            self._bar.write(line, file=sys.stderr)
        self._write(line)

    def _line(self) -> str:
        """The bar in words."""
        state = self._bar.format_dict
        rate = state["rate"] or 0.0
        left = (state["total"] - state["n"]) / rate if rate else float("nan")
        done = 100 * state["n"] / state["total"] if state["total"] else 100.0
        return f"{done:.1f}% of {state['total']} samples, {rate:.0f} samples/s, {left:.0f} s left, {state['postfix']}"

    def _write(self, line: str) -> None:
        self._logged = time.monotonic()
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {line}\n")


def _flops(rate: float) -> str:
    for unit in ("", "k", "M", "G", "T"):
        if rate < 1000:
            return f"{rate:.3g} {unit}FLOP/s"
        rate /= 1000
    return f"{rate:.3g} PFLOP/s"
