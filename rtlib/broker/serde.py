"""Serde: events, KPIs, query progress and heartbeats, to the bytes of Kafka records and back.

Events and KPIs are plain or framed JSON. The progress topic carries two kinds of records: the progress of a query under
the query's name, and the heartbeat of a part under ``heartbeat|<part>``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any, NoReturn

from rtlib.broker.framing import unframe
from rtlib.errors import EventRefused
from rtlib.limits import MAX_EVENT_BYTES, TOO_DEEP, TOO_LARGE, too_deep
from rtlib.records import Heartbeat, Kpi, QueryProgress

COMPACT = (",", ":")
HEARTBEAT_PREFIX = "heartbeat|"
# The errors that Python raises when a JSON object does not have the expected content.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
MAX_INTEGER = 2**63 - 1  # the largest integer of Spark, and of the warehouse's columns
MAX_KPI_BYTES = 16 * 1024  # a KPI record has some 600
YEARS = range(2000, 2101)  # those of events, and the year in which the window of the last event ends


def encode(event: Mapping[str, Any]) -> bytes:
    """Encode an event's JSON object as compact UTF-8.

    Example:
        >>> encode({"site": "north", "value": None})
        b'{"site":"north","value":null}'

    Raises:
        EventRefused: A value does not exist in JSON: NaN, infinity, half of a surrogate pair, a Python object.
    """
    try:
        return json.dumps(event, ensure_ascii=False, allow_nan=False, separators=COMPACT).encode()
    except UnicodeEncodeError as error:
        raise EventRefused("not valid UTF-8", field=_culprit(event)) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise EventRefused(
            "not JSON: only text, finite numbers, true, false and null are", field=_culprit(event)
        ) from error


def encode_lossy(event: Mapping[str, Any]) -> bytes:
    """Encode an object as closely to JSON as possible, for the diagnosis of an event that ``encode`` refuses."""
    try:
        return json.dumps(event, ensure_ascii=False, separators=COMPACT, default=repr).encode(errors="surrogatepass")
    except (ValueError, TypeError, RecursionError):
        return repr(sorted(event)).encode(errors="backslashreplace")  # nested too deeply for Python: only the names


def decode(record: bytes | None) -> dict[str, Any]:
    """Decode the JSON object in a framed record.

    Example:
        >>> decode(b'\\x00\\x00\\x00\\x00\\x07{"site": "north"}')
        {'site': 'north'}

    Raises:
        EventRefused: The frame is broken, the record is larger or nested deeper than an event may be, or the payload
            is not a JSON object in UTF-8.
    """
    _, payload = unframe(record)
    if len(record or b"") > MAX_EVENT_BYTES:
        raise EventRefused(TOO_LARGE)
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise EventRefused("not valid UTF-8") from error
    if too_deep(text):
        raise EventRefused(TOO_DEEP)
    try:
        event = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique_fields)
    except (ValueError, RecursionError) as error:
        raise EventRefused("not a JSON object") from error
    if not isinstance(event, dict):
        raise EventRefused("not a JSON object")
    return event


def kpi_from_record(key: bytes | None, value: bytes | None, timestamp_ms: int) -> Kpi:
    """Decode a record of the KPI topic: JSON without a frame, because Spark writes it.

    Args:
        key: ``window_start|site``; only quoted in the error, since the value carries both.
        value: The JSON object.
        timestamp_ms: Kafka's timestamp of the record, in ms since 1970: the time at which it was emitted.

    Raises:
        EventRefused: This is not a KPI record.
    """
    if value is not None and len(value) > MAX_KPI_BYTES:
        raise EventRefused(f"larger than {MAX_KPI_BYTES:,} bytes")
    try:
        content = _STRICT.decode((value or b"").decode())
        return Kpi(
            domain=_text(content["domain"]),
            site=_text(content["site"]),
            window_start=_event_moment(content["window_start"]),
            window_end=_event_moment(content["window_end"]),
            measures={_text(name): _measure(number) for name, number in dict(content["measures"]).items()},
            events=_count(content["events"]),
            late=_count(content["late"]),
            first_event_at=_event_moment(content["first_event_at"]),
            last_event_at=_event_moment(content["last_event_at"]),
            emitted_at=datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC),
        )
    except UNREADABLE as error:
        raise EventRefused(f"not a KPI record ({_detail(error)[:200]}); its key is {(key or b'')[:80]!r}") from error


def progress_to_json(progress: QueryProgress) -> bytes:
    """Encode the progress of a query: the value of a record under the query's name."""
    watermark = None if progress.watermark is None else _rfc3339(progress.watermark)
    content = {field.name: getattr(progress, field.name) for field in fields(progress)}
    return json.dumps({**content, "at": _rfc3339(progress.at), "watermark": watermark}, default=dict).encode()


def progress_from_record(value: bytes | None) -> QueryProgress:
    """Decode the progress of a query.

    Raises:
        EventRefused: This is not a progress record.
    """
    try:
        content = json.loads(value or b"")
        watermark = content["watermark"]
        moments = {"at": _moment(content["at"]), "watermark": None if watermark is None else _moment(watermark)}
        return QueryProgress(**{**content, **moments})
    except UNREADABLE as error:
        raise EventRefused(f"not a progress record ({_detail(error)})") from error


def heartbeat_to_json(beat: Heartbeat) -> bytes:
    """Encode a heartbeat: the value of a record under ``heartbeat|<part>``."""
    content = {field.name: getattr(beat, field.name) for field in fields(beat)}
    return json.dumps({**content, "at": beat.at.isoformat()}, default=dict).encode()


def heartbeat_from_record(value: bytes | None) -> Heartbeat:
    """Decode a heartbeat.

    Raises:
        EventRefused: This is not a heartbeat.
    """
    try:
        content = json.loads(value or b"")
        beat = Heartbeat(**{**content, "at": datetime.fromisoformat(content["at"])})
        numbers = {str(name): float(number) for name, number in dict(beat.numbers).items()}
        typed = isinstance(beat.active, bool) and isinstance(beat.part, str) and isinstance(beat.said, str)
        if not typed or beat.at.tzinfo is None:
            raise TypeError("a field has the wrong type, or the time has no zone")
        return replace(beat, numbers=numbers)
    except UNREADABLE as error:
        raise EventRefused(f"not a heartbeat ({_detail(error)})") from error


def _culprit(event: Mapping[str, Any]) -> str:
    """The dotted path of the first field that cannot be encoded."""
    for name, value in event.items():
        try:
            json.dumps({name: value}, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, TypeError, RecursionError):
            inner = _culprit(value) if name == "attributes" and isinstance(value, Mapping) else ""
            return f"{name}.{inner}" if inner else str(name)
    return ""


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON allows a field twice, and readers differ in which value they take."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise EventRefused("has a field twice")
    return unique


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)


def _event_moment(text: str) -> datetime:
    moment = _moment(text)
    if moment.year not in YEARS:
        raise ValueError(f"{text!r} is not within the years {YEARS.start} to {YEARS.stop - 1}")
    return moment


def _text(value: Any) -> str:
    """Text that Kafka, the warehouse and JSON can all hold: no half of a surrogate pair, no null character."""
    if not isinstance(value, str) or "\0" in value:
        raise TypeError(f"{value!r} is not text")
    return value.encode().decode()


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise ValueError(f"{value!r} is not a count")
    return value


def _measure(value: Any) -> float | None:
    if value is not None and type(value) not in (int, float):
        raise TypeError(f"{value!r} is not a number")
    return None if value is None else float(value)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_no_constant)  # created once: json.loads would create a decoder per record


def _detail(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
