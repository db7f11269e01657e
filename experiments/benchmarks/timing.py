"""Wall times of functions that do the same work, taken in turns."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

# A library's threads may go on spinning for a while after its turn, OpenMP's for 0.2 seconds, and take a core from the
# other's.
_REST_SECONDS = 0.3


@dataclass(frozen=True)
class Timing:
    """Wall times of one contestant.

    Attributes:
        median: in seconds.
        low: first quartile, in seconds.
        high: third quartile, in seconds.
        repeats: number of calls.
    """

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, seconds: list[float]) -> "Timing":
        """Summarises wall times in seconds.

        Examples:
            >>> Timing.of([3.0, 1.0, 2.0])
            Timing(median=2.0, low=1.5, high=2.5, repeats=3)
        """
        low, median, high = (float(x) for x in np.quantile(seconds, [0.25, 0.5, 0.75]))
        return cls(median, low, high, len(seconds))


def alternate(
    contestants: Mapping[str, Callable[[], Any]], repeats: int, max_seconds: float = float("inf"), warm_up: int = 1
) -> dict[str, Timing]:
    """Times functions in turns, so that what else the machine does meets all of them alike.

    Examples:
        >>> calls = []
        >>> timings = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=2)
        >>> "".join(calls), timings["a"].repeats
        ('ababba', 2)
    """
    for _ in range(warm_up):
        for call in contestants.values():
            call()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    began = time.perf_counter()
    for number in range(repeats):
        if number >= 2 and time.perf_counter() - began > max_seconds:
            break
        names = list(contestants)
        for name in names if number % 2 == 0 else reversed(names):
            time.sleep(_REST_SECONDS)
            start = time.perf_counter()
            contestants[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: Timing.of(values) for name, values in seconds.items()}


def fastest(contestants: Mapping[str, Callable[[], Any]], repeats: int = 2, warm_up: int = 1) -> str:
    """Name of the quickest of several ways to do the same work, by the least of a few wall times."""
    least: dict[str, float] = {}
    for name, call in contestants.items():
        for _ in range(warm_up):
            call()
        for _ in range(repeats):
            start = time.perf_counter()
            call()
            least[name] = min(least.get(name, float("inf")), time.perf_counter() - start)
    return min(least, key=lambda name: least[name])
