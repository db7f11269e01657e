"""What a suite is given and what it yields: options, cases, targets."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.benchmarks.timing import Timing

OURS = "ncjax"


@dataclass(frozen=True)
class Options:
    """How to run the suites.

    Attributes:
        quick: tiny sizes, to see that everything works; the numbers mean nothing.
        repeats: timed rounds of a case.
        max_seconds: for the rounds of one case.
        precision: of matrix products in all libraries: float32, tf32 or bfloat16.
        figures: directory for figures, or None.
        compile_peer: whether torch's compiler is among the peers; it takes a minute a network.
        only: part of the title that a case must have to be run.
    """

    quick: bool = False
    repeats: int = 5
    max_seconds: float = 120.0
    precision: str = "float32"
    figures: Path | None = None
    compile_peer: bool = True
    only: str = ""

    def wants(self, title: str) -> bool:
        """Whether a case of this title is to be run."""
        return self.only.lower() in title.lower()


@dataclass(frozen=True)
class Target:
    """A number that was aimed at.

    Attributes:
        name: what is compared.
        value: as measured.
        aim: the number to reach.
        at_least: whether the value must be at least or at most that number.
    """

    name: str
    value: float
    aim: float
    at_least: bool = True

    @property
    def met(self) -> bool:
        """Whether the number was reached; one that is not a number was not."""
        return self.value >= self.aim if self.at_least else self.value <= self.aim

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        return f"{self.name} {self.value:.3g} (target {sign} {self.aim:g}: {'met' if self.met else 'missed'})"


@dataclass(frozen=True)
class Case:
    """One piece of work, timed.

    Attributes:
        suite: name of the suite.
        title: of the work.
        timings: of each contestant; ours is called ncjax, the others are peers.
        flops: of the work once, or 0 where bytes say more.
        bytes: moved by the work at the least, or 0.
        items: units of work in one call, such as images, and their name.
        targets: numbers aimed at.
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
        return float("nan") if peer is None else self.timings[peer].median / self.timings[OURS].median

    def aiming(self, *targets: Target, ratio: float | None = None) -> "Case":
        """The same case with targets; `ratio` is the aim for the speed over the best peer's, left out without one."""
        known = list(targets)
        if ratio is not None and self.best_peer is not None:
            known.insert(0, Target("ratio to the best peer", self.ratio, ratio))
        return dataclasses.replace(self, targets=self.targets + tuple(known))
