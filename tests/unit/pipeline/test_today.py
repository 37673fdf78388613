"""Today: closed intervals are judged by the band, the running one by the share of it that is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rtlib.pipeline.planning.demand import INTERVAL
from rtlib.pipeline.planning.today import compare, midnight
from rtlib.warehouse.recent_load import RecentLoad

MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)


def row(number: int, mean: float = 100.0) -> dict[str, Any]:
    begin = (MORNING + number * INTERVAL).replace(tzinfo=None)
    return {"interval_start": begin, "mean": mean, "lower_80": 0.9 * mean, "upper_80": 1.1 * mean}


def load(*events: int, minutes: float = 30.0) -> RecentLoad:
    """Intervals from the morning on; ``minutes`` of the last are over."""
    newest = MORNING + (len(events) - 1) * INTERVAL + timedelta(minutes=minutes)
    return RecentLoad({MORNING + number * INTERVAL: count for number, count in enumerate(events)}, newest)


def test_closed_intervals_lie_inside_or_outside_the_band_its_edges_included() -> None:
    today = compare([row(number) for number in range(9)], load(90, 110, 89, 111, 100), since=MORNING)
    assert today is not None
    assert (today.intervals, today.inside, today.inside_share) == (5, 3, 0.6)
    assert (today.events, today.expected, today.excess) == (500, 500, 0)


def test_of_the_running_interval_the_share_that_is_over_is_expected() -> None:
    today = compare([row(0), row(1), row(2)], load(100, 60, minutes=15), since=MORNING)
    assert today is not None
    assert (today.intervals, today.inside) == (1, 1)
    assert (today.events, today.expected) == (160, 150)
    assert today.excess == pytest.approx(10 / 150)


def test_an_interval_without_events_counts_as_empty() -> None:
    today = compare([row(0), row(1)], RecentLoad({MORNING: 100}, MORNING + 2 * INTERVAL), since=MORNING)
    assert today is not None
    assert (today.intervals, today.inside, today.events) == (2, 1, 100)


def test_intervals_before_midnight_and_without_a_forecast_are_left_out() -> None:
    today = compare([row(0), row(1)], load(999, 100, 999), since=MORNING + INTERVAL)
    assert today is not None
    assert (today.intervals, today.inside, today.events) == (1, 1, 100)


@pytest.mark.parametrize("rows", [[], [row(5)]])
def test_without_a_forecast_of_what_came_there_is_nothing_to_compare(rows: list[dict[str, Any]]) -> None:
    assert compare(rows, load(100, 100), since=MORNING) is None


def test_without_events_there_is_nothing_to_compare() -> None:
    assert compare([row(0)], RecentLoad({}, None), since=MORNING) is None


@pytest.mark.parametrize(
    ("zone", "begin"),
    [
        ("America/Los_Angeles", datetime(2026, 3, 8, 8, tzinfo=UTC)),  # the clocks change at 10:00 UTC
        ("Asia/Kolkata", datetime(2026, 3, 8, 18, 30, tzinfo=UTC)),
        ("UTC", datetime(2026, 3, 8, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_midnight_by_the_domain_s_clock(zone: str, begin: datetime) -> None:
    assert midnight(datetime(2026, 3, 8, 20, 15, tzinfo=UTC), zone) == begin
