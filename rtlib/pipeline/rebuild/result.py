"""Result: what a rebuild of the warehouse brought back, and what it did not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of a table: in the old file (None if unreadable), copied from it, and in the new file."""

    table: str
    before: int | None
    carried: int
    after: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The result of a rebuild.

    Attributes:
        kept: The folder of the old files.
        tables: The tables and their rows.
        gone: What is lost, in words.
        seconds: The duration.
    """

    kept: str
    tables: tuple[TableRows, ...]
    gone: tuple[str, ...]
    seconds: float
