"""Shifts on the day on which the clock changes: they begin and end by the clock, and are paid for what they last."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from rtlib.domains import Staffing, load_domain
from rtlib.errors import ConfigError
from rtlib.staffing import opening, paid_hour, roster, shift_menu
from rtlib.staffing.whatif import DayDemand, what_if

ORDINARY = tuple(range(0, 1440, 30))
SPRING = tuple(shown for shown in ORDINARY if not 120 <= shown < 180)  # 2 o'clock is skipped
AUTUMN = (*ORDINARY[:6], 120, 150, *ORDINARY[6:])  # and repeated
LORD_HOWE = (*ORDINARY[:4], 90, *ORDINARY[4:])  # half past 1 is repeated


def a_role(**changed: Any) -> Staffing:
    night = {"open_hour": 0, "close_hour": 8, "shift_hours": (8,), "break_minutes": 30, "least": 1}
    return dataclasses.replace(load_domain("curbside").staffing, **{**night, **changed})


@pytest.mark.parametrize(("clock", "lasts"), [(ORDINARY, 8.0), (SPRING, 7.0), (AUTUMN, 9.0), (LORD_HOWE, 8.5)])
def test_a_night_shift_over_the_change_is_paid_for_the_hours_that_it_lasts(clock: Sequence[int], lasts: float) -> None:
    role = a_role()
    plan = roster(role, [1] * len(clock), interval_minutes=30, clock=clock)
    assert len(plan.staffed) == len(clock)
    assert len(plan.opens) == 2 * lasts
    people = sum(count for _, count in plan.shifts)
    assert {shift.length for shift, _ in plan.shifts} == {2 * lasts}
    assert plan.wages == pytest.approx(people * (lasts - 0.5) * paid_hour(role))  # the break is unpaid
    assert sum(plan.staffed) == people * (2 * lasts - 1)
    assert {shift.start for shift, _ in plan.shifts} == {0}


@pytest.mark.parametrize("clock", [SPRING, AUTUMN, LORD_HOWE])
def test_shifts_and_opening_hours_begin_and_end_by_the_clock(clock: Sequence[int]) -> None:
    role = a_role(open_hour=1, close_hour=14, shift_hours=(4, 8))
    shown = (*clock, 1440)
    opens = opening(role, interval_minutes=30, clock=clock)
    assert (shown[opens.start], shown[opens.stop]) == (60, 840)
    for shift in shift_menu(role, interval_minutes=30, clock=clock):
        begin, end = shown[shift.start], shown[shift.start + shift.length]
        skipped = clock == SPRING and 180 in (begin, end)  # a shift of 2 o'clock begins or ends when it is 3
        assert skipped or (end - begin in (240, 480) and begin % 60 == 0)


def test_a_shift_after_the_change_lasts_what_it_always_does() -> None:
    role = a_role(open_hour=9, close_hour=17)
    for clock in (SPRING, AUTUMN):
        plan = roster(role, [2] * len(clock), interval_minutes=30, clock=clock)
        assert plan.wages == roster(role, [2] * 48, interval_minutes=30).wages
        assert {clock[shift.start] for shift, _ in plan.shifts} == {540}


def test_no_shift_is_left_of_an_hour_that_the_clock_skips() -> None:
    role = a_role(shift_hours=(1,), break_minutes=0)
    assert len(shift_menu(role, interval_minutes=30)) == 8
    menu = shift_menu(role, interval_minutes=30, clock=SPRING)
    assert sorted(shift.start for shift in menu) == [0, 2, 4, 6, 8, 10, 12]
    assert len(shift_menu(role, interval_minutes=30, clock=AUTUMN)) == 8


def test_a_day_of_24_hours_is_the_default() -> None:
    role, needed = load_domain("curbside").staffing, [2] * 20 + [7] * 10 + [3] * 18
    assert roster(role, needed, interval_minutes=30) == roster(role, needed, interval_minutes=30, clock=ORDINARY)


def test_a_need_that_has_other_intervals_than_the_day_is_refused() -> None:
    with pytest.raises(ConfigError, match="48 intervals of 30 minutes do not make a day") as caught:
        roster(a_role(), [1] * 48, interval_minutes=30, clock=AUTUMN)
    assert "give 50 numbers" in caught.value.cure


def test_what_if_pays_the_intervals_that_a_day_has() -> None:
    role, levels = a_role(), (0.25, 0.5, 0.75)
    paid = {
        len(clock): what_if(role, DayDemand(np.full((len(clock), 3), 10.0), levels, 30)).paid
        for clock in (SPRING, ORDINARY, AUTUMN)
    }
    assert paid[46] / 46 == pytest.approx(paid[48] / 48) == pytest.approx(paid[50] / 50)
