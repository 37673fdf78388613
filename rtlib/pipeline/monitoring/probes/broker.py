"""Broker probe: the ends of the topics, and the heartbeats of all parts that send them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rtlib.broker.consumer import consumer
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline.telemetry.heartbeat import FRESH_SECONDS
from rtlib.pipeline.telemetry.progress_topic import ProgressReader
from rtlib.pipeline.telemetry.rate import Rate
from rtlib.records import Heartbeat, Observation, QueryProgress, Reading, Status
from rtlib.streaming.job import TORN

if TYPE_CHECKING:
    from kafka import TopicPartition


class BrokerProbe:
    """Observes the broker, and every part that sends heartbeats.

    Args:
        settings: Where the broker is.
        publish: Receives the newest heartbeats at each look.
    """

    def __init__(
        self, settings: Settings, *, publish: Callable[[Mapping[str, Heartbeat]], None] = lambda _: None
    ) -> None:
        self._settings, self._publish = settings, publish
        self._reader = consumer(settings)
        try:
            self._partitions = {
                name: self._partitions_of(settings.topic(name)) for name in ("events", "rejected", "kpis")
            }
            self._progress = ProgressReader(settings)
        except BaseException:
            self._reader.close()
            raise
        self._rates = {name: Rate() for name in ("events", "rejected", "kpis", "simulator")}

    def look(self) -> Mapping[str, Observation]:
        """The topics, and each part by its newest heartbeat."""
        ends = {name: sum(self._reader.end_offsets(own).values()) for name, own in self._partitions.items()}
        self._progress.catch_up()
        now = datetime.now(UTC)
        heartbeats = self._progress.heartbeats
        self._publish(heartbeats)
        return {
            "broker": self._broker(ends, now),
            "rejected": self._rejected(ends, now),
            "simulator": self._simulator(heartbeats.get("simulator"), now),
            "kpis": self._query("kpis", ends, heartbeats.get("kpis"), now),
            "archive": self._query("archive", ends, heartbeats.get("archive"), now),
            "loader": self._loader(heartbeats.get("loader"), now),
            "alerts": _alerts(heartbeats.get("alerts"), now),
        }

    def close(self) -> None:
        """Close both connections."""
        self._reader.close()
        self._progress.close()

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        from kafka import TopicPartition

        numbers = self._reader.partitions_for_topic(topic)
        if not numbers:
            raise ServiceError(f"the broker has no topic {topic!r}", cure="rtlib up")
        return [TopicPartition(topic, number) for number in numbers]

    def _broker(self, ends: Mapping[str, int], now: datetime) -> Observation:
        return Observation(
            Status.HEALTHY,
            "it answers with the end of each topic",
            now,
            (
                Reading("arriving", self._rates["events"].add(ends["events"]), "records/s", now),
                Reading("in the topic", ends["events"], "records", now),
                Reading("partitions", len(self._partitions["events"]), "partitions", now),
            ),
        )

    def _rejected(self, ends: Mapping[str, int], now: datetime) -> Observation:
        share = ends["rejected"] / ends["events"] if ends["events"] else None
        rate = self._rates["rejected"].add(ends["rejected"])
        return Observation(
            Status.HEALTHY,
            "the broker answers",
            now,
            (
                Reading("rejected", ends["rejected"], "records", now),
                Reading("of all records", None if share is None else 100 * share, "%", now),
                Reading("now", None if rate is None else 60 * rate, "records/min", now),
            ),
        )

    def _simulator(self, heartbeat: Heartbeat | None, now: datetime) -> Observation:
        if heartbeat is None:
            return Observation(Status.STOPPED, "it has sent no heartbeat since the topic was created", now)
        fresh = _fresh(heartbeat, now)
        rate = self._rates["simulator"].add(heartbeat.numbers.get("sent", 0.0)) if fresh else None
        readings = (
            Reading("sending", rate, "records/s", heartbeat.at),
            Reading("sent in this run", heartbeat.numbers.get("sent"), "records", heartbeat.at),
            Reading("broken on purpose", heartbeat.numbers.get("malformed"), "records", heartbeat.at),
        )
        return _by_heartbeat(heartbeat, now, readings)

    def _query(self, query: str, ends: Mapping[str, int], heartbeat: Heartbeat | None, now: datetime) -> Observation:
        if heartbeat is None:
            return Observation(Status.STOPPED, "it has not started since the topic was created", now)
        batches = self._progress.progress.get(query, [])
        newest = batches[-1] if batches else None
        readings = (
            self._kpi_readings(newest, ends, heartbeat, batches)
            if query == "kpis"
            else _archive_readings(newest, ends, heartbeat)
        )
        return _by_heartbeat(heartbeat, now, readings)

    def _kpi_readings(
        self, newest: QueryProgress | None, ends: Mapping[str, int], heartbeat: Heartbeat, batches: list[QueryProgress]
    ) -> tuple[Reading, ...]:
        """Its output rate is live; state and watermark are as old as the last checkpoint."""
        live = Reading("KPI records", self._rates["kpis"].add(ends["kpis"]), "records/s", heartbeat.at)
        if newest is None:
            return (live,)
        behind = None if newest.watermark is None else (newest.at - newest.watermark).total_seconds()
        return (
            live,
            Reading("watermark behind", behind, "s", heartbeat.at),
            Reading("state rows", newest.state_rows, "rows", heartbeat.at),
            Reading("dropped as too late", sum(batch.dropped_late for batch in batches), "rows", heartbeat.at),
        )

    def _loader(self, heartbeat: Heartbeat | None, now: datetime) -> Observation:
        if heartbeat is None:
            return Observation(Status.STOPPED, "it has not started since the topic was created", now)
        readings = (
            Reading("behind", heartbeat.numbers.get("lag"), "records", heartbeat.at),
            Reading("rows written", heartbeat.numbers.get("merged"), "rows", heartbeat.at),
            Reading("refused", heartbeat.numbers.get("skipped"), "records", heartbeat.at),
        )
        return _by_heartbeat(heartbeat, now, readings)


def _alerts(heartbeat: Heartbeat | None, now: datetime) -> Observation:
    if heartbeat is None:
        return Observation(Status.STOPPED, "it has not started since the topic was created", now)
    refused = Reading("refused", heartbeat.numbers.get("skipped"), "KPI records", heartbeat.at)
    readings = (
        Reading("up now", heartbeat.numbers.get("up"), "alerts", heartbeat.at),
        *([refused] if refused.value else []),  # the panel shows only the first few
        Reading("delivered", heartbeat.numbers.get("delivered"), "cards", heartbeat.at),
        Reading("not delivered", heartbeat.numbers.get("undelivered"), "cards", heartbeat.at),
        Reading("waiting", heartbeat.numbers.get("pending"), "cards", heartbeat.at),
    )
    return _by_heartbeat(heartbeat, now, readings)


def _archive_readings(
    newest: QueryProgress | None, ends: Mapping[str, int], heartbeat: Heartbeat
) -> tuple[Reading, ...]:
    if newest is None:
        return ()
    return (
        Reading("last batch", newest.processed_rate, "rows/s", heartbeat.at),
        Reading("rows in it", newest.input_rows, "rows", heartbeat.at),
        Reading("behind", max(0, ends["events"] - sum(newest.end_offsets.values())), "records", heartbeat.at),
        Reading("batches", newest.batch_id + 1, "batches", heartbeat.at),
    )


def _fresh(heartbeat: Heartbeat, now: datetime) -> bool:
    return heartbeat.active and (now - heartbeat.at).total_seconds() <= FRESH_SECONDS


def _reason(heartbeat: Heartbeat) -> str:
    return (
        f"{heartbeat.said}; cure: rtlib rebuild checkpoint {heartbeat.part}"
        if heartbeat.numbers.get(TORN)
        else heartbeat.said
    )


def _by_heartbeat(heartbeat: Heartbeat, now: datetime, readings: tuple[Reading, ...]) -> Observation:
    age = (now - heartbeat.at).total_seconds()
    if age <= FRESH_SECONDS:
        return Observation(Status.HEALTHY if heartbeat.active else Status.STOPPED, _reason(heartbeat), now, readings)
    return Observation(Status.STOPPED, f"no heartbeat for {age:.0f} s", now, readings)
