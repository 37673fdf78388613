"""How far the archive is, as a benchmark reads it from the warehouse."""

from __future__ import annotations

import time

from snowflake.connector import SnowflakeConnection

from rtlib.bench.lag import archived
from rtlib.warehouse.ingest import apply_batch
from support.warehouse_rows import batch, event_row
from support.warehouse_server import WarehouseServer


def test_the_progress_of_the_archive_is_read_from_the_ledger(
    warehouse: SnowflakeConnection, warehouse_server: WarehouseServer
) -> None:
    began = time.time()
    apply_batch(warehouse, batch(event_row(0), offsets_from={"0": 0}, offsets_to={"0": 5, "1": 7}))
    apply_batch(warehouse, batch(event_row(1), number=1, offsets_from={"0": 5}, offsets_to={"0": 9, "1": 7}))
    points = archived(warehouse_server.settings)
    assert [records for _, records in points] == [12, 16]
    assert all(began - 1 <= moment <= time.time() + 1 for moment, _ in points)
