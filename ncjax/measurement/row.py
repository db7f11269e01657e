"""The columns that a measure adds to a run's row of the results table."""

from typing import Any

# Scalars by their names in the table, as `ncjax.results.COLUMNS` lists them.
Row = dict[str, Any]
