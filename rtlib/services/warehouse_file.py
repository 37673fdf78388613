"""Warehouse file: opens the local warehouse's DuckDB file and detects damage.

DuckDB reads a page only when a query needs it, so a truncated or overwritten file can answer ``select 1`` for weeks.
After an unclean stop every table is read once, so that DuckDB verifies the checksum of each page. With a damaged file
the process keeps running and refuses every sign-in with the name of the table and the cure; if it ended, the supervisor
would restart it endlessly.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib import private
from rtlib.errors import WarehouseDamaged

if TYPE_CHECKING:
    import duckdb

LOG = logging.getLogger(__name__)
LOG.setLevel(logging.INFO)
CLEAN = "clean"  # a marker file, written at a clean stop


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A table that cannot be read completely, and DuckDB's reason."""

    table: str
    reason: str


def unreadable_tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[Unreadable]:
    """Read every column of every table once; the memory needed does not depend on the size of a table.

    Args:
        connection: Has the database attached; its limits of memory and threads apply.
        database: The name of the attached database.
    """
    import duckdb

    unreadable = []
    for schema, table, _ in tables(connection, database):
        try:
            # The hash makes DuckDB read each column; a plain count would use the table's statistics only.
            connection.execute(f'select bit_xor(hash(t)) from {database}."{schema}"."{table}" t').fetchone()
        except duckdb.Error as error:
            if WarehouseDamaged.is_meant_by(str(error)):
                unreadable.append(Unreadable(f"{schema}.{table}", _first_line(error)))
            else:
                LOG.warning("%s.%s could not be checked: %s", schema, table, _first_line(error))
    return unreadable


def tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[tuple[str, str, int]]:
    """Schema, name and number of rows of each table, from the catalog; reads no page of a table."""
    sql = (
        "select schema_name, table_name, estimated_size from duckdb_tables() "
        "where database_name = ? and not starts_with(schema_name, '_fs_') order by all"
    )
    return connection.execute(sql, [database]).fetchall()


class FileWatch:
    """Opens and closes the warehouse's file, and detects damage at the start and in queries.

    Args:
        data: The folder of the file.
        database: The file's name without ``.db``.

    Attributes:
        damage: What is damaged, with the reason; empty while nothing is.
    """

    def __init__(self, data: Path, database: str) -> None:
        self._data, self._database = data, database
        self._lock = threading.Lock()
        self._instance: Any = None
        self.damage = ""

    def open(self, open_instance: Callable[[], Any]) -> Any:
        """The result of ``open_instance`` (a FakeSnow); None when the file is damaged.

        Raises:
            duckdb.Error: The file cannot be opened for another reason, for example because another process uses it.
        """
        import duckdb

        private.make_folder(self._data)
        clean = not (self._data / f"{self._database}.db").exists() or (self._data / CLEAN).exists()
        (self._data / CLEAN).unlink(missing_ok=True)
        private.sync_folder(self._data)  # after a power cut the marker must not reappear
        try:
            self._instance = open_instance()
        except duckdb.Error as error:
            if not WarehouseDamaged.is_meant_by(str(error)):
                raise
            self._refuse(f"{self._database}.db", _first_line(error))
            return None
        if not clean:
            LOG.info("the last stop was not clean; reading every table once")
            self._read_all()
        if self.damage:
            self._close()
        return self._instance

    def close(self) -> None:
        """Write everything to the file and close it, so that the next start need not read the tables."""
        if self._instance is None:
            return
        if not self.damage:
            self._instance.duck_conn.execute(f"CHECKPOINT {self._database}")
        damaged = self.damage
        self._close()
        if not damaged:
            private.write(self._data / CLEAN, "")

    def detecting_damage(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the cursor's ``execute``: after an error from a damaged page, read every table to locate the damage."""

        def execute_and_detect(*args: Any, **kwargs: Any) -> Any:
            try:
                return execute(*args, **kwargs)
            except Exception as error:
                if WarehouseDamaged.is_meant_by(str(error)):
                    self._read_all()
                raise

        return execute_and_detect

    def _read_all(self) -> None:
        with self._lock:
            if self.damage:
                return
            began = time.monotonic()
            unreadable = unreadable_tables(self._instance.duck_conn.cursor(), self._database)
            seconds = time.monotonic() - began
            if unreadable:
                names = ", ".join(table.table for table in unreadable)
                self._refuse(f"{names} in {self._database}.db", unreadable[0].reason)
            else:
                LOG.info("every table of %s.db is readable; reading them took %.2f s", self._database, seconds)

    def _refuse(self, what: str, reason: str) -> None:
        self.damage = f"the warehouse's file is damaged: {what} cannot be read ({reason})"
        LOG.error("%s; refusing every sign-in; cure: %s", self.damage, WarehouseDamaged.CURE)

    def _close(self) -> None:
        """Close the file; a damaged file is left unchanged, so that its readable part can be salvaged."""
        instance, self._instance = self._instance, None
        if self.damage:
            import duckdb

            with suppress(duckdb.Error):  # the configuration may be locked
                instance.duck_conn.execute("PRAGMA disable_checkpoint_on_shutdown")
        instance.duck_conn.close()


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
