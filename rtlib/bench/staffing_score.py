"""Staffing score: what plans made from forecasts cost, against perfect foresight and against "same as last week"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from rtlib.domains import Domain, Staffing, domain_names, load_domain
from rtlib.forecast import LEVELS, ForecastResult, Grid, choose, forecast_all
from rtlib.forecast.bank import bank_grid
from rtlib.forecast.grid import Numbers
from rtlib.forecast.run import TaskProgress
from rtlib.pipeline.planning.demand import EVERYWHERE, INTERVAL_MINUTES, series_of
from rtlib.pipeline.planning.staff_plan import SLOTS, planned_level
from rtlib.simulator.interval_counts import simulated_load
from rtlib.staffing import Roster, hedged_roster, people_needed

DAYS, WARM_UP, SCORED = 42, 21, 7  # of history; days that choose the champion; days that are planned
QUICK_WARM_UP = 14
BANK_SCORED, BANK_WARM_UP = 40, 30
UNTIL = datetime(2026, 3, 2, tzinfo=UTC)
# Nothing is published about the bank's people, so these are figures of a usual call centre, and their share of the
# calls is set so that the plans are of a size one can look at; the comparison does not hang on them.
BANK = Staffing(
    title="Bank agent", kinds=("call",), share=0.25, aht_seconds=210, service_level=0.8, within_seconds=20,
    shrinkage=0.3, hourly_cost=20.0, currency="USD", patience_seconds=180, pooled=True, missing_cost=76.0,
    open_hour=7, close_hour=21, shift_hours=(4, 6, 8), break_minutes=30,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlanScore:
    """What a role's plans cost over some days, in ``currency``: wages, and the hours in which somebody was missing.

    ``forecast`` plans for all quantiles of the champion's forecast, weighed by their costs; ``foresight`` knows what
    will happen, but is bound to the same shifts; ``last_week`` plans what the same weekday a week before needed.
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
        """The forecast's cost as a multiple of foresight's: 1 cannot be beaten."""
        return self.forecast / self.foresight

    @property
    def against_last_week(self) -> float:
        """The forecast's cost as a multiple of last week's: below 1 the forecast has earned its keep."""
        return self.forecast / self.last_week


def score_staffing(
    *, per_day: int, seed: int, quick: bool = False, workers: int = 2, notify: TaskProgress | None = None
) -> tuple[PlanScore, ...]:
    """Score plans for the bank and for every domain.

    Args:
        per_day: Simulated events a day in each domain.
        seed: Same seed, same events.
        quick: Fewer days that choose the champion, and fewer of the bank's.
        workers: How many processes.
        notify: Called after each piece of work.
    """
    worlds = [load_domain(name) for name in domain_names()]
    scored = [
        score_domain(one, per_day=per_day, seed=seed, quick=quick, workers=workers, notify=notify) for one in worlds
    ]
    return (_bank(quick, workers, notify), *scored)


def score_domain(
    domain: Domain,
    *,
    per_day: int,
    seed: int,
    quick: bool = False,
    workers: int = 2,
    notify: TaskProgress | None = None,
) -> PlanScore:
    """Score plans for one domain, on a whole week; the arguments are those of ``score_staffing``."""
    counts = simulated_load(domain, seed=seed, until=UNTIL, days=DAYS, per_day=per_day)
    stations = [one for one in series_of(counts, domain) if (one.unique_id == EVERYWHERE) == domain.staffing.pooled]
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
    found = forecast_all(stations, origins=warm_up + days, workers=workers, notify=notify)
    costs = [_costs(role, one, warm_up, place) for one in found for place in range(warm_up, warm_up + days)]
    forecast, foresight, last_week = np.sum(costs, axis=0).tolist()
    champions = tuple(_champion(one, warm_up) for one in found)
    return PlanScore(name, days, champions, planned_level(role), forecast, foresight, last_week, role.currency)


def _champion(found: ForecastResult, warm_up: int) -> str:
    return choose(found.backtest.scores(until=warm_up))


def _costs(role: Staffing, found: ForecastResult, warm_up: int, place: int) -> tuple[float, float, float]:
    """What three plans for one day cost when that day comes: by forecast, by foresight, by last week."""
    grid, origin = found.grid, found.backtest.origins[place]
    bands = found.backtest.bands(_champion(found, warm_up))[place, 0]
    possible = [_needed(role, grid, bands[:, place]) for place in range(len(LEVELS))]
    actual, before = grid.filled()[origin], grid.filled()[_week_before(grid, grid.days[origin])]
    truth = _needed(role, grid, actual)
    plans = [_plan(role, one) for one in (possible, [truth], [_needed(role, grid, before)])]
    by_forecast, by_foresight, by_last_week = (one.cost(truth, missing_cost=role.missing_cost) for one in plans)
    return by_forecast, by_foresight, by_last_week


def _plan(role: Staffing, possible: Sequence[Sequence[int]]) -> Roster:
    return hedged_roster(role, possible, interval_minutes=INTERVAL_MINUTES)


def _needed(role: Staffing, grid: Grid, counts: Numbers) -> tuple[int, ...]:
    whole = np.zeros(SLOTS)
    whole[np.array(grid.slots) // INTERVAL_MINUTES] = counts * role.share
    return people_needed(role, whole.tolist(), interval_minutes=INTERVAL_MINUTES)


def _week_before(grid: Grid, day: date) -> int:
    """The row of the same weekday one week before, or of an earlier one where that day was closed."""
    before = day - timedelta(days=7)
    while before not in grid.days:
        before -= timedelta(days=7)
    return grid.days.index(before)
