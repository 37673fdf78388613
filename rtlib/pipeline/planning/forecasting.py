"""Outlook: forecasts of every site of a domain, and the people they ask for, stored in the warehouse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from rtlib.config import Settings
from rtlib.domains import Staffing, load_domain
from rtlib.errors import ConfigError
from rtlib.forecast import LEVELS, ForecastResult, forecast_all
from rtlib.forecast.grid import Numbers, moments
from rtlib.forecast.run import TaskProgress
from rtlib.pipeline import batch_log
from rtlib.pipeline.planning.demand import EVERYWHERE, INTERVAL_MINUTES, series_of
from rtlib.staffing import (
    Roster,
    critical_fractile,
    hedged_roster,
    newsvendor_costs,
    paid_hour,
    people_needed,
    service_of,
)
from rtlib.warehouse import plan_store as store
from rtlib.warehouse.connection import connect

ORIGINS, STEP = 4, 2  # at how many earlier days the models are tried, and how far apart
SLOTS = 24 * 60 // INTERVAL_MINUTES


@dataclass(frozen=True, slots=True)
class PlannedDay:
    """One day of one site (or of the whole domain): what is needed, and the shifts that cover it.

    ``expected`` and ``contacts`` are the mean and the planned quantile of each interval's contacts.
    """

    site: str
    day: date
    expected: tuple[float, ...]
    contacts: tuple[float, ...]
    needed: tuple[int, ...]
    roster: Roster


def forecast(
    settings: Settings, *, days: int = 7, workers: int = 2, notify: TaskProgress | None = None
) -> tuple[ForecastResult, ...]:
    """Forecast the load of every site of the domain, and of the domain, from what RAW holds; store it.

    The load is that of the kinds of event that the domain's staffing names, in half-hours. Running it again replaces
    what it wrote.

    Args:
        settings: Which domain, and where the warehouse is.
        days: How many days ahead.
        workers: How many processes.
        notify: Called after each piece of work.

    Raises:
        ConfigError: There is no history, or too little.
        WarehouseError: The warehouse refused a statement or did not answer.
    """
    domain = load_domain(settings.domain)
    kinds = domain.staffing.kinds
    with closing(connect(settings)) as connection:
        rows = store.interval_load(connection, domain.name, kinds=kinds, interval_minutes=INTERVAL_MINUTES)
        if not rows:
            raise ConfigError(f"the warehouse holds no events of the domain {domain.name}", cure="rtlib backfill")
        series = series_of(rows, domain)
        found = forecast_all(series, horizon=days, origins=ORIGINS, step=STEP, workers=workers, notify=notify)
        made_at = datetime.now(UTC)
        told = [row for one in found for row in _forecast_rows(one, made_at)]
        tried = [row for one in found for row in _backtest_rows(one, made_at)]
        store.write_forecasts(connection, domain.name, told, tried)
    batch_log.note(settings, "forecast", days)
    return found


def plan(settings: Settings, **changed: float) -> tuple[PlannedDay, ...]:
    """Plan the people for the days that are forecast, by the domain's targets and rules; store it.

    Running it again replaces what it wrote.

    Args:
        settings: Which domain, and where the warehouse is.
        **changed: Figures of the role to replace, as ``service_level=0.9``.

    Raises:
        ConfigError: There is no forecast.
        WarehouseError: The warehouse refused a statement or did not answer.
    """
    domain = load_domain(settings.domain)
    role = replace(domain.staffing, **changed)  # type: ignore[arg-type]
    with closing(connect(settings)) as connection:
        rows = store.read_forecasts(connection, domain.name)
        stations = {EVERYWHERE} if role.pooled else {one.id for one in domain.sites}
        by_day: dict[tuple[str, date], list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            if row["site"] in stations:
                by_day[row["site"], row["interval_start"].date()].append(row)
        if not by_day:
            raise ConfigError(f"there is no forecast of the domain {domain.name}", cure="rtlib staffing forecast")
        planned = tuple(_planned(role, site, day, some) for (site, day), some in sorted(by_day.items()))
        made_at = datetime.now(UTC)
        store.write_staffing(
            connection, domain.name, [row for one in planned for row in _staffing_rows(role, one, made_at)]
        )
    batch_log.note(settings, "plan", len(planned))
    return planned


def planned_day(
    role: Staffing, site: str, day: date, *, expected: Sequence[float], quantiles: Mapping[float, Sequence[float]]
) -> PlannedDay:
    """The shifts for one day: those that cost least on average over all quantiles of its forecast.

    Args:
        role: The people.
        site: Where they are.
        day: When.
        expected: The mean number of events in each interval of the day.
        quantiles: The quantiles of it, by level, which are equally far apart.
    """
    levels = sorted(quantiles)
    bands = role.share * np.array([quantiles[one] for one in levels])
    contacts = tuple(float(np.interp(planned_level(role), levels, one)) for one in bands.T)
    needed = people_needed(role, contacts, interval_minutes=INTERVAL_MINUTES)
    possible = [people_needed(role, one.tolist(), interval_minutes=INTERVAL_MINUTES) for one in bands]
    found = hedged_roster(role, possible, interval_minutes=INTERVAL_MINUTES)
    return PlannedDay(site, day, tuple(role.share * one for one in expected), contacts, needed, found)


def planned_level(role: Staffing) -> float:
    """The quantile of demand that the role's costs ask for."""
    under, over = newsvendor_costs(role)
    return critical_fractile(under=under, over=over)


