"""Pages: what the app's further pages show, gathered when one of them is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ServiceError
from rtlib.pipeline.dbt import source_readings
from rtlib.pipeline.explanations.fact_builders import choices
from rtlib.pipeline.planning.demand import EVERYWHERE, INTERVAL_MINUTES
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.records import Reading
from rtlib.transform import BuildReport, last_report
from rtlib.warehouse import alert_outbox
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.load_mart import interval_load
from rtlib.warehouse.plan_store import read_backtests, read_forecasts, read_staffing
from rtlib.warehouse.reads import compare_windows, counts, rejected_reasons

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

Result = TypeVar("Result")
BACK, AHEAD = timedelta(days=2), timedelta(days=2)


@dataclass(frozen=True, slots=True)
class PlanData:
    """Load, forecast and plan of a domain as a whole, in intervals of ``INTERVAL_MINUTES``; moments are aware.

    Attributes:
        role: Who is planned.
        load: What happened in the two days before the forecast, and since: (begin, events); None where nothing did.
        forecast: (begin, mean, lower, upper) of the champion, 80 %.
        staff: (begin, required, planned) over all sites.
        scores: Rows of (model, WAPE, coverage of the 80 % interval, chosen), the best first.
        why: Why the champion was chosen.
    """

    role: str
    load: tuple[tuple[datetime, float | None], ...]
    forecast: tuple[tuple[datetime, float, float, float], ...]
    staff: tuple[tuple[datetime, float, float], ...]
    scores: tuple[tuple[str, float | None, float | None, bool], ...]
    why: str


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of the data's quality.

    Attributes:
        events, duplicates, rejected: Held, removed, and refused so far.
        reasons: How many records were rejected for each reason, the most frequent first.
        windows: How many windows of the speed layer are closed: neither layer will change them any more.
        late: Those of them that differ from their exact recomputation by events behind the watermark.
        not_measured: Those of them that hold events and that the speed layer was told nothing of.
        unexplained: Those of them that differ for no known reason.
        report: What dbt did when it ran last; None before.
        freshness: How old the newest row of each source was when dbt asked.
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
    """Reads the warehouse for the pages; each call takes some tenths of a second.

    Args:
        settings: Which domain, and where.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings, self._domain = settings, load_domain(settings.domain)
        self._warehouse = Warehouse(settings, ride_out_seconds=2)

    @property
    def receiver(self) -> str | None:
        """Where the local receiver shows the cards, a link with its key; None when they go to Teams."""
        if self._settings.teams_webhook_url is not None:
            return None
        try:
            return receiver_address(self._settings).page.get_secret_value()
        except ServiceError:  # the stack was stopped: nothing answers there, and the frame says so
            return f"http://127.0.0.1:{self._settings.ports['receiver']}/"

    def plan(self) -> PlanData:
        """Load, forecast and plan."""
        name, role = self._domain.name, self._domain.staffing
        ahead = self._run(lambda connection: read_forecasts(connection, name))
        forecast = [one for one in ahead if one["site"] == EVERYWHERE]
        begin = min((one["interval_start"] for one in forecast), default=None)
        load = self._run(lambda connection: interval_load(connection, name))
        every = self._run(lambda connection: read_backtests(connection, name))
        scores = [one for one in every if one["site"] == EVERYWHERE]
        return PlanData(
            role=role.title,
            load=_load(load, begin),
            forecast=tuple(
                (_utc(one["interval_start"]), one["mean"], one["lower_80"], one["upper_80"])
                for one in forecast
                if begin and one["interval_start"] < begin + AHEAD
            ),
            staff=_staff(self._run(lambda connection: read_staffing(connection, name)), begin),
            scores=tuple((one["model"], one["wape"], one["coverage_80"], bool(one["is_champion"])) for one in scores),
            why=next((str(one["why"] or "") for one in scores if one["is_champion"]), ""),
        )

    def quality(self) -> Quality:
        """Counts, reasons, reconciliation and dbt's tests."""
        name, settings = self._domain.name, self._settings
        held = self._run(lambda connection: counts(connection, name))
        # As dbt has it: later than the watermark, and as much again for what is on its way.
        open_for = timedelta(seconds=settings.window_seconds + 2 * settings.watermark_seconds)
        closed = self._run(
            lambda connection: compare_windows(
                connection, name, window_seconds=settings.window_seconds, before=datetime.now(UTC) - open_for
            )
        )
        different = closed.unexplained
        return Quality(
            events=held.raw_events,
            duplicates=held.duplicates,
            rejected=held.rejected,
            reasons=self._run(lambda connection: rejected_reasons(connection, name)),
            windows=closed.windows,
            late=len(closed.different) - len(different),
            not_measured=sum(not one.measured for one in different),
            unexplained=sum(one.measured for one in different),
            report=last_report(settings),
            freshness=source_readings(settings),
        )

    def alerts(self) -> list[dict[str, Any]]:
        """The newest messages, the newest first."""
        return self._run(lambda connection: alert_outbox.recent(connection, self._domain.name))

    def acknowledge(self, key: str) -> None:
        """Note that somebody has seen to an alert."""
        self._run(lambda connection: alert_outbox.acknowledge(connection, key))

    def mute(self, site: str, rule: str, *, hours: float) -> None:
        """Call nobody for this rule at this site for some hours."""
        until = datetime.now(UTC) + timedelta(hours=hours)
        self._run(lambda connection: alert_outbox.mute(connection, self._domain.name, site, rule, until=until))

    def mutes(self) -> list[dict[str, Any]]:
        """The mutes that hold: ``site``, ``rule``, ``title`` and ``until``."""
        return self._run(lambda connection: alert_outbox.mutes(connection, self._domain.name))

    def unmute(self, site: str, rule: str) -> None:
        """Call people again for this rule at this site."""
        self._run(lambda connection: alert_outbox.unmute(connection, self._domain.name, site, rule))

    def send_again(self, key: str) -> None:
        """Send an alert's card once more that was given up."""
        self._run(lambda connection: alert_outbox.send_again(connection, key))

    def choices(self, kind: str) -> list[tuple[str, str]]:
        """(title, name) of what can be asked about on a page."""
        return choices(self._domain, kind)

    def _run(self, work: Callable[[SnowflakeConnection], Result]) -> Result:
        return self._warehouse.run(work)


def _load(rows: Sequence[Mapping[str, Any]], begin: datetime | None) -> tuple[tuple[datetime, float | None], ...]:
    total: dict[datetime, float] = {}
    for one in rows:
        total[one["interval_start"]] = total.get(one["interval_start"], 0.0) + float(one["events"])
    newest = begin or max(total, default=None)
    if newest is None:
        return ()
    shown = [at for at in total if newest - BACK <= at < newest + AHEAD]
    if not shown:
        return ()
    step = timedelta(minutes=INTERVAL_MINUTES)
    every = (min(shown) + number * step for number in range((max(shown) - min(shown)) // step + 1))
    return tuple((_utc(at), total.get(at)) for at in every)


def _staff(rows: Sequence[Mapping[str, Any]], begin: datetime | None) -> tuple[tuple[datetime, float, float], ...]:
    total: dict[datetime, tuple[float, float]] = {}
    for one in rows:
        required, planned = total.get(one["interval_start"], (0.0, 0.0))
        total[one["interval_start"]] = required + float(one["required"]), planned + float(one["planned"])
    first = begin or min(total, default=None)
    return tuple((_utc(at), *total[at]) for at in sorted(total) if first and first <= at < first + AHEAD)


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)
