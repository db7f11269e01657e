"""What the text of a compiled program says: messages between devices, and bytes that a training step moves."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Place = Literal["training", "measuring", "outside"]

KINDS = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
_BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "f64": 8, "s64": 8, "u64": 8, "c64": 8}
# Of the instructions in a computation these move nothing.
_FREE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "while", "conditional", "call")
_ARRAY = re.compile(r"([a-z]+[0-9]*(?:e[0-9]m[0-9]\w*)?)\[([0-9,]*)\](\{[^}]*\})?")
_CALLED = re.compile(
    r"(?:body|calls|to_apply|branch_computations|true_computation|false_computation)=\{?([^,}]*(?:, %[^,}]*)*)"
)


class Instruction(NamedTuple):
    """A line of a program's text."""

    name: str
    shape: str
    kind: str
    rest: str


@dataclass(frozen=True)
class Collective:
    """A message of devices to each other.

    Attributes:
        place: in which part of the program: each step of ``training``, each ``measuring``, or ``outside``, once a call.
        kind: of message, as XLA calls it.
        bytes: of its result on one device.
        source: the operation of JAX that it came from.
    """

    place: Place
    kind: str
    bytes: int
    source: str


def collectives(text: str, over_runs: bool = False) -> list[Collective]:
    """The messages in a program that trains in a loop and measures in a branch.

    Args:
        text: ``compiled.as_text()``.
        over_runs: whether the runs of a device take turns, in a loop around both.

    Returns:
        Each message once, whatever copies of its instruction the compiler made.

    Examples:
        >>> text = '''
        ... ENTRY %main (x: f32[8]) -> f32[8] {
        ...   %x = f32[8]{0} parameter(0)
        ...   ROOT %sum = f32[8]{0} all-reduce(%x), channel_id=1, to_apply=%add
        ... }
        ... '''
        >>> collectives(text)
        [Collective(place='outside', kind='all-reduce', bytes=32, source='')]
    """
    found: dict[tuple[str, str], Collective] = {}
    for place, instruction in _visits(text, over_runs):
        kind = instruction.kind.removesuffix("-start")
        if kind in KINDS:
            channel = re.search(r"channel_id=(\d+)", instruction.rest)
            source = re.search(r'op_name="([^"]*)"', instruction.rest)
            size = array_bytes(instruction.shape)
            if instruction.kind.endswith("-start"):
                # Its result names the operand too.
                size //= 2
            one = Collective(place, kind, size, source[1] if source else "")
            found.setdefault((place, channel[1] if channel else instruction.name), one)
    return sorted(found.values(), key=lambda each: (each.place, each.kind, -each.bytes))


class StepTraffic(NamedTuple):
    """What a device does in a training step, besides its operations.

    Attributes:
        instructions: that it runs, each a kernel or a copy.
        bytes: between it and its memory, by the sizes of what the instructions read and write; what the compiler keeps
            on the chip does not count.
    """

    instructions: int
    bytes: int


def step_traffic(text: str, over_runs: bool = False) -> StepTraffic:
    """Instructions and bytes of a training step.

    Args:
        text: ``compiled.as_text()``.
        over_runs: as for `collectives`.

    Returns:
        Their numbers; those of a loop inside of the step count once.
    """
    moved = [size for place, size in _moved(text, over_runs) if place == "training"]
    return StepTraffic(len(moved), sum(moved))


def array_bytes(shape: str, off_chip: bool = False) -> int:
    """Bytes of an array, or of a tuple of them.

    Args:
        shape: as XLA writes it, with the layout or without.
        off_chip: leave out what lies in a memory on the chip.

    Returns:
        The sum of their sizes, tiles not filled up.

    Examples:
        >>> array_bytes("(f32[4,16]{1,0:T(4,128)S(1)}, u8[3]{0})"), array_bytes("bf16[]")
        (259, 2)
        >>> array_bytes("(f32[4,16]{1,0:T(4,128)S(1)}, u8[3]{0})", off_chip=True)
        3
    """
    total = 0
    for kind, sizes, layout in _ARRAY.findall(shape):
        if off_chip and "S(" in layout:
            continue
        size = _BYTES.get(kind, 1 if kind.startswith(("f8", "token")) else 4)
        for part in filter(None, sizes.split(",")):
            size *= int(part)
        total += size
    return total


def _visits(text: str, over_runs: bool) -> Iterator[tuple[Place, Instruction]]:
    """Every instruction that runs, with the part of the program in which it does."""
    for place, computation, _ in _computations(text, over_runs):
        for instruction in computation:
            yield place, instruction


def _moved(text: str, over_runs: bool) -> Iterator[tuple[Place, int]]:
    for place, computation, fused in _computations(text, over_runs):
        if fused:
            continue
        sizes = {each.name: array_bytes(each.shape, off_chip=True) for each in computation}
        for each in computation:
            if each.kind not in _FREE and not each.kind.endswith("-done"):
                operands = re.findall(r"%([\w.-]+)", each.rest.partition(")")[0])
                yield place, sizes[each.name] + sum(sizes.get(operand, 0) for operand in operands)


def _computations(text: str, over_runs: bool) -> Iterator[tuple[Place, list[Instruction], bool]]:
    """Each computation that runs, once for each part of the program, and whether it is inside of an instruction."""
    computations, entry = _parsed(text)
    seen: set[tuple[str, tuple[str, ...]]] = set()
    waiting: list[tuple[str, tuple[str, ...], bool]] = [(entry, (), False)]
    while waiting:
        name, path, fused = waiting.pop()
        # The first loop or branch on the way tells; those inside of it do not.
        path = path[: 2 if over_runs else 1]
        if (name, path) in seen or name not in computations:
            continue
        seen.add((name, path))
        yield _place(path[1:] if over_runs else path), computations[name], fused
        for each in computations[name]:
            step = (each.kind,) if each.kind in ("while", "conditional") else ()
            for called in _CALLED.findall(each.rest):
                waiting += [
                    (other.strip().lstrip("%"), path + step, fused or each.kind not in ("while", "conditional", "call"))
                    for other in called.split(",")
                ]


def _place(path: tuple[str, ...]) -> Place:
    if not path:
        return "outside"
    return "training" if path[0] == "while" else "measuring"


def _parsed(text: str) -> tuple[dict[str, list[Instruction]], str]:
    """The instructions of each computation, and the name of the one that runs first."""
    computations: dict[str, list[Instruction]] = {}
    entry, current = "", None
    for line in text.splitlines():
        if line.endswith("{") and not line.startswith((" ", "HloModule")):
            head = line.removeprefix("ENTRY ").lstrip("%")
            name = re.split(r"[\s(]", head, maxsplit=1)[0]
            entry = name if line.startswith("ENTRY") else entry
            current = computations.setdefault(name, [])
        elif current is not None and " = " in line:
            current.append(_instruction(line))
    return computations, entry


def _instruction(line: str) -> Instruction:
    name, _, rest = line.strip().removeprefix("ROOT ").partition(" = ")
    depths = itertools.accumulate((letter in "({") - (letter in ")}") for letter in rest)
    end = next((at for at, depth in enumerate(depths) if rest[at] == " " and not depth), len(rest))
    kind, _, arguments = rest[end + 1 :].partition("(")
    return Instruction(name.lstrip("%"), rest[:end], kind, arguments)
