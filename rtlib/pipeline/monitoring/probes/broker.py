"""Broker probe: where each topic ends, and the signs of life of every part that writes one there."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Asks the broker where each topic ends, and reads every part's signs of life."""

    names: tuple[str, ...] = ("broker", "rejected", "kpis", "archive", "loader", "simulator", "alerts")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reader = consumer(settings)
        try:
            self._partitions = {
                name: self._partitions_of(settings.topic(name)) for name in ("events", "rejected", "kpis")
            }
            self._signs = ProgressReader(settings)
        except BaseException:
            self._reader.close()
            raise
        self._rates = {name: Rate() for name in ("events", "rejected", "kpis", "simulator")}

    def look(self) -> Mapping[str, Observation]:
        """Everything that the broker can tell."""
        ends = {name: sum(self._reader.end_offsets(own).values()) for name, own in self._partitions.items()}
        self._signs.catch_up()
        now = datetime.now(UTC)
        beats = self._signs.heartbeats
        return {
            "broker": self._broker(ends, now),
            "rejected": self._rejected(ends, now),
            "simulator": self._simulator(beats.get("simulator"), now),
            "kpis": self._query("kpis", ends, beats.get("kpis"), now),
            "archive": self._query("archive", ends, beats.get("archive"), now),
            "loader": self._loader(beats.get("loader"), now),
            "alerts": _alerts(beats.get("alerts"), now),
        }

    def close(self) -> None:
        """Leave the broker."""
        self._reader.close()
        self._signs.close()

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        from kafka import TopicPartition

        numbers = self._reader.partitions_for_topic(topic)
        if not numbers:
            raise ServiceError(f"the broker has no topic {topic!r}", cure="rtlib up")
        return [TopicPartition(topic, number) for number in numbers]

    def _broker(self, ends: Mapping[str, int], now: datetime) -> Observation:
        return Observation(
            Status.HEALTHY,
            "it answers, and says where each topic ends",
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

    def _simulator(self, beat: Heartbeat | None, now: datetime) -> Observation:
        if beat is None:
            return Observation(Status.STOPPED, "it has not said anything since the topic was made", now)
        fresh = _fresh(beat, now)
        rate = self._rates["simulator"].add(beat.numbers.get("sent", 0.0)) if fresh else None
        readings = (
            Reading("sending", rate, "records/s", beat.at),
            Reading("sent in this run", beat.numbers.get("sent"), "records", beat.at),
            Reading("broken on purpose", beat.numbers.get("malformed"), "records", beat.at),
        )
        return _by_heartbeat(beat, now, readings)

    def _query(self, query: str, ends: Mapping[str, int], beat: Heartbeat | None, now: datetime) -> Observation:
        if beat is None:
            return Observation(Status.STOPPED, "it has not started since the topic was made", now)
        done = self._signs.progress.get(query, [])
        newest = done[-1] if done else None
        readings = (
            self._kpi_readings(newest, ends, beat, done) if query == "kpis" else _archive_readings(newest, ends, beat)
        )
        return _by_heartbeat(beat, now, readings)

    def _kpi_readings(
        self, newest: QueryProgress | None, ends: Mapping[str, int], beat: Heartbeat, done: list[QueryProgress]
    ) -> tuple[Reading, ...]:
        """Its output is counted live; state and watermark are as old as the last checkpoint, and say so."""
        live = Reading("KPI records", self._rates["kpis"].add(ends["kpis"]), "records/s", beat.at)
        if newest is None:
            return (live,)
        behind = None if newest.watermark is None else (newest.at - newest.watermark).total_seconds()
        return (
            live,
            Reading("watermark behind", behind, "s", beat.at),
            Reading("state rows", newest.state_rows, "rows", beat.at),
            Reading("dropped as too late", sum(one.dropped_late for one in done), "rows", beat.at),
        )

    def _loader(self, beat: Heartbeat | None, now: datetime) -> Observation:
        if beat is None:
            return Observation(Status.STOPPED, "it has not started since the topic was made", now)
        readings = (
            Reading("behind", beat.numbers.get("lag"), "records", beat.at),
            Reading("rows written", beat.numbers.get("merged"), "rows", beat.at),
            Reading("refused", beat.numbers.get("skipped"), "records", beat.at),
        )
        return _by_heartbeat(beat, now, readings)


def _alerts(beat: Heartbeat | None, now: datetime) -> Observation:
    if beat is None:
        return Observation(Status.STOPPED, "it has not started since the topic was made", now)
    refused = Reading("refused", beat.numbers.get("skipped"), "KPI records", beat.at)
    readings = (
        Reading("up now", beat.numbers.get("up"), "alerts", beat.at),
        *([refused] if refused.value else []),  # the panel shows the first few
        Reading("delivered", beat.numbers.get("delivered"), "cards", beat.at),
        Reading("not delivered", beat.numbers.get("undelivered"), "cards", beat.at),
        Reading("waiting", beat.numbers.get("pending"), "cards", beat.at),
    )
    return _by_heartbeat(beat, now, readings)


def _archive_readings(newest: QueryProgress | None, ends: Mapping[str, int], beat: Heartbeat) -> tuple[Reading, ...]:
    if newest is None:
        return ()
    return (
        Reading("last batch", newest.processed_rate, "rows/s", beat.at),
        Reading("rows in it", newest.input_rows, "rows", beat.at),
        Reading("behind", max(0, ends["events"] - sum(newest.end_offsets.values())), "records", beat.at),
        Reading("batches", newest.batch_id + 1, "batches", beat.at),
    )


def _fresh(beat: Heartbeat, now: datetime) -> bool:
    return beat.active and (now - beat.at).total_seconds() <= FRESH_SECONDS


def _said(beat: Heartbeat) -> str:
    return f"{beat.said}; cure: rtlib rebuild checkpoint {beat.part}" if beat.numbers.get(TORN) else beat.said


def _by_heartbeat(beat: Heartbeat, now: datetime, readings: tuple[Reading, ...]) -> Observation:
    quiet = (now - beat.at).total_seconds()
    if quiet <= FRESH_SECONDS:
        return Observation(Status.HEALTHY if beat.active else Status.STOPPED, _said(beat), now, readings)
    return Observation(Status.STOPPED, f"no sign of life for {quiet:.0f} s", now, readings)
