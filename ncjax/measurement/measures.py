"""Measures of others, which a sweep takes of every split at every checkpoint beside its own."""

from collections.abc import Callable
from typing import Literal

from jaxtyping import Array

from ncjax.results import Column, add_column

Measure = Callable[[Array, Array, int], Array]

MEASURES: dict[str, Measure] = {}
"""Functions of embeddings [n, d], labels [n] and the number of classes that return a scalar, by name."""


def add_measure(
    name: str,
    function: Measure,
    definition: str,
    unit: str = "1",
    collapse: Literal["falls", "rises", ""] = "",
) -> None:
    """Registers a measure; a module that `config.plugins` names calls this.

    Args:
        name: of its columns, after the split: `train/NAME`, `test/NAME`, `target/NAME`.
        function: of embeddings [n, d], labels [n] and the number of classes; pure, of JAX operations; a scalar.
        definition: one line for readers of the table.
        unit: of the values.
        collapse: whether it falls or rises as features collapse.

    Raises:
        ValueError: if the table has such a column already, and not from here.

    Examples:
        >>> add_measure("largest_feature", lambda features, labels, num_classes: abs(features).max(), "largest entry")
        >>> sorted(MEASURES)
        ['largest_feature']
        >>> del MEASURES["largest_feature"]
    """
    add_column(Column(f"<split>/{name}", name.replace("_", " "), unit, definition, collapse, option="plugins"))
    MEASURES[name] = function
