"""Requirement, shifts and rosters: what must be covered is covered, at the lowest price, and by the rules."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
from collections.abc import Sequence
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pytest

from rtlib.domains import Staffing, domain_names, load_domain
from rtlib.errors import ConfigError
from rtlib.staffing import (
    Roster,
    critical_fractile,
    hedged_roster,
    newsvendor_costs,
    paid_hour,
    people_needed,
    requirement,
    roster,
    rostered,
    service_of,
    shift_menu,
)
from rtlib.staffing.whatif import DayDemand, changed, what_if

HALF_HOURS = 48


def a_role(**changed: Any) -> Staffing:
    return dataclasses.replace(load_domain("curbside").staffing, **changed)


@pytest.fixture(params=domain_names())
def role(request: pytest.FixtureRequest) -> Staffing:
    return load_domain(request.param).staffing


def a_day(*, quiet: int = 2, busy: int = 6, from_: int = 20, to: int = 30) -> list[int]:
    return [busy if from_ <= place < to else quiet for place in range(HALF_HOURS)]


# --- requirement ----------------------------------------------------------------------------------------------------


def test_the_role_of_a_domain_has_every_field_of_a_roster(role: Staffing) -> None:
    assert role.missing_cost > paid_hour(role)
    assert 0 <= role.open_hour < role.close_hour <= 24
    assert role.patience_seconds >= 0
    assert role.least >= 1
    assert shift_menu(role, interval_minutes=30)
    assert 0.5 <= critical_fractile(under=newsvendor_costs(role)[0], over=newsvendor_costs(role)[1]) < 0.9


def test_a_higher_cost_of_missing_people_raises_the_planned_quantile() -> None:
    assert critical_fractile(under=1, over=1) == 0.5
    assert critical_fractile(under=9, over=1) == 0.9
    with pytest.raises(ConfigError, match="costs of 0"):
        critical_fractile(under=0, over=1)


def test_the_critical_fractile_costs_least_on_average() -> None:
    # Demand is 0 … 99 with equal chances: try every plan.
    under, over = 3.0, 1.0
    cost = [sum(under * max(0, d - plan) + over * max(0, plan - d) for d in range(100)) for plan in range(100)]
    assert cost.index(min(cost)) / 100 == pytest.approx(critical_fractile(under=under, over=over), abs=0.011)


def test_shrinkage_rounds_up_but_not_because_of_rounding_errors() -> None:
    assert [rostered(agents, 0.25) for agents in (0, 1, 3, 6, 7)] == [0, 2, 4, 8, 10]
    assert rostered(7, 0.3) == 10  # 7 / 0.7 is a little more than 10 in floating point
    with pytest.raises(ConfigError, match="shrinkage of -0.1"):
        rostered(3, -0.1)


def test_the_people_of_an_interval_reach_the_service_level(role: Staffing) -> None:
    contacts = (0.0, 0.4, 3, 25, 120)
    people = people_needed(role, contacts, interval_minutes=30)
    assert people[0] == role.least
    assert list(people) == sorted(people)
    for count, agents in zip(contacts, people, strict=True):
        assert service_of(role, count, agents, interval_minutes=30).service_level >= role.service_level


def test_a_paid_hour_includes_shrinkage() -> None:
    assert paid_hour(a_role(hourly_cost=18, shrinkage=0.25)) == 24
    assert newsvendor_costs(a_role(hourly_cost=18, shrinkage=0.25, missing_cost=60)) == (36, 24)


def test_a_forecast_below_zero_counts_as_none() -> None:
    assert people_needed(a_role(), [-3.0], interval_minutes=30) == (1,)


def test_another_price_or_shrinkage_searches_no_agents_again(role: Staffing, monkeypatch: pytest.MonkeyPatch) -> None:
    before = people_needed(role, (0.0, 2.5, 40.0), interval_minutes=30)

    def refuse(*_: object) -> int:
        raise AssertionError("the same promise was computed again")

    monkeypatch.setattr(requirement, "_agents", refuse)
    other = dataclasses.replace(role, missing_cost=999, shrinkage=0.01, hourly_cost=1, least=role.least + 1)
    after = people_needed(other, (40.0, 2.5, 0.0), interval_minutes=30)
    assert after == tuple(max(other.least, people) for people in reversed(before))


def test_contacts_between_two_with_the_same_need_are_not_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    role = a_role(aht_seconds=181)  # a service target that is not cached
    honest, searches = requirement._agents, []
    monkeypatch.setattr(requirement, "_agents", lambda *given: (searches.append(given), honest(*given))[1])
    days = [[50 + index + shift / 10 for index in range(50)] for shift in range(10)]
    plans = [people_needed(role, day, interval_minutes=30) for day in days]
    assert len(searches) < 150  # of 500
    for day, people in zip(days, plans, strict=True):
        for count, agents in zip(day, people, strict=True):
            assert service_of(role, count, agents, interval_minutes=30).service_level >= role.service_level
            assert service_of(role, count, agents - 1, interval_minutes=30).service_level < role.service_level


def test_nan_contacts_are_refused_and_do_not_count_as_0() -> None:
    with pytest.raises(ConfigError, match="not known") as caught:
        people_needed(a_role(), [3.0, float("nan")], interval_minutes=30)
    assert "rtlib backfill" in caught.value.cure


@pytest.mark.parametrize("wrong", [None, "many", True, float("inf"), -float("inf"), [3], b"3"], ids=repr)
def test_invalid_contacts_are_refused_with_their_interval(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="interval 1 has .* contacts") as caught:
        people_needed(a_role(), [3.0, wrong], interval_minutes=30)
    assert caught.value.cure


def test_contacts_as_a_warehouse_returns_them_are_accepted() -> None:
    needed_people = people_needed(a_role(), [Decimal("12.5"), np.float64(12.5), -3], interval_minutes=30)
    assert needed_people == people_needed(a_role(), [12.5, 12.5, 0], interval_minutes=30)


@pytest.mark.parametrize("wrong", [None, "many", True, 2.5, -1, float("nan"), float("inf"), 10**9, [3]], ids=repr)
def test_an_invalid_need_is_refused_with_its_interval(wrong: Any) -> None:
    day: list[Any] = a_day()
    day[17] = wrong
    with pytest.raises(ConfigError, match="interval 17 needs .* people") as caught:
        roster(a_role(), day, interval_minutes=30)
    assert caught.value.cure


def test_a_roster_for_no_day_is_refused() -> None:
    with pytest.raises(ConfigError, match="no day to plan for"):
        hedged_roster(a_role(), [], interval_minutes=30)


@pytest.mark.parametrize(
    "figures",
    [
        {"service_level": 0},
        {"service_level": 1},
        {"service_level": 1.2},
        {"service_level": float("nan")},
        {"service_level": "high"},
        {"shrinkage": 1},
        {"shrinkage": -0.1},
        {"cost_ratio": 0},
        {"cost_ratio": float("inf")},
        {"cost_ratio": True},
    ],
    ids=repr,
)
def test_a_figure_of_a_role_outside_its_bounds_is_refused(figures: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(figures))} is .*") as caught:
        changed(a_role(), **figures)
    assert caught.value.cure.startswith("give a number ")


def test_a_demand_whose_columns_are_not_its_levels_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"shape \(48, 3\) for 2 levels"):
        what_if(a_role(), DayDemand(np.ones((48, 3)), (0.1, 0.9), 30))
    with pytest.raises(ConfigError, match="level is 1.5"):
        what_if(a_role(), DayDemand(np.ones((48, 2)), (0.1, 0.9), 30), level=1.5)


# --- shifts ---------------------------------------------------------------------------------------------------------


def test_shifts_keep_the_rules(role: Staffing) -> None:
    for shift in shift_menu(role, interval_minutes=30):
        assert role.open_hour * 2 <= shift.start
        assert shift.start + shift.length <= role.close_hour * 2
        assert shift.length / 2 in role.shift_hours
        assert (shift.rest > 0) == (shift.length > 10)
        assert shift.paid == sum(shift.works(place) for place in range(HALF_HOURS))
        if shift.rest:
            assert shift.start < shift.break_at and shift.break_at + shift.rest < shift.start + shift.length


def test_opening_hours_too_short_for_any_shift_are_refused() -> None:
    with pytest.raises(ConfigError, match="no shift of"):
        shift_menu(a_role(open_hour=9, close_hour=12), interval_minutes=30)
    with pytest.raises(ConfigError, match="interval of 25 minutes"):
        shift_menu(a_role(), interval_minutes=25)


# --- rosters --------------------------------------------------------------------------------------------------------


def test_a_roster_covers_the_day_if_gaps_are_expensive(role: Staffing) -> None:
    dear = dataclasses.replace(role, missing_cost=10_000)
    needed = [5 + place % 7 for place in range(HALF_HOURS)]
    result = roster(dear, needed, interval_minutes=30)
    # The break of a shift may leave a gap only where no other shift can fill it.
    open_at = range(role.open_hour * 2, role.close_hour * 2)
    assert all(result.staffed[slot] >= needed[slot] for slot in open_at)
    assert all(result.staffed[slot] == 0 for slot in range(HALF_HOURS) if slot not in open_at)


def test_wages_are_the_paid_hours(role: Staffing) -> None:
    result = roster(role, a_day(), interval_minutes=30)
    paid = sum(shift.paid * number for shift, number in result.shifts)
    assert result.wages == pytest.approx(paid / 2 * paid_hour(role))
    assert sum(result.staffed) == paid
    assert result.currency == role.currency


def test_a_short_peak_stays_uncovered_if_a_shift_costs_more() -> None:
    role = a_role(hourly_cost=15, missing_cost=30)
    needed = [2] * HALF_HOURS
    needed[25] = 3
    result = roster(role, needed, interval_minutes=30)
    assert 0.5 <= result.missing_hours(needed) <= 2
    assert result.cost(needed, missing_cost=30) == result.wages + 30 * result.missing_hours(needed)


def test_at_least_the_minimum_is_always_present(role: Staffing) -> None:
    result = roster(role, [role.least] * HALF_HOURS, interval_minutes=30)
    assert min(result.staffed[slot] for slot in result.opens) >= role.least


def test_a_break_that_leaves_too_few_people_is_named_as_the_cause() -> None:
    role = a_role(open_hour=8, close_hour=14, shift_hours=(6,), break_minutes=180)
    with pytest.raises(ConfigError, match="breaks of 180 minutes") as caught:
        roster(role, [1] * HALF_HOURS, interval_minutes=30)
    assert "break_minutes" in caught.value.cure and "fewer shift lengths" not in caught.value.cure


def test_a_hedged_roster_costs_no_more_on_average_than_one_for_any_single_day() -> None:
    role = a_role(hourly_cost=15, missing_cost=40)
    days = [[extra + (2 if 20 <= place < 24 else 0) for place in range(HALF_HOURS)] for extra in (1, 2, 2, 3, 6)]

    def average(plan: Roster) -> float:
        return sum(plan.cost(day, missing_cost=role.missing_cost) for day in days) / len(days)

    hedged = average(hedged_roster(role, days, interval_minutes=30))
    assert all(hedged <= 1.005 * average(roster(role, day, interval_minutes=30)) for day in days)
    assert hedged < 0.97 * average(roster(role, [max(day) for day in zip(*days, strict=True)], interval_minutes=30))


def test_a_hedged_roster_for_a_certain_day_is_the_roster() -> None:
    once, thrice = (hedged_roster(a_role(), count * [a_day()], interval_minutes=30) for count in (1, 3))
    assert once.wages == pytest.approx(thrice.wages, rel=0.01)
    assert once == roster(a_role(), a_day(), interval_minutes=30)


def cheapest_by_trying(role: Staffing, needed: Sequence[int]) -> float:
    menu = shift_menu(role, interval_minutes=60)
    best = float("inf")
    for counts in product(range(3), repeat=len(menu)):
        staffed = [sum(n for shift, n in zip(menu, counts, strict=True) if shift.works(slot)) for slot in range(24)]
        open_at = range(role.open_hour, role.close_hour)
        if min(staffed[slot] for slot in open_at) < role.least:
            continue
        gaps = sum(max(0, needed[slot] - staffed[slot]) for slot in open_at)
        paid = sum(shift.paid * n for shift, n in zip(menu, counts, strict=True))
        best = min(best, paid * paid_hour(role) + gaps * role.missing_cost)
    return best


@pytest.mark.parametrize("busy", [1, 2])
def test_the_integer_program_finds_the_optimum_of_an_exhaustive_search(busy: int) -> None:
    role = a_role(open_hour=8, close_hour=14, shift_hours=(3, 4), missing_cost=45)
    needed = [busy if 9 <= hour < 12 else 1 for hour in range(24)]
    result = roster(role, needed, interval_minutes=60)
    assert result.cost(needed, missing_cost=45) == pytest.approx(cheapest_by_trying(role, needed), rel=0.003)


def test_a_day_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="47 intervals") as caught:
        roster(a_role(), [1] * 47, interval_minutes=30)
    assert "48 numbers" in caught.value.cure


def test_a_roster_cannot_be_changed() -> None:
    result = roster(a_role(), a_day(), interval_minutes=30)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.wages = 0  # type: ignore[misc]


def test_the_examples_in_the_docstrings_hold() -> None:
    for name in ("erlang_c", "requirement"):
        module = importlib.import_module(f"rtlib.staffing.{name}")
        result = doctest.testmod(module)
        assert result.attempted > 0
        assert result.failed == 0
