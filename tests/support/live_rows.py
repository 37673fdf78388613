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
from rtlib.simulator.sent import Sent
from rtlib.warehouse.load import Batch
from rtlib.warehouse.staging import EVENT_COLUMNS, REJECTED_COLUMNS

MINUTE = timedelta(minutes=1)
FRAME = b"\0\0\0\0\1"


@dataclass(frozen=True)
class Stream:
    """A stretch of a live stream, as each path would have left it.

    ``windows`` holds all events by site and window, whether the stream dropped them or not; ``batches`` is what the
    stream told of each batch.
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
    sent = list(takewhile(lambda one: one.send_at < end, world.records()))
    counted, dropped, batches = _streamed(sent)
    windows: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for event in {one.event.event_id: one.event for one in sent if one.event}.values():
        windows[event.site, _window(event)].append(event)
    kpis = tuple(_kpi(domain, site, begin, told, end) for (site, begin), told in counted.items())
    return Stream(_batch(domain, sent), kpis, batches, dict(windows), dropped)


def _streamed(sent: list[Sent]) -> tuple[dict[tuple[str, datetime], list[Sent]], int, tuple[QueryProgress, ...]]:
    """What a query with a watermark of a minute counts in each window; a batch takes five seconds."""
    counted: dict[tuple[str, datetime], list[Sent]] = defaultdict(list)
    seen: set[str] = set()
    newest = datetime.min.replace(tzinfo=UTC)
    began: list[tuple[datetime, int, datetime | None]] = []  # each batch: when, its first record, its watermark
    dropped, moves_at = 0, sent[0].send_at
    for place, one in enumerate(sent):
        if one.send_at >= moves_at:
            began.append((one.send_at, place, newest - MINUTE if seen else None))
            moves_at = one.send_at + MINUTE / 12
        if one.event is None or one.event.event_id in seen:
            continue
        seen.add(one.event.event_id)
        newest = max(newest, one.event.occurred_at)
        drops_by = began[-2][2] if len(began) > 1 else None  # Spark drops by the watermark of the batch before
        if drops_by and one.event.occurred_at <= drops_by:
            dropped += 1
        else:
            counted[one.event.site, _window(one.event)].append(one)
    return counted, dropped, tuple(_told(began, len(sent)))


def _told(began: list[tuple[datetime, int, datetime | None]], end: int) -> Iterator[QueryProgress]:
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


def _kpi(domain: Domain, site: str, begin: datetime, told: list[Sent], end: datetime) -> Kpi:
    events = [one.event for one in told if one.event]
    moments = [event.occurred_at for event in events]
    return Kpi(
        domain=domain.name,
        site=site,
        window_start=begin,
        window_end=begin + MINUTE,
        measures=measures(domain, events),
        events=len(events),
        late=sum(one.send_at >= begin + MINUTE for one in told),
        first_event_at=min(moments),
        last_event_at=max(moments),
        emitted_at=end,
    )


def _batch(domain: Domain, sent: list[Sent]) -> Batch:
    good = [_row(one, place) for place, one in enumerate(sent) if one.event]
    bad = [
        {
            **{"payload": FRAME + one.payload, "reason": "does not fit", "field": "value"},
            **_place(domain.name, place),
            "received_at": pd.Timestamp(one.send_at),
        }
        for place, one in enumerate(sent)
        if one.event is None
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


def _row(one: Sent, place: int) -> dict[str, Any]:
    assert one.event
    told = one.event.to_json()
    return {
        **told,
        "occurred_at": pd.Timestamp(one.event.occurred_at),
        "attributes": json.dumps(told["attributes"]),
        **_place(one.event.domain, place),
        "received_at": pd.Timestamp(one.send_at),
    }


def _place(domain: str, offset: int) -> dict[str, Any]:
    """One partition, so that the offset is the order of arrival."""
    return {"topic": f"rtlib.{domain}.events", "kafka_partition": 0, "kafka_offset": offset}
