"""Consumer: a KafkaConsumer with the right options, and what its records mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from rtlib.broker.client import client_options
from rtlib.broker.errors import broker_errors
from rtlib.broker.framing import unframe
from rtlib.config import Settings
from rtlib.errors import EventRefused
from rtlib.limits import MAX_EVENT_BYTES, TOO_DEEP, TOO_LARGE, too_deep
from rtlib.records import Kpi, QueryProgress, Rejected

if TYPE_CHECKING:
    from confluent_kafka import Message
    from kafka import KafkaConsumer

    from rtlib.domains.kpi_rules import KpiRules

# What Python raises over a JSON object that is not what it should be.
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
BIGGEST = 2**63 - 1  # the largest integer of Spark, and of the warehouse's columns
MAX_KPI_BYTES = 16 * 1024  # a KPI record has some 600
LONGEST_REASON = 400  # characters of a reason that travel on
YEARS = range(2000, 2101)  # those of events, and the year in which the window of the last one ends


def consumer(
    settings: Settings,
    *topics: str,
    group: str | None = None,
    from_beginning: bool = True,
    read_committed: bool = True,
    **options: object,
) -> KafkaConsumer:
    """A KafkaConsumer of these topics; with none, ``assign`` or ``subscribe`` it yourself.

    Args:
        settings: Where the broker is.
        topics: What to read.
        group: The consumer group that shares the partitions and whose offsets Kafka keeps; None reads alone.
        from_beginning: Where to begin without a committed offset: at the oldest record, or at the next one.
        read_committed: Leave out records of aborted transactions.
        options: Any other argument of KafkaConsumer; these win. Offsets are committed when you call ``commit``,
            unless you give ``enable_auto_commit=True``.

    Raises:
        ServiceError: The broker does not answer.
    """
    from kafka import KafkaConsumer

    chosen: dict[str, object] = {
        **client_options(settings),
        "group_id": group,
        "auto_offset_reset": "earliest" if from_beginning else "latest",
        "isolation_level": "read_committed" if read_committed else "read_uncommitted",
        "enable_auto_commit": False,
        "allow_auto_create_topics": False,
    }
    with broker_errors(settings):
        return KafkaConsumer(*topics, **{**chosen, **options})


def decode(record: bytes | None) -> dict[str, Any]:
    """The JSON object in a framed record.

    Example:
        >>> decode(b'\\x00\\x00\\x00\\x00\\x07{"site": "north"}')
        {'site': 'north'}

    Raises:
        EventRefused: The frame is broken, it is larger or nested deeper than an event may be, or what is in it is not
            a JSON object in UTF-8.
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
        told = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_field_twice)
    except (ValueError, RecursionError) as error:
        raise EventRefused("not a JSON object") from error
    if not isinstance(told, dict):
        raise EventRefused("not a JSON object")
    return told