def _planned(role: Staffing, site: str, day: date, rows: Sequence[Mapping[str, Any]]) -> PlannedDay:
    expected = [0.0] * SLOTS
    quantiles: dict[float, list[float]] = {level: [0.0] * SLOTS for level in LEVELS.tolist()}
    for row in rows:
        at = row["interval_start"]
        place = (at.hour * 60 + at.minute) // INTERVAL_MINUTES
        expected[place] = row["mean"]
        for level, contacts in row["quantiles"].items():
            quantiles[level][place] = contacts
    return planned_day(role, site, day, expected=expected, quantiles=quantiles)


def _forecast_rows(one: ForecastResult, made_at: datetime) -> list[dict[str, Any]]:
    starts = moments(one.days, one.grid.slots).to_pydatetime()
    return [
        {
            "site": one.grid.unique_id,
            "model": model,
            "made_at": made_at,
            "interval_start": start,
            "interval_minutes": one.grid.interval_minutes,
            "mean": float(mean),
            "lower_80": float(bands[_place(0.1)]),
            "upper_80": float(bands[_place(0.9)]),
            # Plans are made from the champion's.
            "quantiles": _levels(bands) if model == one.champion else None,
            "is_champion": model == one.champion,
        }
        for model, said in one.said.items()
        for start, mean, bands in zip(starts, said.ravel(), one.bands[model].reshape(len(starts), -1), strict=True)
    ]


def _backtest_rows(one: ForecastResult, made_at: datetime) -> list[dict[str, Any]]:
    common = {"site": one.grid.unique_id, "made_at": made_at, "horizon_days": one.backtest.horizon}
    common["origins"] = len(one.backtest.origins)
    return [
        {**common, "model": model, **asdict(score), "is_champion": model == one.champion,
         "why": one.why if model == one.champion else None}
        for model, score in one.scores.items()
    ]  # fmt: skip


def _staffing_rows(role: Staffing, one: PlannedDay, made_at: datetime) -> list[dict[str, Any]]:
    hours = INTERVAL_MINUTES / 60
    starts = moments([one.day], range(0, 24 * 60, INTERVAL_MINUTES)).to_pydatetime()
    return [
        {
            "site": one.site,
            "interval_start": starts[place],
            "interval_minutes": INTERVAL_MINUTES,
            "role": role.title,
            "quantile": planned_level(role),
            "contacts": one.contacts[place],
            "required": one.needed[place],
            "planned": one.roster.staffed[place],
            "service_level": _kept(role, one.expected[place], one.roster.staffed[place]),
            "cost": one.roster.staffed[place] * hours * paid_hour(role),
            "currency": role.currency,
            "made_at": made_at,
        }
        for place in one.roster.opens
    ]


def _kept(role: Staffing, contacts: float, agents: int) -> float:
    return service_of(role, contacts, agents, interval_minutes=INTERVAL_MINUTES).service_level


def _levels(bands: Numbers) -> dict[str, float]:
    return {f"{level:.2f}": round(float(band), 4) for level, band in zip(LEVELS, bands, strict=True)}


def _place(level: float) -> int:
    return int(np.argmin(np.abs(LEVELS - level)))
