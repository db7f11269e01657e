"""What a command line may say: each flag once, and none of them nothing."""

import sys
from typing import Any

from absl import flags


def once_each(argv: list[str]) -> list[str]:
    """The arguments with each flag once, but for those that may be repeated, as their help says.

    Of a value of the config that is given several times the last counts, whatever its type, and a line says so: scripts
    append such flags to their own. Any other flag must say one thing.

    Args:
        argv: of the command, with its name.

    Returns:
        The same without what a later flag of the config replaces.

    Raises:
        ValueError: if a flag says two things.
    """
    last: dict[str, list[str]] = {}
    kept: list[list[str]] = []
    place = 0
    while place < len(argv):
        given = argv[place : place + _width(argv, place)]
        place += len(given)
        name = _name(given[0])
        earlier = last.get(name)
        if earlier is not None and name.startswith("config."):
            print(f"note: --{name} is given several times, the last counts: {' '.join(given)}", file=sys.stderr)
            # The list itself: an equal one may stand elsewhere.
            kept = [each for each in kept if each is not earlier]
        elif earlier is not None and earlier != given:
            raise ValueError(f"--{name}: got {' '.join(earlier)} and {' '.join(given)}, expected one of them")
        if name and not isinstance(_known(name), flags.MultiFlag):
            last[name] = given
        kept.append(given)
    return [part for given in kept for part in given]


def refuse_empty() -> None:
    """Refuses flags that say nothing: a shell's variable that is not set would name this directory, as a path.

    Raises:
        ValueError: naming the first.
    """
    for name in flags.FLAGS:
        flag = flags.FLAGS[name]
        values = flag.value if isinstance(flag, flags.MultiFlag) else [flag.value]
        if flag.present and "" in (values or ()) and flag.default != "" and not name.startswith("config."):
            raise ValueError(f"--{name}: got nothing (a variable that is not set?), expected a value")


def _name(argument: str) -> str:
    """Of the flag that an argument is, or nothing."""
    if not argument.startswith("-"):
        return ""
    name = argument.lstrip("-").partition("=")[0]
    positive = name.removeprefix("no")
    is_negated = _known(name) is None and (_known(positive) is not None or positive.startswith("config."))
    return positive if is_negated else name


def _width(argv: list[str], place: int) -> int:
    """Of how many arguments a flag consists: two where its value stands behind a blank."""
    name = _name(argv[place])
    has_next = place + 1 < len(argv) and not argv[place + 1].startswith("-")
    if not name or "=" in argv[place] or not has_next:
        return 1
    flag = _known(name)
    takes_value = name.startswith("config.") if flag is None else not flag.boolean
    return 2 if takes_value else 1


def _known(name: str) -> Any:
    # FLAGS.get gives the value, not the flag.
    return flags.FLAGS[name] if name in flags.FLAGS else None  # noqa: SIM401
