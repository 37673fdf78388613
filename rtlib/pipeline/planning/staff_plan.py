"""Staff plan: the people and shifts for the days that are forecast, stored in the warehouse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from rtlib.config import Settings
from rtlib.domains import ALL_SITES, Domain, Staffing, load_domain
from rtlib.errors import ConfigError
from rtlib.forecast import LEVELS
from rtlib.forecast.instants import Instants, instants
from rtlib.pipeline import batch_log
from rtlib.pipeline.planning.demand import INTERVAL_MINUTES
from rtlib.pipeline.runs import recorded
from rtlib.records import BatchJob
from rtlib.staffing import (
    Roster,
    critical_fractile,
    hedged_roster,
    newsvendor_costs,
    paid_hour,
    people_needed,
    service_of,
)
from rtlib.warehouse import plan_store
from rtlib.warehouse.connection import connect

SLOTS = range(0, 24 * 60, INTERVAL_MINUTES)  # begin of each interval of a day, in minutes after midnight
Row = Mapping[str, Any]
NOTHING: Row = {"mean": 0.0, "quantiles": {}}  # of an interval that is not forecast


@dataclass(frozen=True, slots=True)
class PlannedDay:
    """One day of one site, or of the whole domain.

    Attributes:
        site: Id of the site, or ``all``.
        day: The day in the time zone of the site, or of the domain.
        starts: Begin of each interval (UTC, without a time zone); 46 or 50 half-hours on a day on which clocks change.
        expected: Mean number of contacts in each interval.
        contacts: Number of contacts in each interval that is planned for, a quantile.
        needed: People needed for ``contacts``, by interval.
        roster: The shifts.
    """

    site: str
    day: date
    starts: tuple[datetime, ...]
    expected: tuple[float, ...]
    contacts: tuple[float, ...]
    needed: tuple[int, ...]
    roster: Roster


def plan(settings: Settings, **changes: float) -> tuple[PlannedDay, ...]:
    """Plan people for the days that are forecast, by the domain's service target and shift rules, and store the plan.

    A second run replaces what the first wrote.

    Example:
        >>> days = plan(load_settings(), service_level=0.9)  # doctest: +SKIP
        >>> days[0].roster.wages  # doctest: +SKIP
        1872.0

    Args:
        settings: The domain, and the address of the warehouse.
        **changes: Fields of the domain's ``Staffing`` to replace, for instance ``service_level=0.9``.

    Raises:
        ConfigError: There is no forecast.
        WarehouseError: The warehouse refused a statement or did not answer.
    """
    domain = load_domain(settings.domain)
    role = replace(domain.staffing, **changes)  # type: ignore[arg-type]
    with recorded(settings, BatchJob.PLAN) as run, closing(connect(settings)) as connection:
        by_day = _by_day(plan_store.read_forecasts(connection, domain.name), domain, role)
        if not by_day:
            raise ConfigError(f"there is no forecast of the domain {domain.name}", cure="rtlib staffing forecast")
        days = tuple(_planned(role, domain, site, day, rows) for (site, day), rows in sorted(by_day.items()))
        made_at = datetime.now(UTC)
        rows = [row for day in days for row in rows_of(role, day, made_at, changes)]
        plan_store.write_staffing(connection, domain.name, rows)
        run.rows = len(rows)
    batch_log.note(settings, "plan", len(days))
    return days


def planned_day(
    role: Staffing,
    site: str,
    day: date,
    *,
    expected: Sequence[float],
    quantiles: Mapping[float, Sequence[float]],
    at: Instants | None = None,
) -> PlannedDay:
    """Plan one day: the shifts that cost least on average over all quantiles of its forecast.

    Args:
        role: Service target, shift rules and costs.
        site: Id of the site, or ``all``.
        day: The day.
        expected: Mean number of events in each interval of the day.
        quantiles: Number of events in each interval, by quantile level; the levels are evenly spaced.
        at: Begin of each interval on the clock of the site, or of the domain; by default those of a day in UTC.
    """
    at = at or _intervals(day)
    clock = [SLOTS[cell] for cell in at.cells]
    starts = tuple(at.moments.to_pydatetime())
    levels = sorted(quantiles)
    bands = role.share * np.array([quantiles[level] for level in levels])
    contacts = tuple(float(np.interp(planned_level(role), levels, band)) for band in bands.T)
    needed = people_needed(role, contacts, interval_minutes=INTERVAL_MINUTES)
    possible = [people_needed(role, band.tolist(), interval_minutes=INTERVAL_MINUTES) for band in bands]
    roster = hedged_roster(role, possible, interval_minutes=INTERVAL_MINUTES, clock=clock)
    return PlannedDay(site, day, starts, tuple(role.share * events for events in expected), contacts, needed, roster)


def planned_level(role: Staffing) -> float:
    """The quantile of demand to plan for, from the costs of a missing and of an idle hour (newsvendor)."""
    under, over = newsvendor_costs(role)
    return critical_fractile(under=under, over=over)


def _intervals(day: date, time_zone: str | None = None) -> Instants:
    return instants([day], SLOTS, interval_minutes=INTERVAL_MINUTES, time_zone=time_zone)


def _stations(domain: Domain, role: Staffing) -> frozenset[str]:
    """The series that are planned: each site, or the whole domain for people who serve all of its sites."""
    return frozenset({ALL_SITES} if role.pooled else {site.id for site in domain.sites})


def _by_day(rows: Sequence[Row], domain: Domain, role: Staffing) -> dict[tuple[str, date], list[Row]]:
    """The rows of the series that are planned, by series and local day."""
    zones = {name: ZoneInfo(domain.time_zone_of(name)) for name in _stations(domain, role)}
    by_day: dict[tuple[str, date], list[Row]] = defaultdict(list)
    for row in rows:
        if row["site"] in zones:
            local = row["interval_start"].replace(tzinfo=UTC).astimezone(zones[row["site"]])
            by_day[row["site"], local.date()].append(row)
    return by_day


def _planned(role: Staffing, domain: Domain, site: str, day: date, rows: Sequence[Row]) -> PlannedDay:
    at = _intervals(day, domain.time_zone_of(site))
    forecast = {row["interval_start"]: row for row in rows}
    known = [forecast.get(start, NOTHING) for start in at.moments.to_pydatetime()]
    expected = [row["mean"] for row in known]
    quantiles = {level: [row["quantiles"].get(level, 0.0) for row in known] for level in LEVELS.tolist()}
    return planned_day(role, site, day, expected=expected, quantiles=quantiles, at=at)


def rows_of(role: Staffing, day: PlannedDay, made_at: datetime, changes: Mapping[str, float]) -> list[dict[str, Any]]:
    """The rows of a day for ``plan_store.write_staffing``, one for each interval of the opening hours.

    Args:
        role: The role, with the changes.
        day: The planned day.
        made_at: Time of the plan (UTC).
        changes: Fields of the domain's role that the plan replaced, so that a later forecast is judged in the same way.
    """
    hours = INTERVAL_MINUTES / 60
    return [
        {
            "site": day.site,
            "interval_start": day.starts[slot],
            "interval_minutes": INTERVAL_MINUTES,
            "role": role.title,
            "quantile": planned_level(role),
            "contacts": day.contacts[slot],
            "required": day.needed[slot],
            "planned": day.roster.staffed[slot],
            "service_level": _service_level(role, day.expected[slot], day.roster.staffed[slot]),
            "cost": day.roster.staffed[slot] * hours * paid_hour(role),
            "currency": role.currency,
            "made_at": made_at,
            "needed": day.needed[slot],
            "assumptions": dict(changes) or None,
        }
        for slot in day.roster.opens
    ]


def _service_level(role: Staffing, contacts: float, agents: int) -> float:
    return service_of(role, contacts, agents, interval_minutes=INTERVAL_MINUTES).service_level
