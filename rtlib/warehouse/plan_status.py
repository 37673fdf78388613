"""Outcome: what forecast and plan come to, in numbers that a screen or an alert can use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rtlib.domains import ALL_SITES
from rtlib.warehouse.connection import query
from rtlib.warehouse.ingest import HISTORY
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@dataclass(frozen=True, slots=True)
class Shortage:
    """The worst interval of a stretch of a plan; ``people`` is None where nothing is planned."""

    people: float | None
    interval: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What forecast and plan of a domain come to; None where there is none.

    Attributes:
        forecast_at: When the newest forecast was made (UTC).
        champions: The models that were chosen, the most frequent first.
        wape: Their mean error in the backtest, weighted alike over the sites.
        coverage: How often their 80 % interval held.
        sites: How many series have one.
        forecast_until: The end of what is forecast (UTC); in the past when nothing of it lies ahead.
        next_day: Events expected in the intervals that end within a day from now; None where none lies ahead.
        planned_at: When the newest plan was made (UTC).
        planned_until: The end of what is planned (UTC).
        needed_now: People that the interval of this moment needs, over all sites; None outside the plan.
        next_peak: The most that any interval from now on needs.
        gap: The worst interval from now on: by how many people it falls short, 0 when none does, and which it is.
    """

    forecast_at: datetime | None
    champions: str
    wape: float | None
    coverage: float | None
    sites: int
    forecast_until: datetime | None
    next_day: float | None
    planned_at: datetime | None
    planned_until: datetime | None
    needed_now: float | None
    next_peak: float | None
    gap: Shortage


def outcome(connection: SnowflakeConnection, domain: str, *, now: datetime) -> Outcome:
    """What forecast and plan of a domain come to at a moment, by queries that stay small.

    Of earlier forecasts and plans the tables keep what lay before the newer ones. So that is left out by the clock, and
    what lies ahead is there once.

    Raises:
        WarehouseError: The warehouse refused a query or did not answer.
    """
    best = query(connection, _CHAMPIONS, (domain,))
    at = moment_text(now)
    ahead = query(connection, _AHEAD, (at, domain))[0]
    plan = query(connection, _PLAN, (at, domain))[0]
    planned_until = _moment(plan["until"])
    names = Counter(row["model"] for row in best)
    return Outcome(
        forecast_at=_moment(ahead["made_at"]),
        champions=", ".join(f"{name} ({count})" for name, count in names.most_common()),
        wape=_mean([row["wape"] for row in best]),
        coverage=_mean([row["coverage_80"] for row in best]),
        sites=len(best),
        forecast_until=_moment(ahead["until"]),
        next_day=ahead["expected"],
        planned_at=_moment(plan["made_at"]),
        planned_until=planned_until,
        needed_now=plan["needed_now"],
        next_peak=plan["next_peak"],
        gap=shortage(connection, domain, now=now, until=planned_until or now),
    )


_CHAMPIONS = (
    f"select model, wape, coverage_80 from ML.BACKTESTS where domain = ? and is_champion and site <> '{ALL_SITES}'"
)
_AHEAD = f"""
select
    max(made_at) as made_at,
    max(ends) as until,
    sum(iff(ends > now and ends <= dateadd(day, 1, now), mean, null)) as expected
from (
    select
        made_at,
        mean,
        dateadd(minute, interval_minutes, interval_start) as ends,
        cast(? as timestamp_ntz) as now
    from ML.FORECASTS
    where domain = ? and is_champion and site <> '{ALL_SITES}'
) by_interval
"""
_PLAN = """
select
    max(made_at) as made_at,
    max(ends) as until,
    max(iff(ends > now and interval_start <= now, required, null)) as needed_now,
    max(iff(ends > now, required, null)) as next_peak
from (
    select
        interval_start,
        max(made_at) as made_at,
        max(dateadd(minute, interval_minutes, interval_start)) as ends,
        sum(required) as required,
        max(cast(? as timestamp_ntz)) as now
    from OPS.STAFFING
    where domain = ?
    group by interval_start
) by_interval
"""


def _mean(values: Sequence[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return sum(known) / len(known) if known else None


def _moment(told: datetime | None) -> datetime | None:
    """The warehouse's times carry no zone and are UTC; where nothing is, fakesnow tells of 1970."""
    return None if told is None or told.year < 2000 else told.replace(tzinfo=UTC)


def shortage(connection: SnowflakeConnection, domain: str, *, now: datetime, until: datetime | None = None) -> Shortage:
    """By how many people the plan falls short at worst, over all sites, until a moment or in the next two hours.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    rows = query(connection, _SHORTAGE, (domain, moment_text(now), moment_text(until or now + _SOON)))
    if not rows:
        return Shortage(None, None)
    return Shortage(float(rows[0]["people"]), _moment(rows[0]["interval_start"]))


_SOON = timedelta(hours=2)
_SHORTAGE = """
select interval_start, sum(greatest(required - planned, 0)) as people
from OPS.STAFFING
where domain = ?
    and dateadd(minute, interval_minutes, interval_start) > cast(? as timestamp_ntz)
    and interval_start < cast(? as timestamp_ntz)
group by interval_start
order by people desc, interval_start
limit 1
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What came in an interval, against the upper bound of its forecast, both in events."""

    interval: datetime
    events: int
    upper_80: float

    @property
    def percent(self) -> float:
        """What came, in percent of the upper bound."""
        return 100.0 * self.events / self.upper_80


def load_of_forecast(
    connection: SnowflakeConnection, domain: str, *, kinds: Sequence[str], now: datetime
) -> Load | None:
    """The load of the interval that ended last, and the upper bound of its forecast.

    None where no forecast covers that interval, so that an old forecast calls nobody; and None while the forecast
    rests on loaded history alone: the simulator's live stream is hundreds of times as dense as the history it loads.

    Raises:
        WarehouseError: The warehouse refused a query or did not answer.
    """
    found = query(connection, _LAST_FORECAST, (domain, moment_text(now), moment_text(now)))
    if not found or not found[0]["upper_80"]:
        return None
    begin, end = found[0]["interval_start"], found[0]["interval_end"]
    if not query(connection, _LIVE_BEFORE, (domain, HISTORY, moment_text(begin - timedelta(days=1)))):
        return None
    marks = ", ".join("?" for _ in kinds)
    row = query(
        connection,
        f"select count(*) as n from RAW.EVENTS where domain = ? and kind in ({marks}) "
        "and occurred_at >= cast(? as timestamp_ntz) and occurred_at < cast(? as timestamp_ntz)",
        (domain, *kinds, moment_text(begin), moment_text(end)),
    )[0]
    return Load(begin.replace(tzinfo=UTC), int(row["n"]), float(found[0]["upper_80"]))


_LIVE_BEFORE = """
select 1 as one from RAW.EVENTS where domain = ? and topic <> ? and occurred_at < cast(? as timestamp_ntz) limit 1
"""
_LAST_FORECAST = f"""
select interval_start, dateadd(minute, interval_minutes, interval_start) as interval_end, upper_80
from ML.FORECASTS
where domain = ? and site = '{ALL_SITES}' and is_champion
    and dateadd(minute, interval_minutes, interval_start) <= cast(? as timestamp_ntz)
    and dateadd(minute, 2 * interval_minutes, interval_start) > cast(? as timestamp_ntz)
order by interval_start desc, made_at desc
limit 1
"""
