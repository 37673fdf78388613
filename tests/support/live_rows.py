"""What the two paths make of a simulated stream, without Kafka and Spark: rows for RAW and KPIs for SPEED."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Any

import pandas as pd

from rtlib.domains import Domain, measures
from rtlib.records import Event, Kpi, QueryProgress
from rtlib.simulator.live import Simulator
from rtlib.simulator.records import SimulatedRecord
from rtlib.warehouse.ingest import Batch
from rtlib.warehouse.staging import EVENT_COLUMNS, REJECTED_COLUMNS

MINUTE = timedelta(minutes=1)
FRAME = b"\0\0\0\0\1"


@dataclass(frozen=True)
class Stream:
    """A stretch of a live stream, as each path would have left it.

    ``windows`` holds all events by site and window, whether the stream dropped them or not; ``batches`` is what the
    stream reported for each batch.
    """

    batch: Batch
    kpis: tuple[Kpi, ...]
    batches: tuple[QueryProgress, ...]
    windows: dict[tuple[str, datetime], list[Event]]
    dropped: int


def stream(domain: Domain, *, start: datetime, minutes: int = 15, rate: float = 4, seed: int = 7) -> Stream:
    """A stretch with late events, copies and broken records, and with some events beyond the watermark."""
    flaws = {"too_late_share": 0.02, "late_share": 0.05, "duplicate_share": 0.02, "malformed_share": 0.02}
    world = Simulator(domain, seed=seed, start=start, rate=rate, shaped=False, **flaws)
    end = start + timedelta(minutes=minutes)
    sent = list(takewhile(lambda record: record.send_at < end, world.records()))
    counted, dropped, batches = _streamed(sent)
    windows: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for event in {record.event.event_id: record.event for record in sent if record.event}.values():
        windows[event.site, _window(event)].append(event)
    kpis = tuple(_kpi(domain, site, begin, records) for (site, begin), records in counted.items())
    return Stream(_batch(domain, sent), kpis, batches, dict(windows), dropped)


def _streamed(
    sent: list[SimulatedRecord],
) -> tuple[dict[tuple[str, datetime], list[SimulatedRecord]], int, tuple[QueryProgress, ...]]:
    """What a query with a watermark of a minute counts in each window; a batch takes five seconds."""
    counted: dict[tuple[str, datetime], list[SimulatedRecord]] = defaultdict(list)
    seen: set[str] = set()
    newest = datetime.min.replace(tzinfo=UTC)
    began: list[tuple[datetime, int, datetime | None]] = []  # each batch: when, its first record, its watermark
    dropped, moves_at = 0, sent[0].send_at
    for place, record in enumerate(sent):
        if record.send_at >= moves_at:
            began.append((record.send_at, place, newest - MINUTE if seen else None))
            moves_at = record.send_at + MINUTE / 12
        if record.event is None or record.event.event_id in seen:
            continue
        seen.add(record.event.event_id)
        newest = max(newest, record.event.occurred_at)
        drops_by = began[-2][2] if len(began) > 1 else None  # Spark drops by the watermark of the batch before
        if drops_by and record.event.occurred_at <= drops_by:
            dropped += 1
        else:
            counted[record.event.site, _window(record.event)].append(record)
    return counted, dropped, tuple(_progress(began, len(sent)))


def _progress(began: list[tuple[datetime, int, datetime | None]], end: int) -> Iterator[QueryProgress]:
    """Progress as Spark tells it."""
    ends = [*(first for _, first, _ in began[1:]), end]
    for number, ((at, first, watermark), last) in enumerate(zip(began, ends, strict=True)):
        yield QueryProgress(
            query="kpis",
            batch_id=number,
            at=at,
            input_rows=last - first,
            input_rate=1.0,
            processed_rate=1.0,
            state_rows=0,
            dropped_late=0,
            watermark=watermark,
            start_offsets={"0": first},
            end_offsets={"0": last},
        )


def _window(event: Event) -> datetime:
    return event.occurred_at.replace(second=0, microsecond=0)


def _kpi(domain: Domain, site: str, begin: datetime, records: list[SimulatedRecord]) -> Kpi:
    events = [record.event for record in records if record.event]
    moments = [event.occurred_at for event in events]
    return Kpi(
        domain=domain.name,
        site=site,
        window_start=begin,
        window_end=begin + MINUTE,
        measures=measures(domain, events),
        events=len(events),
        late=sum(record.send_at >= begin + MINUTE for record in records),
        first_event_at=min(moments),
        last_event_at=max(moments),
        emitted_at=max(record.send_at for record in records),
    )


def _batch(domain: Domain, sent: list[SimulatedRecord]) -> Batch:
    # One partition, so that the offset is the order of arrival.
    good = [
        row(record.event, 0, place, received_at=record.send_at) for place, record in enumerate(sent) if record.event
    ]
    bad = [
        {
            **{"payload": FRAME + record.payload, "reason": "does not fit", "field": "value"},
            **_place(domain.name, place),
            "received_at": pd.Timestamp(record.send_at),
        }
        for place, record in enumerate(sent)
        if record.event is None
    ]
    return Batch(
        query="archive",
        domain=domain.name,
        batch_id=0,
        events=pd.DataFrame(good, columns=list(EVENT_COLUMNS)),
        rejected=pd.DataFrame(bad, columns=list(REJECTED_COLUMNS)),
        offsets_from={"0": 0},
        offsets_to={"0": len(sent)},
    )


def row(event: Event, partition: int, offset: int, *, received_at: datetime) -> dict[str, Any]:
    """The row of an event for RAW, from this place of its topic."""
    fields = event.to_json()
    return {
        **fields,
        "occurred_at": pd.Timestamp(event.occurred_at),
        "attributes": json.dumps(fields["attributes"]),
        **_place(event.domain, offset, partition),
        "received_at": pd.Timestamp(received_at),
    }


def _place(domain: str, offset: int, partition: int = 0) -> dict[str, Any]:
    return {"topic": f"rtlib.{domain}.events", "kafka_partition": partition, "kafka_offset": offset}
