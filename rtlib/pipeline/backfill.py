"""Backfill: weeks of simulated history, loaded into the warehouse so that the batch lessons have data at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.notify import Notify
from rtlib.pipeline import batch_log
from rtlib.pipeline.audit.in_flight import window_of
from rtlib.pipeline.batch_log import HistoryPart
from rtlib.pipeline.planning.demand import INTERVAL, INTERVAL_MINUTES
from rtlib.pipeline.provision import provision
from rtlib.pipeline.runs import RunReport, recorded
from rtlib.records import BatchJob
from rtlib.simulator import history_between, rollups
from rtlib.wait import wait_until
from rtlib.warehouse import ingest
from rtlib.warehouse.connection import connect, execute, query, transaction
from rtlib.warehouse.rollups import known_intervals, live_period, load_rollups, rolled_until
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

FIRST_EVENT_SECONDS = 60.0  # a stack that has just started archives within seconds


@dataclass(frozen=True, slots=True)
class Loaded:
    """The result of a backfill.

    Attributes:
        intervals: Intervals loaded into RAW.ROLLUPS.
        rolled_events: The events counted in them.
        raw_events: Events loaded into RAW.EVENTS.
    """

    intervals: int = 0
    rolled_events: int = 0
    raw_events: int = 0

    def __add__(self, other: Loaded) -> Loaded:
        return Loaded(
            self.intervals + other.intervals,
            self.rolled_events + other.rolled_events,
            self.raw_events + other.raw_events,
        )

    @property
    def events(self) -> int:
        """All events that were loaded."""
        return self.rolled_events + self.raw_events


def backfill(settings: Settings, *, days: int = 28, notify: Notify | None = None) -> Loaded:
    """Load the simulated history of the last days, up to the first event of the live stream.

    It follows the same law as the live stream, at the rate in the settings. Like the history of a real company it
    consists of rollups: counts and aggregates of each site, kind of event and half-hour. Only the half-hour in which
    the live stream began is completed by raw events. Half-hours that the warehouse holds already are skipped, so
    nothing is counted twice if the command is repeated; half-hours in which the stack was down are filled.

    History does not pass through Kafka: the watermark would drop events that are months old, which is why real
    platforms also load history by the batch path.

    Args:
        settings: Which domain, which seed and which rate.
        days: The number of days before today (UTC).
        notify: Receives a line if another batch job has to be waited for.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer.
    """
    with recorded(settings, BatchJob.HISTORY, notify=notify) as run:
        loaded = _load_missing(settings, days, run)
        run.rows = loaded.intervals + loaded.raw_events
    return loaded


def _load_missing(settings: Settings, days: int, run: RunReport) -> Loaded:
    provision(settings)
    run.message = "waits for the first event of the live stream"
    now = datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    with closing(connect(settings)) as connection:
        _await_first_event(settings, connection)
        if batch_log.has_old_history(settings):
            _delete_history(connection, settings.domain)
            batch_log.forget_old_history(settings)
        live = live_period(connection, settings.domain)
        opening = live[0] if live and not _is_completed(connection, settings.domain, live[0]) else None
        known = known_intervals(connection, settings.domain, interval_minutes=INTERVAL_MINUTES)
    missing = list(_missing(known, today - timedelta(days=days), until=live[1] if live else now))
    parts = [HistoryPart(*period, raw=False, rate=settings.rate, seed=settings.seed) for period in missing]
    if opening:
        parts.append(HistoryPart(_begin(opening), opening, raw=True, rate=settings.rate, seed=settings.seed))
    batch_log.note_history(settings, parts)
    return load_parts(settings, parts, progress=run.progress)


def load_parts(
    settings: Settings, parts: Sequence[HistoryPart], *, progress: Callable[[int, int, str], None] | None = None
) -> Loaded:
    """Load these parts of history; intervals of which the warehouse has rollups, and known events, are left out.

    The same parts give the same rows, whichever are loaded together. ``progress`` receives how many are loaded, their
    number, and what they are.
    """
    domain, loaded = load_domain(settings.domain), Loaded()
    with closing(connect(settings)) as connection:
        for number, part in enumerate(parts):
            if progress:
                progress(number, len(parts), "periods of history")
            if part.raw:
                events = history_between(domain, seed=part.seed, rate=part.rate, start=part.start, end=part.end)
                loaded += Loaded(raw_events=ingest.load_history(connection, events, domain=domain.name))
                continue
            rows = rollups(domain, seed=part.seed, rate=part.rate, start=part.start, end=part.end)
            if load_rollups(connection, rows, domain=domain.name):
                loaded += Loaded(rows["interval_start"].nunique(), int(rows["events"].sum()))
    return loaded


def _await_first_event(settings: Settings, connection: SnowflakeConnection) -> None:
    """If the live stream has begun, wait until the archive shows when; a history loaded before would leave a gap."""
    if any(end_offsets(settings, settings.topic("events")).values()):
        wait_until(lambda: live_period(connection, settings.domain), seconds=FIRST_EVENT_SECONDS, interval=0.5)


def _missing(known: Collection[datetime], start: datetime, *, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The longest periods of whole intervals in [start, until) of which nothing is known."""
    begin, moment, last = None, start, _begin(until)
    while moment <= last:
        is_missing = moment < last and moment not in known
        if is_missing and begin is None:
            begin = moment
        elif not is_missing and begin is not None:
            yield begin, moment
            begin = None
        moment += INTERVAL


def _is_completed(connection: SnowflakeConnection, domain: str, opening: datetime) -> bool:
    """True if the half-hour in which the live stream began has its history, or had it before it was rolled up."""
    sql = (
        "select 1 as found from RAW.EVENTS where domain = ? and topic = ? and occurred_at >= cast(? as timestamp_ntz) "
        "limit 1"
    )
    loaded = query(connection, sql, (domain, ingest.HISTORY, moment_text(_begin(opening))))
    return bool(loaded) or rolled_until(connection, domain) is not None


def _begin(moment: datetime) -> datetime:
    """Begin of the interval of a moment."""
    return window_of(moment, 60 * INTERVAL_MINUTES)


def _delete_history(connection: SnowflakeConnection, domain: str) -> None:
    """Delete history from before rollups, which had another rate than the live stream."""
    with transaction(connection):
        execute(connection, "delete from RAW.EVENTS where domain = ? and topic = ?", (domain, ingest.HISTORY))
        execute(connection, "delete from RAW.ROLLUPS where domain = ? and live_events = 0", (domain,))
        execute(connection, "delete from RAW.BATCHES where domain = ? and query = ?", (domain, ingest.HISTORY))
