"""Plan status: forecast and plan of a domain, summarised in numbers for a screen or an alert."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rtlib.domains import ALL_SITES
from rtlib.warehouse.connection import query
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


@dataclass(frozen=True, slots=True)
class Shortage:
    """The interval in which most people are missing, of one kind of gap; ``people`` is None if nothing is planned."""

    people: float | None
    interval: datetime | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Forecast and plan of a domain in numbers; fields are None if there is no forecast or plan.

    Attributes:
        forecast_at: Time of the newest forecast (UTC).
        champions: The chosen models, the most frequent first.
        wape: Their mean WAPE in the backtest, with equal weight for each site.
        coverage: Mean coverage of their 80 % interval.
        sites: Number of series with a champion.
        forecast_until: End of the forecast (UTC); in the past if no interval lies ahead.
        next_day: Events expected in the intervals that end within a day from now; None if no interval lies ahead.
        planned_at: Time of the newest plan (UTC).
        planned_until: End of the plan (UTC).
        needed_now: People needed in the current interval by the newest forecast, over all sites; None outside the plan.
        next_peak: Largest number of people needed in any interval from now on, by the newest forecast.
        beyond: The interval from now on in which the need has grown most beyond what the plan knew.
        accepted: The interval from now on in which the plan accepts the largest gap.
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
    beyond: Shortage
    accepted: Shortage


def outcome(connection: SnowflakeConnection, domain: str, *, now: datetime) -> Outcome:
    """Summarise forecast and plan of a domain at the moment ``now``, by small queries.

    The tables keep earlier forecasts and plans of past intervals only, so each interval ahead occurs once.

    Raises:
        WarehouseError: The warehouse refused a query or did not answer.
    """
    champions = query(connection, _CHAMPIONS, (domain,))
    moment = moment_text(now)
    ahead = query(connection, _AHEAD, (moment, domain))[0]
    plan = query(connection, _PLAN, (moment, domain))[0]
    planned_until = _moment(plan["until"])
    models = Counter(row["model"] for row in champions)
    return Outcome(
        forecast_at=_moment(ahead["made_at"]),
        champions=", ".join(f"{name} ({count})" for name, count in models.most_common()),
        wape=_mean([row["wape"] for row in champions]),
        coverage=_mean([row["coverage_80"] for row in champions]),
        sites=len(champions),
        forecast_until=_moment(ahead["until"]),
        next_day=ahead["expected"],
        planned_at=_moment(plan["made_at"]),
        planned_until=planned_until,
        needed_now=plan["needed_now"],
        next_peak=plan["next_peak"],
        beyond=shortage(connection, domain, now=now, until=planned_until or now),
        accepted=_largest(connection, domain, _ACCEPTED, now=now, until=planned_until or now),
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
        sum(coalesce(needed, required)) as required,
        max(cast(? as timestamp_ntz)) as now
    from OPS.STAFFING
    where domain = ?
    group by interval_start
) by_interval
"""


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _moment(moment: datetime | None) -> datetime | None:
    """An aware moment; times in the warehouse are UTC without a time zone, and fakesnow returns 1970 for NULL."""
    return None if moment is None or moment.year < 2000 else moment.replace(tzinfo=UTC)


def shortage(connection: SnowflakeConnection, domain: str, *, now: datetime, until: datetime | None = None) -> Shortage:
    """The largest need beyond the plan over all sites, until a moment or in the next two hours.

    A plan weighs costs: it may have fewer people than an interval requires. That gap is its choice. People are short
    where the newest forecast needs more than both the people on the plan and the people that the plan knew to be
    required.

    Raises:
        WarehouseError: The warehouse refused the query or did not answer.
    """
    return _largest(connection, domain, _BEYOND, now=now, until=until or now + _SOON)


def _largest(connection: SnowflakeConnection, domain: str, gap: str, *, now: datetime, until: datetime) -> Shortage:
    rows = query(connection, _SHORTAGE.format(gap=gap), (domain, moment_text(now), moment_text(until)))
    if not rows:
        return Shortage(None, None)
    return Shortage(float(rows[0]["people"]), _moment(rows[0]["interval_start"]))


_SOON = timedelta(hours=2)
_BEYOND = "coalesce(needed, required) - greatest(required, planned)"  # a plan from before knows no newer need
_ACCEPTED = "required - planned"
_SHORTAGE = """
select interval_start, sum(greatest({gap}, 0)) as people
from OPS.STAFFING
where domain = ?
    and dateadd(minute, interval_minutes, interval_start) > cast(? as timestamp_ntz)
    and interval_start < cast(? as timestamp_ntz)
group by interval_start
order by people desc, interval_start
limit 1
"""
