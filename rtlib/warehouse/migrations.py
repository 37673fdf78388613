"""Migrations: versioned SQL files, each applied once, in order, and never edited afterwards."""

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
    """A file of SQL; its version is the file's name up to the two underscores."""

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
    """Apply the migrations that have not been applied yet; returns their versions.

    Every statement may run twice (``if not exists``), because a warehouse may stop between a statement and the record
    that it was applied.

    Raises:
        WarehouseError: A statement failed, or an applied migration was edited afterwards.
    """
    execute(connection, "create schema if not exists OPS")
    execute(connection, LEDGER)
    checksums = {
        row["version"]: row["checksum"] for row in query(connection, "select version, checksum from OPS.MIGRATIONS")
    }
    applied = []
    for migration in migrations(folder):
        checksum = checksums.get(migration.version)
        if checksum is None:
            _apply(connection, migration)
            applied.append(migration.version)
        elif checksum != migration.checksum:
            raise WarehouseError(
                f"migration {migration.version} was edited after it was applied",
                cure="undo the edit and add a new migration; or rtlib reset, if the data may go",
            )
    return applied


def columns(table: str, *, folder: Path = FOLDER) -> tuple[str, ...]:
    """The columns of a table (``OPS.ALERTS``) by the migrations, in lower case; none if they do not create it."""
    from sqlglot import exp, parse_one

    names: dict[str, None] = {}
    for migration in migrations(folder):
        for statement in statements(migration.sql + "\n"):
            tree = parse_one(statement, dialect="snowflake")
            target = tree.find(exp.Table)
            if target is not None and target.sql(dialect="snowflake").upper() == table:
                names |= {column.name.lower(): None for column in tree.find_all(exp.ColumnDef)}
    return tuple(names)


def statements(sql: str) -> list[str]:
    """The statements of a migration: comments dropped, split at the semicolons that end lines."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";\n") if statement.strip(" ;\n")]


def _apply(connection: SnowflakeConnection, migration: Migration) -> None:
    for statement in statements(migration.sql + "\n"):
        execute(connection, statement)
    execute(
        connection,
        "insert into OPS.MIGRATIONS select ?, ?, current_timestamp()::timestamp_ntz",
        (migration.version, migration.checksum),
    )
