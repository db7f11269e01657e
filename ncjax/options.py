"""One definition per option: a dataclass field that holds default, range, meaning, and whether a sweep may vary it."""

import dataclasses
import difflib
import functools
import math
import numbers
from collections.abc import Callable, Iterable
from typing import Any

Bound = float | int | None

_NUMBERS = {int: (numbers.Integral, "a whole number"), float: (numbers.Real, "a number")}
_OTHERS = {bool: "True or False", str: "text", tuple: "a tuple"}


@dataclasses.dataclass(frozen=True)
class Option:
    """What there is to know of an option; kept in the metadata of its field.

    Attributes:
        doc: what it is, in a line or two.
        default: in a config.
        kind: of its values: float, int, bool, str or tuple.
        expected: what values are right, in words.
        allows: whether a value of that kind is right.
        zero: what 0 means, where it is special.
        key: of a config, dotted; empty for the field's name in the section of its dataclass.
        axis: name under which a sweep varies it; empty if none does.
        traced: whether runs that differ in it share a compiled program.
        left_out_at_zero: whether 0 has a program of its own, which does not compute it.
        used_by: optimizers that have a use for it; empty for all.
    """

    doc: str
    default: Any
    kind: type
    expected: str
    allows: Callable[[Any], bool]
    zero: str = ""
    key: str = ""
    axis: str = ""
    traced: bool = False
    left_out_at_zero: bool = False
    used_by: tuple[str, ...] = ()

    def checked(self, name: str, value: Any) -> Any:
        """A value in the option's kind: whole numbers become floats where the option is a float.

        Args:
            name: by which an error calls the option.
            value: to check.

        Raises:
            ValueError: one line with the name, the value and what would be right.
        """
        abstract = _NUMBERS[self.kind][0] if self.kind in _NUMBERS else self.kind
        # To Python, True and False are whole numbers.
        fits = isinstance(value, abstract) and isinstance(value, bool) == (self.kind is bool)
        if not fits or (self.kind in _NUMBERS and not math.isfinite(value)) or not self.allows(value):
            raise ValueError(f"{name}: got {value!r}, expected {self.expected}")
        return self.kind(value)


