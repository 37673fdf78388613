"""What the app's further pages are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rtlib.pipeline.page_data import PageData
from rtlib.warehouse.ingest import apply_batch
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.query_batches import note_batches
from support.warehouse_rows import NOON, batch, event_row, kpi, progress
from support.warehouse_server import WarehouseServer

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


def test_closed_windows_are_counted_as_late_unmeasured_or_unexplained(
    warehouse: SnowflakeConnection, warehouse_server: WarehouseServer
) -> None:
    now = (datetime.now(UTC) - NOON) // timedelta(minutes=1)
    ago = now - 60
    sites = ("same", "twice", "silent", "unreported")
    offsets = (0, 1, 2, 12)  # the KPI query has reported up to 10
    closed = [
        event_row(60 * ago + number, site=site, kafka_partition=0, kafka_offset=offset)
        for number, (site, offset) in enumerate(zip(sites, offsets, strict=True))
    ]
    apply_batch(warehouse, batch(*closed, event_row(60 * now, site="open"), offsets_to={"0": 13}))
    merge_kpis(warehouse, [kpi("same", ago), kpi("twice", ago, events=2), kpi("unarchived", ago, emitted=1_000)])
    note_batches(warehouse, "curbside", [progress(0, 0, 10, None)])
    quality = PageData(warehouse_server.settings).quality()
    assert (quality.windows, quality.late, quality.not_measured, quality.unexplained) == (3, 0, 1, 1)
