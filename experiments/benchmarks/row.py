"""One line of the accelerator's table."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """A number that was measured, or what went wrong.

    Attributes:
        stage: where it belongs.
        what: was measured.
        value: the number; not a number where there is none.
        unit: of the number.
        note: what a reader should know.

    Examples:
        >>> print(Row("train", "ConvNet-4", 1234.5, "images/s", "tf32"))
        train       ConvNet-4: 1.23e+03 images/s (tf32)
    """

    stage: str
    what: str
    value: float = math.nan
    unit: str = ""
    note: str = ""

    def __str__(self) -> str:
        number = "" if math.isnan(self.value) else f": {self.value:.3g} {self.unit}".rstrip()
        return f"{self.stage:<11} {self.what}{number}" + (f" ({self.note})" if self.note else "")

    def to_json(self) -> dict[str, Any]:
        """The fields, a number that is not finite as null."""
        return dataclasses.asdict(self) | {"value": self.value if math.isfinite(self.value) else None}
