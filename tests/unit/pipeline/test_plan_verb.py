"""What `rtlib staffing plan` prints: days of the site, and times with their place or in UTC."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
from typer.testing import CliRunner

from rtlib.cli import app
from rtlib.pipeline.planning import staff_plan
from rtlib.pipeline.planning.staff_plan import PlannedDay
from rtlib.staffing import Roster

MIDNIGHT = datetime(2026, 5, 1, 18, 30)  # UTC, of May 2 in Kolkata
PEAK = 3  # the interval with most people, from 01:30 there


@pytest.fixture(autouse=True)
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of one day at a site in Kolkata, without a warehouse."""
    people = tuple(5 if slot >= PEAK else 2 for slot in range(48))
    starts = tuple(MIDNIGHT + timedelta(minutes=30 * slot) for slot in range(48))
    numbers = tuple(map(float, people))
    shifts = Roster((), people, range(48), 30, 100.0, "EUR")
    day = PlannedDay("shop-india", date(2026, 5, 2), starts, numbers, numbers, people, shifts)
    monkeypatch.setattr(staff_plan, "plan", lambda settings: (day,))


def printed(*options: str) -> str:
    done = CliRunner().invoke(app, ["staffing", "plan", "--domain", "ecommerce", *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_planned_day_is_that_of_the_site_and_its_peak_is_given_with_the_place() -> None:
    assert "2026-05-02 shop-india: 0 shifts, at most 5 people at once, from 01:30 in Kolkata" in printed()


def test_times_are_in_utc_on_request() -> None:
    assert "at most 5 people at once, from 2026-05-01 20:00 UTC" in printed("--utc")


def test_the_json_has_the_time_zone_and_the_instant() -> None:
    (day,) = json.loads(printed("--json"))["days"]
    assert (day["time_zone"], day["day"]) == ("Asia/Kolkata", "2026-05-02")
    assert datetime.fromisoformat(day["peak_at"]).isoformat() == "2026-05-01T20:00:00+00:00"
