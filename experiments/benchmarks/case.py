"""What a suite is given and what it yields: options, cases with their targets, rows."""

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.benchmarks.timing import Timing

OURS = "ncjax"


@dataclass(frozen=True)
class Options:
    """How to run the suites: the flags of the command, and what else they need to know.

    Attributes:
        compile_peer: whether torch's compiler is among the peers; it takes a minute a network.
        ceiling_flops: of a large matrix product, a second; suites compare their own rates with it.
    """

    quick: bool = False
    repeats: int = 5
    max_seconds: float = 120.0
    precision: str = "float32"
    figures: Path | None = None
    compile_peer: bool = True
    only: str = ""
    ceiling_flops: float = math.nan

    def wants(self, title: str) -> bool:
        """Whether a case of this title is to be run."""
        return self.only.lower() in title.lower()


@dataclass(frozen=True)
class Target:
    """A number that was aimed at: the value is to be at least, or at most, the aim."""

    name: str
    value: float
    aim: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether the number was reached; one that is not a number was not."""
        return self.value >= self.aim if self.at_least else self.value <= self.aim


@dataclass(frozen=True)
class Case:
    """One piece of work, timed.

    Attributes:
        timings: of each contestant; ours is called ncjax, the others are peers.
        flops: of the work once, or 0 where bytes say more.
        bytes: moved by the work at the least, or 0.
        items: units of work in one call, such as images, and their name.
        notes: what a reader should know, such as how far the values agree.
        values: further numbers, for the JSON alone.
    """

    suite: str
    title: str
    timings: dict[str, Timing] = field(default_factory=dict)
    flops: float = 0.0
    bytes: float = 0.0
    items: tuple[float, str] = (0.0, "")
    targets: tuple[Target, ...] = ()
    notes: tuple[str, ...] = ()
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def best_peer(self) -> str | None:
        """The fastest contestant that is not ours; None if there is no other."""
        peers = [name for name in self.timings if not name.startswith(OURS)]
        return min(peers, key=lambda name: self.timings[name].median) if peers and OURS in self.timings else None

    @property
    def ratio(self) -> float:
        """Speed of ours over that of the best peer: above 1 ours is faster; not a number without a peer."""
        peer = self.best_peer
        return math.nan if peer is None else self.timings[peer].median / self.timings[OURS].median

    def aiming(self, *targets: Target, ratio: float | None = None) -> "Case":
        """The same case with targets; `ratio` is the aim for the speed over the best peer's, left out without one."""
        known = list(targets)
        if ratio is not None and self.best_peer is not None:
            known.insert(0, Target("ratio to the best peer", self.ratio, ratio))
        return dataclasses.replace(self, targets=self.targets + tuple(known))


@dataclass(frozen=True)
class Row:
    """One line of the accelerator's table: a number that was measured, or a note of what went wrong.

    Examples:
        >>> print(Row("train", "ConvNet-4", 1234.5, "images/s", "tf32"))
        train       ConvNet-4: 1.23e+03 images/s (tf32)
    """

    stage: str
    what: str
    value: float = math.nan
    unit: str = ""
    note: str = ""

    @classmethod
    def failed(cls, stage: str, what: str, error: BaseException) -> "Row":
        """A row that says why there is no number."""
        return cls(stage, what, note=" ".join(f"failed: {type(error).__name__}: {error}".split())[:300])

    def __str__(self) -> str:
        number = "" if math.isnan(self.value) else f": {self.value:.3g} {self.unit}".rstrip()
        return f"{self.stage:<11} {self.what}{number}" + (f" ({self.note})" if self.note else "")
