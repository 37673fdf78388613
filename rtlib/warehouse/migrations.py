"""Schema: versioned SQL files, each applied once, in order, and never edited afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib.errors import WarehouseError
from rtlib.warehouse.connection import execute, query

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

FOLDER = Path(__file__).with_name("sql")
LEDGER = """
create table if not exists OPS.MIGRATIONS (
    version varchar not null, checksum varchar not null, applied_at timestamp_ntz not null
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of SQL; its version is the file's name before the two underscores."""

    version: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations(folder: Path = FOLDER) -> Iterator[Migration]:
    """All migrations, in the order of their versions."""
    for path in sorted(folder.glob("V*__*.sql")):
        yield Migration(path.name.partition("__")[0], path.read_text(encoding="utf-8"))


def migrate(connection: SnowflakeConnection, *, folder: Path = FOLDER) -> list[str]:
    """Apply what has not been applied yet; return those versions.

    Every statement is written so that it may run twice (``if not exists``), because a warehouse may stop between a
    statement and the note that it was applied.

    Raises:
        WarehouseError: A statement failed, or a migration that was applied before has been edited since.
    """
    execute(connection, "create schema if not exists OPS")
    execute(connection, LEDGER)
    known = {
        row["version"]: row["checksum"] for row in query(connection, "select version, checksum from OPS.MIGRATIONS")
    }
    applied = []
    for migration in migrations(folder):
        before = known.get(migration.version)
        if before is None:
            _apply(connection, migration)
            applied.append(migration.version)
        elif before != migration.checksum:
            raise WarehouseError(
                f"migration {migration.version} was edited after it was applied",
                cure="undo the edit and add a new migration; or rtlib reset, when the data may go",
            )
    return applied


def columns(table: str, *, folder: Path = FOLDER) -> tuple[str, ...]:
    """The columns that the migrations give a table (``OPS.ALERTS``), in lower case; none for one they do not make."""
    from sqlglot import exp, parse_one

    found: dict[str, None] = {}
    for migration in migrations(folder):
        for statement in statements(migration.sql + "\n"):
            tree = parse_one(statement, dialect="snowflake")
            target = tree.find(exp.Table)
            if target is not None and target.sql(dialect="snowflake").upper() == table:
                found |= {one.name.lower(): None for one in tree.find_all(exp.ColumnDef)}
    return tuple(found)


def statements(sql: str) -> list[str]:
    """The statements of a migration: comments dropped, split at the semicolons that end lines."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    return [one.strip() for one in "\n".join(lines).split(";\n") if one.strip(" ;\n")]


def _apply(connection: SnowflakeConnection, migration: Migration) -> None:
    for statement in statements(migration.sql + "\n"):
        execute(connection, statement)
    execute(
        connection,
        "insert into OPS.MIGRATIONS select ?, ?, current_timestamp()::timestamp_ntz",
        (migration.version, migration.checksum),
    )
