"""The pictures and what moves them: they show the numbers they are given, and a slider's work is light."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from rtlib.domains import Staffing, domain_names, load_domain
from rtlib.errors import ConfigError
from rtlib.forecast import LEVELS, MODELS, ForecastResult, charts, forecast_all
from rtlib.staffing import Roster, paid_hour, people_needed, roster
from rtlib.staffing import charts as people_charts
from rtlib.staffing.whatif import DayDemand, changed, what_if
from support.forecast_series import a_grid


@pytest.fixture(scope="module")
def outlook() -> ForecastResult:
    return forecast_all([a_grid()], origins=4, models=MODELS[:3], workers=1)[0]


@pytest.fixture(params=domain_names())
def role(request: pytest.FixtureRequest) -> Staffing:
    return load_domain(request.param).staffing


def a_demand() -> DayDemand:
    middle = 40 + 30 * np.sin(np.arange(48) / 48 * 2 * np.pi)
    return DayDemand(middle[:, None] * np.linspace(0.8, 1.2, len(LEVELS)), tuple(LEVELS.tolist()), 30)


def test_the_heat_map_shows_every_count(outlook: ForecastResult) -> None:
    assert np.array_equal(charts.days_chart(outlook.grid).data[0].z, outlook.grid.values)


def test_the_scores_put_the_champion_in_colour(outlook: ForecastResult) -> None:
    (bars,) = charts.scores_chart(outlook).data
    assert bars.marker.color[list(bars.y).index(outlook.champion)] == charts.BLUE
    assert list(bars.x) == sorted(bars.x, reverse=True)


def test_the_backtest_chart_shows_the_forecast_of_a_day_and_the_actual_values(outlook: ForecastResult) -> None:
    figure = charts.backtest_chart(outlook, "regression", 3)
    named = {trace.name: trace for trace in figure.data}
    assert np.array_equal(named["actual"].y, outlook.grid.values[-1])
    assert np.array_equal(named["forecast"].y, outlook.backtest.points["regression"][3].ravel())


def test_the_days_to_come_follow_those_that_are_known(outlook: ForecastResult) -> None:
    named = {trace.name: trace for trace in charts.future_chart(outlook).data}
    assert named["forecast"].x[0] > named["known"].x[-1]


def test_what_if_costs_least_where_the_role_plans(role: Staffing) -> None:
    best = what_if(role, a_demand())
    assert best.cost <= 1.01 * min(what_if(role, a_demand(), level=level).cost for level in LEVELS.tolist())


def test_what_if_answers_each_control(role: Staffing) -> None:
    plain = what_if(role, a_demand())
    assert what_if(changed(role, service_level=0.97), a_demand()).paid > plain.paid
    assert what_if(changed(role, cost_ratio=9), a_demand()).level == pytest.approx(0.9)
    dear = what_if(changed(role, shrinkage=0.45), a_demand())
    assert dear.paid / sum(dear.needed) > plain.paid / sum(plain.needed)
    assert changed(role) == role


def test_changing_a_role_leaves_it_as_it_was(role: Staffing) -> None:
    before = dataclasses.replace(role)
    other = changed(role, service_level=0.9, cost_ratio=1, shrinkage=0.5)
    assert role == before
    assert other.missing_cost == pytest.approx(2 * paid_hour(other))


def test_a_sliders_work_is_bounded(role: Staffing, monkeypatch: pytest.MonkeyPatch) -> None:
    from rtlib.staffing import whatif

    calls = 0

    def counting(*given: object, **more: object) -> tuple[int, ...]:
        nonlocal calls
        calls += 1
        return people_needed(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(whatif, "people_needed", counting)
    what_if(role, a_demand())
    assert calls == 1 + len(LEVELS)  # one day for the plan, one for each quantile: no search, no solver


def test_the_pictures_of_people_show_their_numbers(role: Staffing) -> None:
    scenario = what_if(role, a_demand())
    assert list(people_charts.day_chart(a_demand(), scenario, role=role).data[1].y) == list(scenario.needed)
    assert len(people_charts.cost_chart(role, a_demand(), [0.2, 0.5, 0.8]).data) == 3
    service = people_charts.service_chart(10, aht_seconds=180, within_seconds=20, target=0.8).data[0]
    assert dict(zip(service.x, service.y, strict=True))[14] == pytest.approx(0.8884, abs=0.0001)
    shifts = roster(role, scenario.needed, interval_minutes=30)
    shown = people_charts.roster_chart(shifts, scenario.needed)
    assert list(shown.data[0].y) == [shifts.staffed[slot] for slot in shifts.opens]


def test_a_day_on_which_clocks_change_is_drawn_with_the_hours_that_they_show(role: Staffing) -> None:
    clock = [slot * 30 for slot in (*range(6), 4, 5, *range(6, 48))]  # 2:00 to 3:00 twice
    shifts = Roster((), (1,) * 50, range(50), 30, 0.0, role.currency)
    shown = people_charts.roster_chart(shifts, [2] * 50, clock=clock, place="Berlin")
    times = list(shown.data[0].x)
    assert len(set(times)) == 50  # a chart would put equal times into one place
    assert times[4:9] == ["02:00", "02:30", "02:00 again", "02:30 again", "03:00"]
    assert times[-1] == "23:30"
    assert shown.layout.xaxis.title.text == "time in Berlin"
    with pytest.raises(ConfigError, match="50 intervals"):
        people_charts.roster_chart(shifts, [2] * 50)
