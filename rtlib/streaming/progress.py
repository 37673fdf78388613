"""Progress: Spark's progress reports as records."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rtlib.records import QueryProgress


def read_progress(report: Mapping[str, Any]) -> QueryProgress:
    """Convert the JSON object of a ``StreamingQueryProgress``.

    State rows and dropped rows are summed over the stateful operators; the kpis query has two, for dropping duplicates
    and for counting.
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
        state_rows=sum(int(operator["numRowsTotal"]) for operator in operators),
        dropped_late=sum(int(operator["numRowsDroppedByWatermark"]) for operator in operators),
        watermark=_watermark(report.get("eventTime") or {}),
        start_offsets=_offsets(source.get("startOffset")),
        end_offsets=_offsets(source.get("endOffset")),
    )


def _watermark(event_time: Mapping[str, str]) -> datetime | None:
    watermark = event_time.get("watermark")
    if watermark is None or watermark.startswith("1970"):  # Spark reports 1970 before the first event
        return None
    return _moment(watermark)


def _offsets(offsets: Any) -> dict[str, int]:
    """Partition to offset; Spark reports them as text or as an object."""
    if not offsets:
        return {}
    by_topic = json.loads(offsets) if isinstance(offsets, str) else offsets
    return {partition: int(offset) for topic in (by_topic or {}).values() for partition, offset in topic.items()}


def _number(value: Any) -> float:
    number = float(value or 0.0)
    return number if math.isfinite(number) else 0.0


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