def _no_field_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets a field stand twice, and readers differ in which one they take."""
    told = dict(pairs)
    if len(told) < len(pairs):
        raise EventRefused("has a field twice")
    return told


@dataclass(frozen=True, slots=True)
class RefusedKpi:
    """A record of the KPI topic that is no KPI of the domain, and why; no ``field`` when all of it is at fault."""

    reason: str
    field: str
    record: Message

    def rejected(self) -> Rejected:
        """The record for the rejected topic: untouched bytes, and where it came from."""
        one = self.record
        place = {"partition": _known(one.partition()), "offset": _known(one.offset())}
        return Rejected(one.value() or b"", self.reason, self.field, one.topic() or "", **place)

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason


def newest_kpis(records: Sequence[Message], rules: KpiRules) -> tuple[list[Kpi], list[RefusedKpi]]:
    """The newest KPI of each key, as compaction would leave them, and the records on the way to it that were refused.

    Real-time mode writes a KPI record for every event, and only the newest of a window says how it stands: those
    before it are not read, and cost almost nothing. A record that is refused (a tombstone, for instance) does not
    hide the one before it.

    Args:
        records: Records of the KPI topic, in the order of their offsets within a key.
        rules: Which records the domain's query could have produced.
    """
    newest: dict[bytes | None, Kpi] = {}
    refused: list[RefusedKpi] = []
    for record in reversed(records):
        key = record.key()
        if key not in newest:
            try:
                kpi = kpi_from_record(key, record.value(), record.timestamp()[1])
                rules.check(kpi, key)
                newest[key] = kpi
            except EventRefused as error:
                refused.append(RefusedKpi(error.reason[:LONGEST_REASON], error.field, record))
    return list(newest.values()), refused


def kpi_from_record(key: bytes | None, value: bytes | None, timestamp_ms: int) -> Kpi:
    """A record of the KPI topic: plain JSON, without a frame, because Spark writes it.

    Args:
        key: ``window_start|site``; only named when the value cannot be read, which carries both itself.
        value: The JSON object.
        timestamp_ms: Kafka's timestamp of the record, in ms since 1970: when it was emitted.

    Raises:
        EventRefused: It is not a KPI record.
    """
    if value is not None and len(value) > MAX_KPI_BYTES:
        raise EventRefused(f"larger than {MAX_KPI_BYTES:,} bytes")
    try:
        told = _STRICT.decode((value or b"").decode())
        return Kpi(
            domain=_text(told["domain"]),
            site=_text(told["site"]),
            window_start=_event_moment(told["window_start"]),
            window_end=_event_moment(told["window_end"]),
            measures={_text(name): _measured(value) for name, value in dict(told["measures"]).items()},
            events=_count(told["events"]),
            late=_count(told["late"]),
            first_event_at=_event_moment(told["first_event_at"]),
            last_event_at=_event_moment(told["last_event_at"]),
            emitted_at=datetime.fromtimestamp(timestamp_ms / 1000, tz=UTC),
        )
    except UNREADABLE as error:
        raise EventRefused(f"not a KPI record ({_said(error)[:200]}); its key is {(key or b'')[:80]!r}") from error


def progress_from_record(value: bytes | None) -> QueryProgress:
    """A record of the progress topic.

    Raises:
        EventRefused: It is not a progress record.
    """
    try:
        told = json.loads(value or b"")
        watermark = told["watermark"]
        moments = {"at": _moment(told["at"]), "watermark": None if watermark is None else _moment(watermark)}
        return QueryProgress(**{**told, **moments})
    except UNREADABLE as error:
        raise EventRefused(f"not a progress record ({_said(error)})") from error


def progress_to_json(progress: QueryProgress) -> bytes:
    """The value of a record of the progress topic."""
    watermark = None if progress.watermark is None else _rfc3339(progress.watermark)
    told = {field.name: getattr(progress, field.name) for field in fields(progress)}
    return json.dumps({**told, "at": _rfc3339(progress.at), "watermark": watermark}, default=dict).encode()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)


def _event_moment(text: str) -> datetime:
    moment = _moment(text)
    if moment.year not in YEARS:
        raise ValueError(f"{text!r} is out of the years that events may have")
    return moment


def _text(told: Any) -> str:
    """Text that every place behind can hold: no half of a surrogate pair, no null character."""
    if not isinstance(told, str) or "\0" in told:
        raise TypeError(f"{told!r} is no text")
    return told.encode().decode()


def _known(number: int | None) -> int:
    return -1 if number is None else number


def _count(told: Any) -> int:
    if type(told) is not int or not 0 <= told <= BIGGEST:
        raise ValueError(f"{told!r} is no count")
    return told


def _measured(told: Any) -> float | None:
    if told is not None and type(told) not in (int, float):
        raise TypeError(f"{told!r} is no number")
    return None if told is None else float(told)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(parse_constant=_no_constant)  # made once: json.loads would make one for each record


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
