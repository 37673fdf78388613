"""Staffing score: the cost of plans made from forecasts, compared with perfect foresight and with last week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from rtlib.domains import ALL_SITES, Domain, Staffing, domain_names, load_domain
from rtlib.forecast import LEVELS, ForecastResult, Grid, choose, forecast_all
from rtlib.forecast.bank import bank_grid
from rtlib.forecast.grid import Numbers
from rtlib.forecast.run import TaskProgress
from rtlib.pipeline.planning.demand import INTERVAL_MINUTES, series_of
from rtlib.pipeline.planning.staff_plan import SLOTS, planned_level
from rtlib.simulator.interval_counts import simulated_load
from rtlib.staffing import Roster, hedged_roster, people_needed

DAYS, WARM_UP, SCORED = 42, 21, 7  # days of history, days that choose the champion, days that are planned
QUICK_WARM_UP = 14
BANK_SCORED, BANK_WARM_UP = 40, 30
UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
# Nothing is published about the bank's staff, so these are figures of a typical call centre, and the share of the calls
# is set for plans of a manageable size; the comparison does not depend on them.
BANK = Staffing(
    title="Bank agent", kinds=("call",), share=0.25, aht_seconds=210, service_level=0.8, within_seconds=20,
    shrinkage=0.3, hourly_cost=20.0, currency="USD", patience_seconds=180, pooled=True, missing_cost=76.0,
    open_hour=7, close_hour=21, shift_hours=(4, 6, 8), break_minutes=30,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlanScore:
    """The cost of a role's plans over some days: wages and missing hours.

    Attributes:
        name: The domain, or the bank's calls.
        days: Number of planned days.
        champions: The chosen model of each series.
        quantile: The quantile that the role plans for.
        forecast: Cost of plans for all quantiles of the champion's forecast, weighted by their probability.
        foresight: Cost of plans for the actual demand, with the same shifts.
        last_week: Cost of plans for the demand of the same weekday a week before.
        currency: Currency of the costs.
    """

    name: str
    days: int
    champions: tuple[str, ...]
    quantile: float
    forecast: float
    foresight: float
    last_week: float
    currency: str

    @property
    def against_foresight(self) -> float:
        """Cost of the forecast's plans as a multiple of foresight's; at best 1."""
        return self.forecast / self.foresight

    @property
    def against_last_week(self) -> float:
        """Cost of the forecast's plans as a multiple of last week's; below 1 the forecast pays off."""
        return self.forecast / self.last_week


def score_staffing(
    *, per_day: int, seed: int, quick: bool = False, workers: int = 2, notify: TaskProgress | None = None
) -> tuple[PlanScore, ...]:
    """Score plans for the bank and for every domain.

    Args:
        per_day: Simulated events a day in each domain.
        seed: The same seed gives the same events.
        quick: Use fewer days.
        workers: Number of processes.
        notify: Called after each task.
    """
    scores = [
        score_domain(load_domain(name), per_day=per_day, seed=seed, quick=quick, workers=workers, notify=notify)
        for name in domain_names()
    ]
    return (_bank(quick, workers, notify), *scores)


def score_domain(
    domain: Domain,
    *,
    per_day: int,
    seed: int,
    quick: bool = False,
    workers: int = 2,
    notify: TaskProgress | None = None,
) -> PlanScore:
    """Score plans for a domain over a whole week; the arguments are those of ``score_staffing``."""
    counts = simulated_load(domain, seed=seed, until=UNTIL, days=DAYS, per_day=per_day)
    series = series_of(counts, domain)
    stations = [grid for grid in series if (grid.unique_id == ALL_SITES) == domain.staffing.pooled]
    warm_up = QUICK_WARM_UP if quick else WARM_UP
    return _scored(domain.name, domain.staffing, stations, warm_up, SCORED, workers, notify)


def _bank(quick: bool, workers: int, notify: TaskProgress | None) -> PlanScore:
    grid = bank_grid(interval_minutes=INTERVAL_MINUTES)
    return _scored("bank calls", BANK, [grid], BANK_WARM_UP, BANK_SCORED // (4 if quick else 1), workers, notify)


def _scored(
    name: str,
    role: Staffing,
    stations: Sequence[Grid],
    warm_up: int,
    days: int,
    workers: int,
    notify: TaskProgress | None,
) -> PlanScore:
    results = forecast_all(stations, origins=warm_up + days, workers=workers, notify=notify)
    costs = [_costs(role, result, warm_up, index) for result in results for index in range(warm_up, warm_up + days)]
    forecast, foresight, last_week = np.sum(costs, axis=0).tolist()
    champions = tuple(_champion(result, warm_up) for result in results)
    return PlanScore(name, days, champions, planned_level(role), forecast, foresight, last_week, role.currency)


def _champion(result: ForecastResult, warm_up: int) -> str:
    return choose(result.backtest.scores(until=warm_up))


def _costs(role: Staffing, result: ForecastResult, warm_up: int, index: int) -> tuple[float, float, float]:
    """The cost of three plans for one day, given its actual demand: by forecast, by foresight, by last week."""
    grid, origin = result.grid, result.backtest.origins[index]
    bands = result.backtest.bands(_champion(result, warm_up))[index, 0]
    possible = [_needed(role, grid, bands[:, level]) for level in range(len(LEVELS))]
    actual, before = grid.filled()[origin], grid.filled()[_week_before(grid, grid.days[origin])]
    truth = _needed(role, grid, actual)
    rosters = [_plan(role, days) for days in (possible, [truth], [_needed(role, grid, before)])]
    by_forecast, by_foresight, by_last_week = (roster.cost(truth, missing_cost=role.missing_cost) for roster in rosters)
    return by_forecast, by_foresight, by_last_week


def _plan(role: Staffing, possible: Sequence[Sequence[int]]) -> Roster:
    return hedged_roster(role, possible, interval_minutes=INTERVAL_MINUTES)


def _needed(role: Staffing, grid: Grid, counts: Numbers) -> tuple[int, ...]:
    contacts = np.zeros(len(SLOTS))
    contacts[np.array(grid.slots) // INTERVAL_MINUTES] = counts * role.share
    return people_needed(role, contacts.tolist(), interval_minutes=INTERVAL_MINUTES)


def _week_before(grid: Grid, day: date) -> int:
    """The row of the same weekday a week before, or of the last such day that was open."""
    before = day - timedelta(days=7)
    while before not in grid.days:
        before -= timedelta(days=7)
    return grid.days.index(before)
