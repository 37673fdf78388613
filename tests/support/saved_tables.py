"""Rows of the warehouse that many tests begin with: written once, and copied within the warehouse for each test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rtlib.warehouse.connection import execute

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

    from support.warehouse_server import WarehouseServer

TABLES = (
    "RAW.EVENTS", "RAW.REJECTED", "RAW.BATCHES", "RAW.ROLLUPS", "RAW.ROLLED_SEQUENCES", "RAW.RETENTION", "SPEED.KPIS",
    "SPEED.BATCHES", "OPS.RUNS",
)  # fmt: skip


class SavedTables:
    """The rows of the tables that ``warehouse`` empties, as one test wrote them."""

    def __init__(self) -> None:
        self._saved = False

    def fill(self, connection: SnowflakeConnection, write: Callable[[], None]) -> None:
        """Fill the empty tables: the first time by ``write``, later with the rows that it wrote."""
        if self._saved:
            for table in TABLES:
                execute(connection, f"insert into {table} select * from {_copy(table)}")
            return
        write()
        execute(connection, "create schema if not exists SAVED")
        for table in TABLES:
            execute(connection, f"create or replace table {_copy(table)} as select * from {table}")
        self._saved = True

    def drop(self, server: WarehouseServer) -> None:
        """Leave nothing for other tests to find."""
        connection = server.connect()
        for table in TABLES:
            execute(connection, f"drop table if exists {_copy(table)}")
        connection.close()


def _copy(table: str) -> str:
    return f"SAVED.{table.replace('.', '_')}"
