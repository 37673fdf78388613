"""Page data: the data of the app's pages, read from the warehouse when a page is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rtlib.alerts import RuleLevel, nearness
from rtlib.config import Settings
from rtlib.domains import ALL_SITES, load_domain
from rtlib.errors import ServiceError
from rtlib.pipeline.batch_status import JobStep, job_statuses, steps
from rtlib.pipeline.dbt import source_readings
from rtlib.pipeline.explanations.fact_builders import choices
from rtlib.pipeline.planning.demand import INTERVAL, INTERVAL_MINUTES
from rtlib.pipeline.planning.today import Today, compare, midnight
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.records import Reading
from rtlib.transform import BuildReport, last_report
from rtlib.warehouse import alert_outbox
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.plan_store import read_backtests, read_forecasts, read_staffing
from rtlib.warehouse.reads import counts, rejected_reasons
from rtlib.warehouse.recent_load import RecentLoad, recent_load
from rtlib.warehouse.windows import compare_windows

BACK, AHEAD = timedelta(days=2), timedelta(days=2)
SCALED = timedelta(minutes=5)  # a shorter part of an interval says little about the whole


@dataclass(frozen=True, slots=True)
class PlanData:
    """Load, forecast and plan of a domain as a whole, in intervals of ``INTERVAL_MINUTES``; moments are in UTC.

    Attributes:
        role: The role that is planned.
        time_zone: The domain's time zone.
        load: Rows of (begin, events) from two days before the forecast on, up to this minute; None if not measured. The
            running interval is scaled to its whole length once ``SCALED`` of it is over.
        today: What came until now beside its forecast; None without a forecast of today.
        forecast: Rows of (begin, mean, lower, upper) of the champion, with the 80 % interval.
        staff: Rows of (begin, required, planned) over all sites.
        scores: Rows of (model, WAPE, coverage of the 80 % interval, whether it is the champion), the best first.
        why: The reason for the choice of the champion.
    """

    role: str
    time_zone: str
    load: tuple[tuple[datetime, float | None], ...]
    forecast: tuple[tuple[datetime, float, float, float], ...]
    staff: tuple[tuple[datetime, float, float], ...]
    scores: tuple[tuple[str, float | None, float | None, bool], ...]
    why: str
    today: Today | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """The quality of the data.

    Attributes:
        events, duplicates, rejected: Numbers of stored events, removed duplicates and rejected records.
        reasons: Number of rejected records by reason, the most frequent first.
        windows: Number of closed windows of the speed layer, which neither layer will change.
        late: Closed windows that differ from their exact count by events behind the watermark.
        not_measured: Closed windows with events for which the speed layer has no KPI.
        unexplained: Closed windows that differ for no known reason.
        report: dbt's last run; None before the first.
        freshness: Age of the newest row of each source at dbt's last check.
    """

    events: int
    duplicates: int
    rejected: int
    reasons: Mapping[str, int]
    windows: int
    late: int
    not_measured: int
    unexplained: int
    report: BuildReport | None
    freshness: tuple[Reading, ...]


class PageData:
    """Reads the warehouse for the pages; a call takes some tenths of a second.

    Args:
        settings: The domain, and the address of the warehouse.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._domain = settings, load_domain(settings.domain)
        self._warehouse = Warehouse(settings, ride_out_seconds=2)

    @property
    def time_zone(self) -> str:
        """The domain's time zone (IANA), in which the page of alerts shows times."""
        return self._domain.time_zone

    @property
    def receiver(self) -> str | None:
        """The link to the local receiver's page of cards, with its key; None if the cards go to Teams."""
        if self._settings.teams_webhook_url is not None:
            return None
        try:
            return receiver_address(self._settings).page.get_secret_value()
        except ServiceError:  # the stack is down; the frame on the page shows that nothing answers
            return f"http://127.0.0.1:{self._settings.ports['receiver']}/"

    def plan(self) -> PlanData:
        """Load, forecast and plan."""
        name, role = self._domain.name, self._domain.staffing
        forecast = self._warehouse.run(read_forecasts, name, site=ALL_SITES)
        begin = min((row["interval_start"] for row in forecast), default=None)
        scores = [row for row in self._warehouse.run(read_backtests, name) if row["site"] == ALL_SITES]
        since = (begin.replace(tzinfo=UTC) if begin else datetime.now(UTC)) - BACK
        recent = self._warehouse.run(
            recent_load, name, kinds=role.kinds, since=since, interval_minutes=INTERVAL_MINUTES
        )
        return PlanData(
            role=role.title,
            time_zone=self._domain.time_zone,
            load=_load(recent),
            today=compare(forecast, recent, since=midnight(datetime.now(UTC), self._domain.time_zone)),
            forecast=tuple(
                (_utc(row["interval_start"]), row["mean"], row["lower_80"], row["upper_80"])
                for row in forecast
                if begin and row["interval_start"] < begin + AHEAD
            ),
            staff=_staff(self._warehouse.run(read_staffing, name), begin),
            scores=tuple((row["model"], row["wape"], row["coverage_80"], bool(row["is_champion"])) for row in scores),
            why=next((str(row["why"] or "") for row in scores if row["is_champion"]), ""),
        )

    def quality(self) -> Quality:
        """Counts, reasons, reconciliation and dbt's tests."""
        name, settings = self._domain.name, self._settings
        held = self._warehouse.run(counts, name)
        # As in dbt: the watermark, and as much again for records on their way.
        open_for = timedelta(seconds=settings.window_seconds + 2 * settings.watermark_seconds)
        closed = self._warehouse.run(
            lambda connection: compare_windows(
                connection, name, window_seconds=settings.window_seconds, before=datetime.now(UTC) - open_for
            )
        )
        different = [window for window in closed.unexplained if not window.in_flight]
        in_flight = len(closed.unexplained) - len(different)
        return Quality(
            events=held.raw_events,
            duplicates=held.duplicates,
            rejected=held.rejected,
            reasons=self._warehouse.run(rejected_reasons, name),
            windows=closed.windows - in_flight,
            late=len(closed.different) - len(closed.unexplained),
            not_measured=sum(not window.measured for window in different),
            unexplained=sum(window.measured for window in different),
            report=last_report(settings),
            freshness=source_readings(settings),
        )

    def jobs(self) -> tuple[JobStep, ...]:
        """How far the jobs are that lead to the plan."""
        return steps(job_statuses(self._settings, self._warehouse), now=datetime.now(UTC))

    def nearness(self) -> tuple[RuleLevel, ...]:
        """Every alert rule, and how near each site is to it."""
        return nearness(self._domain, self._warehouse.run(alert_outbox.memory, self._domain.name))

    def alerts(self) -> list[dict[str, Any]]:
        """The latest messages, the newest first."""
        return self._warehouse.run(alert_outbox.recent, self._domain.name)

    def acknowledge(self, key: str) -> None:
        """Mark an alert as acknowledged."""
        self._warehouse.run(alert_outbox.acknowledge, key)

    def mute(self, site: str, rule: str, *, hours: float) -> None:
        """Send no cards for this rule at this site for ``hours`` hours."""
        until = datetime.now(UTC) + timedelta(hours=hours)
        self._warehouse.run(alert_outbox.mute, self._domain.name, site, rule, until=until)

    def mutes(self) -> list[dict[str, Any]]:
        """The active mutes: ``site``, ``rule``, ``title`` and ``until``."""
        return self._warehouse.run(alert_outbox.mutes, self._domain.name)

    def unmute(self, site: str, rule: str) -> None:
        """End the mute of this rule at this site."""
        self._warehouse.run(alert_outbox.unmute, self._domain.name, site, rule)

    def send_again(self, key: str) -> None:
        """Send the card of an undelivered alert again."""
        self._warehouse.run(alert_outbox.send_again, key)

    def choices(self, kind: str) -> list[tuple[str, str]]:
        """(title, name) of the subjects that a page can explain."""
        return choices(self._domain, kind)


def _load(recent: RecentLoad) -> tuple[tuple[datetime, float | None], ...]:
    if recent.newest is None:
        return ()
    first, last = min(recent.events), max(recent.events)
    starts = [first + index * INTERVAL for index in range((last - first) // INTERVAL + 1)]
    closed: list[tuple[datetime, float | None]] = [(start, recent.events.get(start)) for start in starts[:-1]]
    passed = recent.newest - last
    if passed >= SCALED:
        closed.append((last, recent.events[last] * max(INTERVAL / passed, 1.0)))
    return tuple(closed)


def _staff(rows: Sequence[Mapping[str, Any]], begin: datetime | None) -> tuple[tuple[datetime, float, float], ...]:
    total: dict[datetime, tuple[float, float]] = {}
    for row in rows:
        required, planned = total.get(row["interval_start"], (0.0, 0.0))
        total[row["interval_start"]] = required + float(row["required"]), planned + float(row["planned"])
    first = begin or min(total, default=None)
    return tuple((_utc(at), *total[at]) for at in sorted(total) if first and first <= at < first + AHEAD)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
