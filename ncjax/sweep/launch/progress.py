"""What a person sees while a sweep runs."""

import contextlib
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tqdm import tqdm

FILE_NAME = "sweep.log"

# Seconds between two lines of the log file.
_LOG_SECONDS = 10.0
# Slices of training of which the rate is told: of some ten seconds.
_SLICES = 10


class Work(NamedTuple):
    """Amounts of what a sweep spends its time on.

    Attributes:
        samples: of training, of all runs.
        measurements: of one run each.
    """

    samples: int
    measurements: int

    def plus(self, other: "Work") -> "Work":
        """Both."""
        return Work(self.samples + other.samples, self.measurements + other.measurements)


class Progress:
    """A bar of the time that a sweep takes, on a terminal, and plain lines in a log file.

    Both say where the sweep is, how many samples a second and model FLOP/s it trains, and how much time is left. Rates
    are those of the last slices: a compilation, or what an earlier call did, counts in none. A context manager.

    Attributes:
        done: so far; what is undone may be taken off.
    """

    def __init__(self, workdir: Path | None, total: Work, num_runs: int) -> None:
        """Begins to count.

        Args:
            workdir: that gets ``sweep.log``, or None to show and write nothing.
            total: of the whole sweep.
            num_runs: of the whole sweep.
        """
        self._title = f"{num_runs} runs, {total.samples} samples, {total.measurements} measurements"
        self._log = None if workdir is None else workdir / FILE_NAME
        self._total, self.done = total, Work(0, 0)
        self._step_flops = 0.0
        self._slices: deque[tuple[int, float, int]] = deque(maxlen=_SLICES)
        self._is_first = True
        self._sample_seconds: float | None = None
        self._measurement_seconds: float | None = None
        self._place = ""
        self._logged = time.monotonic()
        self._bar: tqdm[Any] = tqdm(
            total=1.0,
            desc=f"{num_runs} runs",
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}{postfix}",
            dynamic_ncols=True,
            miniters=0,
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

    def begin(self, done: Work, step_flops: float) -> None:
        """Begins a group: counts what an earlier call did of it, and notes the FLOPs of a step of all its runs."""
        self._slices.clear()
        self._is_first = True
        self._step_flops = step_flops
        self.skip(done)

    @contextlib.contextmanager
    def compiling(self, place: str) -> Iterator[None]:
        """Says, for a ``with`` block, that what is at ``place`` is being compiled, and afterwards how long it took."""
        began = time.monotonic()
        self._place = f"{place}: compiling …"
        self._show(force=True)
        self._write(self._place)
        yield
        self._place = place
        self._write(f"{place}: compiled in {time.monotonic() - began:.0f} s")

    def advance(self, samples: int, place: str, steps: int, seconds: float | None) -> None:
        """Counts samples just seen, in so many steps and seconds; ``place`` says where the sweep is.

        Without seconds, as where some went into compiling, they tell nothing of the rate.
        """
        if seconds is not None:
            self._tell_rate(samples, steps, seconds)
        self._advance(Work(samples, 0), place)

    def _tell_rate(self, samples: int, steps: int, seconds: float) -> None:
        if self._is_first and self._slices:
            # The first slice of a program is short and slow.
            self._slices.clear()
            self._is_first = False
        self._slices.append((samples, seconds, steps))
        self._sample_seconds = sum(each[1] for each in self._slices) / max(sum(each[0] for each in self._slices), 1)

    def measured(self, measurements: int, place: str, seconds: float | None) -> None:
        """Counts measurements just made, in so many seconds."""
        if seconds is not None:
            self._measurement_seconds = seconds / measurements
        self._advance(Work(0, measurements), place)

    def skip(self, done: Work) -> None:
        """Counts what another call did."""
        self.done = self.done.plus(done)
        self._show()

    def say(self, line: str) -> None:
        """Prints a line above the bar, and logs it."""
        if self._log is not None:
            self._bar.write(line, file=sys.stderr)
        self.log(line)

    def log(self, line: str) -> None:
        """Writes a line to the log alone."""
        self._write(line)

    def _advance(self, work: Work, place: str) -> None:
        self.done, self._place = self.done.plus(work), place
        self._show()
        if self._log is not None and time.monotonic() - self._logged > _LOG_SECONDS:
            self._write(f"{self._share():.1%} of the work, {', '.join(self._words())}")

    def _show(self, force: bool = False) -> None:
        if self._log is None:
            return
        self._bar.set_postfix_str(", ".join(self._words()), refresh=False)
        self._bar.update(self._share() - self._bar.n)
        if force:
            self._bar.refresh()

    def _seconds(self, work: Work) -> float | None:
        """How long work takes, as far as it can be told."""
        known = [
            (amount, seconds)
            for amount, seconds in zip(work, (self._sample_seconds, self._measurement_seconds), strict=True)
            if amount
        ]
        if any(seconds is None for _, seconds in known):
            return None
        return float(sum(amount * (seconds or 0.0) for amount, seconds in known))

    def _left(self) -> Work:
        return Work(
            max(self._total.samples - self.done.samples, 0), max(self._total.measurements - self.done.measurements, 0)
        )

    def _share(self) -> float:
        """Done, of the time that all takes; of the samples alone as long as times are not known."""
        left, done = self._seconds(self._left()), self._seconds(self.done)
        if left is not None and done is not None and left + done > 0:
            return done / (left + done)
        return self.done.samples / self._total.samples if self._total.samples else 1.0

    def _words(self) -> list[str]:
        words = [self._place] if self._place else []
        if self._sample_seconds and self._slices:
            steps, seconds = (sum(each[place] for each in self._slices) for place in (2, 1))
            rate = steps * self._step_flops / max(seconds, 1e-9)
            words += [f"{1 / self._sample_seconds:.0f} samples/s", _flops(rate)]
        left = self._seconds(self._left())
        return [*words, f"{tqdm.format_interval(left)} left"] if left is not None else words

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
