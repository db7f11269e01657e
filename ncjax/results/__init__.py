"""The results table: its columns, its rows on disk, and the table as pandas reads it."""

from ncjax.results.columns import COLUMNS, Column, add_column, check_columns, column, find_column
from ncjax.results.rows import FILE_NAME, append_rows, gather_tables, keep_rows, read_rows, read_table

__all__ = [
    "COLUMNS",
    "FILE_NAME",
    "Column",
    "add_column",
    "append_rows",
    "check_columns",
    "column",
    "find_column",
    "gather_tables",
    "keep_rows",
    "read_rows",
    "read_table",
]
