"""Rows for tests of the warehouse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from rtlib.records import Kpi, QueryProgress
from rtlib.warehouse.ingest import Batch
from rtlib.warehouse.staging import EVENT_COLUMNS, REJECTED_COLUMNS

TOPIC = "rtlib.curbside.events"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def event_row(number: int, **more: Any) -> dict[str, Any]:
    """An event a second from noon on, each received half a second later."""
    moment = pd.Timestamp(NOON + timedelta(seconds=number))
    return {
        "event_id": f"event-{number}",
        "domain": "curbside",
        "site": f"site-{number % 2}",
        "kind": "order",
        "occurred_at": moment,
        "producer_id": "producer-1",
        "sequence": number,
        "value": number / 10,
        "unit": "USD",
        "attributes": '{"items": 3}',
        "topic": TOPIC,
        "kafka_partition": number % 2,
        "kafka_offset": number // 2,
        "received_at": moment + pd.Timedelta(milliseconds=500),
        **more,
    }


def rejected_row(offset: int, **more: Any) -> dict[str, Any]:
    """A record that fits no schema."""
    moment = pd.Timestamp(NOON)
    return {
        "payload": b"\x00\xff{",
        "reason": "is not JSON",
        "field": "",
        "topic": TOPIC,
        "kafka_partition": 0,
        "kafka_offset": offset,
        "received_at": moment,
        **more,
    }


def batch(*rows: dict[str, Any], number: int = 0, rejected: tuple[dict[str, Any], ...] = (), **more: Any) -> Batch:
    """A batch of the archive query."""
    given = {
        "query": "archive",
        "domain": "curbside",
        "offsets_from": {"0": 0},
        "offsets_to": {"0": number + 1},
        **more,
    }
    return Batch(
        batch_id=number,
        events=pd.DataFrame(list(rows), columns=list(EVENT_COLUMNS)),
        rejected=pd.DataFrame(list(rejected), columns=list(REJECTED_COLUMNS)),
        **given,
    )


def kpi(site: str = "site-0", minute: int = 0, *, events: int = 1, emitted: float = 0, **more: Any) -> Kpi:
    """A KPI of one minute from noon on, emitted the given number of seconds after noon."""
    start = NOON + timedelta(minutes=minute)
    given: dict[str, Any] = {"measures": {"orders": float(events)}, "domain": "curbside", "late": 0, **more}
    return Kpi(
        site=site,
        window_start=start,
        window_end=start + timedelta(minutes=1),
        events=events,
        first_event_at=start,
        last_event_at=start + timedelta(seconds=30),
        emitted_at=NOON + timedelta(seconds=emitted),
        **given,
    )


def progress(number: int, start: int, end: int, watermark: float | None, *, partition: str = "0") -> QueryProgress:
    """A batch that read the offsets from ``start`` up to ``end``; the watermark is in seconds from noon."""
    return QueryProgress(
        query="kpis",
        batch_id=number,
        at=NOON + timedelta(minutes=10, seconds=number),
        input_rows=end - start,
        input_rate=1.0,
        processed_rate=1.0,
        state_rows=7,
        dropped_late=0,
        watermark=None if watermark is None else NOON + timedelta(seconds=watermark),
        start_offsets={partition: start},
        end_offsets={partition: end},
    )
