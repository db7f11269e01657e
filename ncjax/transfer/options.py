"""Checks of numbers that heads and probes are given."""

import math
import numbers
from typing import Any


def is_positive(value: Any) -> bool:
    """Whether a value is a positive, finite number of Python or NumPy.

    Args:
        value: anything.

    Returns:
        True or False.

    Examples:
        >>> is_positive(0.5), is_positive(0), is_positive("0.5"), is_positive(float("inf"))
        (True, False, False, False)
    """
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 < float(value) < math.inf