def option(
    default: Any,
    doc: str,
    *,
    config: Any = dataclasses.MISSING,
    choices: Iterable[str] = (),
    above: Bound = None,
    at_least: Bound = None,
    below: Bound = None,
    at_most: Bound = None,
    allows: Callable[[Any], bool] | None = None,
    expected: str = "",
    zero: str = "",
    key: str = "",
    axis: bool | str = False,
    traced: bool = False,
    left_out_at_zero: bool = False,
    used_by: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that defines an option.

    Args:
        default: of the field; a function is called for it.
        doc: what the option is.
        config: default in a config, if it is another one; its type is that of the values.
        choices: that there are.
        above: a bound, itself not allowed.
        at_least: a bound, itself allowed.
        below: a bound, itself not allowed.
        at_most: a bound, itself allowed.
        allows: whether a value is right, where bounds do not say it.
        expected: what is right in words, where bounds do not say it.
        zero: what 0 means.
        key: of a config, dotted; by default the field's name in the section of the dataclass.
        axis: whether a sweep may vary it; a name if the axis has another one than the field.
        traced: whether runs that differ in it share a compiled program.
        left_out_at_zero: whether 0 has a program of its own, which does not compute it.
        used_by: optimizers that have a use for it; by default all.

    Returns:
        What ``dataclasses.field`` does.

    Examples:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Training:
        ...     epochs: float = option(30.0, "passes over the train split", above=0)
        >>> check(Training(epochs=-1.0))
        Traceback (most recent call last):
        ValueError: epochs: got -1.0, expected a number above 0
    """
    shown = default if config is dataclasses.MISSING else config
    kind, names = type(shown), tuple(choices)

    def right(value: Any) -> bool:
        return (
            (not names or value in names)
            and (above is None or value > above)
            and (at_least is None or value >= at_least)
            and (below is None or value < below)
            and (at_most is None or value <= at_most)
            and (allows is None or allows(value))
        )

    words = expected or (f"one of {', '.join(names)}" if names else _in_words(kind, above, at_least, below, at_most))
    about = Option(
        doc=doc,
        default=shown,
        kind=kind,
        expected=f"{words} (0: {zero})" if zero else words,
        allows=right,
        zero=zero,
        key=key,
        axis=axis if isinstance(axis, str) else "*" if axis else "",
        traced=traced,
        left_out_at_zero=left_out_at_zero,
        used_by=used_by,
    )
    if callable(default):
        return dataclasses.field(default_factory=default, metadata={"option": about})
    return dataclasses.field(default=default, metadata={"option": about})


# A hyper-parameter that is traced, so that runs which differ in it share a program.
swept = functools.partial(option, axis=True, traced=True)


def _in_words(
    kind: type,
    above: Bound,
    at_least: Bound,
    below: Bound,
    at_most: Bound,
) -> str:
    if kind not in _NUMBERS:
        return _OTHERS[kind]
    noun = _NUMBERS[kind][1]
    lower = f"above {above}" if above is not None else f"from {at_least}" if at_least is not None else ""
    if below is not None:
        return f"{noun} {lower}, below {below}"
    if at_most is not None:
        return f"{noun} {lower} to {at_most}"
    return f"{noun} of at least {at_least}" if at_least is not None else f"{noun} {lower}".strip()


@functools.cache
def options_of(kind: Any, section: str = "") -> dict[str, Option]:
    """The options among the fields of a dataclass.

    Args:
        kind: the dataclass.
        section: of a config in which they stand, where they do not name their keys themselves.

    Returns:
        Options by the names of their fields, with keys and axes filled in.

    Examples:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Training:
        ...     l2: float = option(0.0, "strength", at_least=0, axis=True)
        >>> options_of(Training, "train")["l2"].key
        'train.l2'
    """
    found = {}
    for field in dataclasses.fields(kind):
        if about := field.metadata.get("option"):
            key = about.key or f"{section}.{field.name}".lstrip(".")
            axis = field.name if about.axis == "*" else about.axis
            found[field.name] = dataclasses.replace(about, key=key, axis=axis)
    return found


def axis_values(holder: Any) -> dict[str, Any]:
    """What a dataclass's instance holds of the axes of sweeps.

    Args:
        holder: whose fields are options.

    Returns:
        Values by the names of axes.
    """
    kind: Any = type(holder)
    return {about.axis: getattr(holder, name) for name, about in options_of(kind).items() if about.axis}


def check(holder: Any) -> None:
    """Checks the options of a dataclass's instance.

    Args:
        holder: whose fields are options.

    Raises:
        ValueError: for the first that is wrong; one line with its name, its value and what would be right.
    """
    kind: Any = type(holder)
    for name, about in options_of(kind).items():
        about.checked(name, getattr(holder, name))


def known(key: str, names: Iterable[str], choices: Iterable[str]) -> None:
    """Makes sure that names are among choices.

    Args:
        key: under which the names stand, for the error.
        names: to look up.
        choices: that there are.

    Raises:
        ValueError: naming the first that is not, and the nearest that is.

    Examples:
        >>> known("config.sweep.points", ["lr"], ["l2", "seed"])
        Traceback (most recent call last):
        ValueError: config.sweep.points: got 'lr', expected one of l2, seed
    """
    choices = tuple(choices)
    for name in names:
        if name not in choices:
            nearest = difflib.get_close_matches(str(name), choices, n=1)
            suggestion = f" (did you mean {nearest[0]!r}?)" if nearest else ""
            raise ValueError(f"{key}: got {name!r}, expected one of {', '.join(choices)}{suggestion}")


def whole_numbers(least: Any, values: tuple[Any, ...]) -> bool:
    """Whether all values of a tuple are whole numbers of at least some value.

    Examples:
        >>> whole_numbers(1, (1, 5)), whole_numbers(1, (0,)), whole_numbers(1, (2.0,)), whole_numbers(1, (True,))
        (True, False, False, False)
    """
    return all(isinstance(each, numbers.Integral) and not isinstance(each, bool) and each >= least for each in values)
