"""Progress: what each batch of a query did, from Spark's own progress reports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rtlib.records import QueryProgress


def read_progress(report: Mapping[str, Any]) -> QueryProgress:
    """Turn a ``StreamingQueryProgress``, as the mapping that its JSON holds, into a record.

    State rows and dropped rows are summed over the stateful operators; for the kpis query those are the one that
    drops duplicates and the one that counts.
    """
    operators = report.get("stateOperators") or []
    source = (report.get("sources") or [{}])[0]
    return QueryProgress(
        query=report["name"],
        batch_id=int(report["batchId"]),
        at=_moment(report["timestamp"]),
        input_rows=int(report.get("numInputRows", 0)),
        input_rate=_number(report.get("inputRowsPerSecond")),
        processed_rate=_number(report.get("processedRowsPerSecond")),
        state_rows=sum(int(one["numRowsTotal"]) for one in operators),
        dropped_late=sum(int(one["numRowsDroppedByWatermark"]) for one in operators),
        watermark=_watermark(report.get("eventTime") or {}),
        start_offsets=_offsets(source.get("startOffset")),
        end_offsets=_offsets(source.get("endOffset")),
    )


def _watermark(event_time: Mapping[str, str]) -> datetime | None:
    told = event_time.get("watermark")
    if told is None or told.startswith("1970"):  # Spark's way of saying that no event has been seen yet
        return None
    return _moment(told)


def _offsets(told: Any) -> dict[str, int]:
    """The offsets of one topic's partitions; Spark tells them as text or as an object."""
    if not told:
        return {}
    by_topic = json.loads(told) if isinstance(told, str) else told
    return {partition: int(offset) for topic in (by_topic or {}).values() for partition, offset in topic.items()}


def _number(told: Any) -> float:
    value = float(told or 0.0)
    return value if value == value and value not in (float("inf"), float("-inf")) else 0.0


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
