"""Series by local days: hours that a clock skips are missing, and hours that it repeats are kept as two."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from dateutil import tz as dateutil_tz
from hypothesis import given, settings
from hypothesis import strategies as st

from rtlib.errors import ConfigError
from rtlib.forecast import ForecastResult, Grid, forecast_all, grids
from rtlib.forecast.baseline import FOUR_WEEK_MEAN
from rtlib.forecast.charts import future_chart
from rtlib.forecast.clock import clock
from rtlib.forecast.instants import instants
from support.forecast_series import MONDAY, a_frame

# Both changes of 2026 and 2027, as the IANA database has them; Kolkata and Kathmandu have none.
CHANGES = {
    "America/New_York": ("2026-03-08", "2026-11-01", "2027-03-14", "2027-11-07"),
    "Europe/Berlin": ("2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31"),
    "Australia/Sydney": ("2026-04-05", "2026-10-04", "2027-04-04", "2027-10-03"),
    "Asia/Kolkata": ("2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31"),
    "Asia/Kathmandu": ("2026-03-29", "2026-10-25", "2027-03-28", "2027-10-31"),
    "Australia/Lord_Howe": ("2026-04-05", "2026-10-04", "2027-04-04", "2027-10-03"),
}
CASES = [(zone, date.fromisoformat(day)) for zone, days in CHANGES.items() for day in days]
every_change = pytest.mark.parametrize(("zone", "day"), CASES)


def a_series(zone: str, first: date, last: date, *, minutes: int = 30) -> pd.DataFrame:
    """Counts by chance in even steps of time, from the midnight of the first day to that after the last."""
    begin, end = (pd.Timestamp(day, tz=zone) for day in (first, last + timedelta(days=1)))
    ds = pd.date_range(begin, end, freq=f"{minutes}min", inclusive="left")
    y = np.random.default_rng(1).poisson(20, len(ds)).astype(float)
    return pd.DataFrame({"unique_id": "site", "ds": ds, "y": y})


def around(day: date) -> tuple[date, date]:
    return day - timedelta(days=16), day + timedelta(days=2)


def a_grid(frame: pd.DataFrame, *, minutes: int = 30) -> Grid:
    (grid,) = grids(frame, interval_minutes=minutes)
    return grid


def hours_of(zone: str, day: date) -> float:
    place = ZoneInfo(zone)
    begin, end = (datetime(at.year, at.month, at.day, tzinfo=place) for at in (day, day + timedelta(days=1)))
    return (end.astimezone(UTC) - begin.astimezone(UTC)) / timedelta(hours=1)


def the_days_to_come(frame: pd.DataFrame, *, minutes: int = 30, horizon: int = 4) -> ForecastResult:
    series = [a_grid(frame, minutes=minutes)]
    (result,) = forecast_all(series, horizon=horizon, origins=1, models=[FOUR_WEEK_MEAN], workers=1)
    return result


@every_change
@pytest.mark.parametrize("minutes", [30, 60])
def test_loads_by_local_day_add_up_to_the_total_by_instant(zone: str, day: date, minutes: int) -> None:
    frame = a_series(zone, *around(day), minutes=minutes)
    grid = a_grid(frame, minutes=minutes)
    at = grid.instants(grid.days)
    assert list(at.moments) == list(frame["ds"].dt.tz_convert("UTC").dt.tz_localize(None))
    days = np.array(grid.days)[at.cells // len(grid.slots)]
    by_day = pd.Series(at.of(grid.values)).groupby(days).sum()
    assert by_day.to_dict() == pytest.approx(frame.groupby(frame["ds"].dt.date)["y"].sum().to_dict())
    assert by_day.sum() == pytest.approx(frame["y"].sum())


@every_change
def test_a_day_has_the_slots_that_it_lasts(zone: str, day: date) -> None:
    grid = a_grid(a_series(zone, *around(day)))
    assert grid.slots == tuple(range(0, 1440, 30))
    for local_day in grid.days:
        assert len(grid.instants([local_day]).moments) == 2 * hours_of(zone, local_day)
    assert hours_of(zone, day) in ({23.0, 25.0, 23.5, 24.5} if "Asia" not in zone else {24.0})


@every_change
@pytest.mark.parametrize("minutes", [30, 60])
def test_what_is_forecast_exists_once_and_leaves_no_hole(zone: str, day: date, minutes: int) -> None:
    before = day - timedelta(days=2)
    frame = a_series(zone, before - timedelta(days=20), before, minutes=minutes)
    ahead = a_series(zone, before + timedelta(days=1), before + timedelta(days=4), minutes=minutes)
    table = the_days_to_come(frame, minutes=minutes).table()
    if (zone, minutes) != ("Australia/Lord_Howe", 60):  # an hour does not fit into its change; see below
        assert list(table["ds"]) == list(ahead["ds"])
    assert table["ds"].is_unique
    assert table["ds"].dt.tz is not None
    assert set(table["ds"].dt.date) == set(ahead["ds"].dt.date)


def test_a_skipped_hour_is_missing_and_not_0_and_is_not_forecast() -> None:
    frame = a_series("Europe/Berlin", date(2026, 3, 10), date(2026, 3, 31))
    grid = a_grid(frame)
    spring = grid.days.index(date(2026, 3, 29))
    assert list(np.flatnonzero(np.isnan(grid.values[spring]))) == [4, 5]  # 2:00 and 2:30
    assert np.isnan(grid.values).sum() == 2
    table = the_days_to_come(frame[frame["ds"] < "2026-03-28T00:00+01:00"]).table()
    on_the_day = table[table["ds"].dt.date == date(2026, 3, 29)]
    assert len(on_the_day) == 46
    assert 2 not in set(on_the_day["ds"].dt.hour)


def test_a_repeated_hour_has_two_moments_and_its_cell_holds_the_mean() -> None:
    frame = a_series("Europe/Berlin", date(2026, 10, 5), date(2026, 10, 27))
    grid = a_grid(frame)
    day = grid.days.index(date(2026, 10, 25))
    summer, winter = (frame["ds"] == f"2026-10-25T02:30+0{hours}:00" for hours in (2, 1))
    frame.loc[summer, "y"], frame.loc[winter, "y"] = 10.0, 50.0
    assert a_grid(frame).values[day, 5] == 30.0
    assert a_grid(frame[~summer]).values[day, 5] == 50.0
    at = grid.instants([date(2026, 10, 25)])
    assert list(at.moments[at.cells == 5].astype(str)) == ["2026-10-25 00:30:00", "2026-10-25 01:30:00"]


def test_both_hours_of_a_repeated_hour_are_forecast() -> None:
    frame = a_series("America/New_York", date(2026, 10, 5), date(2026, 10, 30), minutes=60)
    table = the_days_to_come(frame, minutes=60).table()
    repeated = table[table["ds"].astype(str).str.startswith("2026-11-01 01:00")]
    assert list(repeated["ds"].astype(str)) == ["2026-11-01 01:00:00-04:00", "2026-11-01 01:00:00-05:00"]
    assert repeated["mean"].nunique() == 1
    assert (table["ds"].dt.date == date(2026, 11, 1)).sum() == 25


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Adelaide"])
def test_hourly_counts_of_a_place_with_an_odd_offset_are_laid_out_by_its_own_hours(zone: str) -> None:
    frame = a_series(zone, date(2026, 5, 4), date(2026, 5, 24), minutes=60)
    frame["y"] = np.where(frame["ds"].dt.hour == 9, 100.0, 1.0)
    grid = a_grid(frame, minutes=60)
    assert (grid.time_zone, len(grid.days), grid.slots) == (zone, 21, tuple(range(0, 1440, 60)))
    assert (grid.values[:, 9] == 100).all()
    table = the_days_to_come(frame, minutes=60, horizon=1).table()
    assert list(table.loc[table["mean"] > 50, "ds"]) == [pd.Timestamp("2026-05-25 09:00", tz=zone)]


def test_hours_in_even_steps_over_the_half_hour_of_lord_howe_keep_their_steps() -> None:
    zone = "Australia/Lord_Howe"
    frame = a_series(zone, date(2026, 9, 15), date(2026, 10, 6), minutes=60)
    assert set(frame["ds"].dt.minute) == {0, 30}, "without both, this test shows nothing"
    table = the_days_to_come(frame, minutes=60).table()
    assert set(table["ds"].dt.minute) == {30}
    assert set(np.diff([*frame["ds"], *table["ds"]])) == {timedelta(hours=1)}
    summer = frame[frame["ds"] >= "2026-10-04T03:00+11:00"]  # its minutes alone still are those of the zone's winter
    later = pd.concat([summer.assign(ds=summer["ds"] + timedelta(days=days)) for days in range(0, 21, 3)])
    assert a_grid(later.drop_duplicates("ds"), minutes=60).phase == 30


def test_hours_by_the_clock_over_the_half_hour_of_lord_howe_begin_by_the_clock() -> None:
    wall = pd.date_range("2026-09-15", "2026-10-07", freq="h", inclusive="left")
    skipped, change = pd.Timestamp("2026-10-04 02:00"), pd.Timestamp("2026-10-04 02:30")
    ds = wall.where(wall != skipped, change).tz_localize("Australia/Lord_Howe")
    frame = pd.DataFrame({"unique_id": "site", "ds": ds, "y": 1.0})
    grid = a_grid(frame, minutes=60)
    assert grid.phase is None
    assert list(grid.instants(grid.days).moments) == list(ds.tz_convert("UTC").tz_localize(None))
    assert change - pd.Timedelta(hours=11) in grid.instants([change.date()]).moments


def test_daily_counts_begin_where_midnight_is_skipped_at_the_change() -> None:
    ds = pd.date_range("2026-08-20", periods=30, freq="D").tz_localize("America/Santiago", nonexistent="shift_forward")
    assert set(ds.hour) == {0, 1}, "without a skipped midnight, this test shows nothing"
    grid = a_grid(pd.DataFrame({"unique_id": "site", "ds": ds, "y": 1.0}), minutes=1440)
    assert (len(grid.days), grid.slots) == (30, (0,))
    assert list(grid.instants(grid.days).moments) == list(ds.tz_convert("UTC").tz_localize(None))


@pytest.mark.parametrize(("zone", "off"), [("Asia/Kolkata", 30), ("Australia/Lord_Howe", 15), ("Europe/Berlin", 1)])
def test_a_moment_that_begins_no_interval_of_its_clock_is_refused(zone: str, off: int) -> None:
    frame = a_series(zone, date(2026, 5, 4), date(2026, 5, 24), minutes=60)
    frame.loc[100, "ds"] += timedelta(minutes=off)
    with pytest.raises(ConfigError, match=rf"2026-05-08 04:{off:02d}:00\+.* does not begin an interval of 60 minutes"):
        grids(frame, interval_minutes=60)
    with pytest.raises(ConfigError, match="does not begin an interval"):
        grids(frame.assign(ds=frame["ds"] + timedelta(minutes=7)), interval_minutes=60)


FIXED = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("convert", "name"),
    [
        (lambda at: at.tz_localize(None), None),
        (lambda at: at, "UTC"),
        (lambda at: at.tz_convert("Asia/Kolkata"), "Asia/Kolkata"),
        (lambda at: at.tz_convert(ZoneInfo("Asia/Kolkata")), "Asia/Kolkata"),
        (lambda at: at.tz_convert("dateutil/Asia/Kolkata"), "Asia/Kolkata"),
        (lambda at: at.tz_convert(FIXED), "UTC+05:30"),
        (lambda at: at.astype(object), "UTC"),
        (lambda at: [moment.isoformat() for moment in at.tz_convert(FIXED)], "UTC+05:30"),
        (lambda at: [moment.to_pydatetime().astimezone(dateutil_tz.tzoffset(None, 19_800)) for moment in at],
         "UTC+05:30"),
        (lambda at: [moment.tz_convert(("Asia/Tokyo", "Asia/Kolkata")[moment.hour % 2]) for moment in at], "UTC"),
    ],
)  # fmt: skip
def test_a_series_is_laid_out_in_the_time_zone_of_its_moments(convert: Any, name: str | None) -> None:
    plain = a_frame()
    given = plain.assign(ds=list(convert(pd.DatetimeIndex(plain["ds"]).tz_localize("UTC"))))
    grid = a_grid(given)
    assert grid.time_zone == name
    at = grid.instants(grid.days)
    counts = pd.Series(at.of(grid.values), index=at.moments)
    assert counts.dropna().to_dict() == dict(zip(plain["ds"], plain["y"], strict=True))


def test_each_series_of_a_table_has_its_own_time_zone() -> None:
    zones = ("America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata")
    frame = pd.concat(
        [
            a_series(zone, MONDAY, MONDAY + timedelta(days=20)).assign(unique_id=zone).astype({"ds": object})
            for zone in zones
        ]
    )
    made = grids(frame, interval_minutes=30)
    assert {grid.unique_id: grid.time_zone for grid in made} == {zone: zone for zone in zones}
    assert all((grid.days[0], len(grid.days), grid.values.shape[1]) == (MONDAY, 21, 48) for grid in made)


def test_a_time_zone_without_a_name_is_refused_with_a_cure() -> None:
    nowhere = dateutil_tz.tzrange("A", 3600, "B", 7200)
    frame = a_frame().assign(ds=[at.to_pydatetime().replace(tzinfo=nowhere) for at in a_frame()["ds"]])
    with pytest.raises(ConfigError, match="has no name in the IANA database") as caught:
        grids(frame, interval_minutes=30)
    assert "tz_convert" in caught.value.cure
    with pytest.raises(ConfigError, match="no time zone 'Mars/Olympus'"):
        instants([MONDAY], [0], interval_minutes=30, time_zone="Mars/Olympus")


def test_the_moments_of_a_far_year_follow_the_same_rules() -> None:
    for day, hours in ((date(2100, 3, 28), 23), (date(1950, 7, 2), 24)):
        at = instants([day], range(0, 1440, 60), interval_minutes=60, time_zone="Europe/Berlin")
        assert len(at.moments) == hours


@settings(max_examples=60)
@given(
    zone=st.sampled_from(sorted(CHANGES)),
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2039, 12, 31), timezones=st.just(UTC)),
)
def test_the_clock_shows_what_zoneinfo_shows(zone: str, moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    local = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    place = clock(zone, (2020, 2039))
    utc, wall = (np.array([at.replace(tzinfo=UTC).timestamp()], dtype=np.int64) for at in (moment, local))
    assert place.wall(utc) == wall
    assert utc in (place.first(wall), place.last(wall))


def test_days_with_gaps_between_them_have_their_own_moments() -> None:
    days = [date(2026, 1, 5), date(2026, 3, 29), date(2026, 10, 25)]
    at = instants(days, range(0, 1440, 30), interval_minutes=30, time_zone="Europe/Berlin")
    assert list(np.bincount(at.cells // 48)) == [48, 46, 50]
    assert at.moments.is_monotonic_increasing


def test_a_chart_shows_the_local_time_and_names_its_zone() -> None:
    result = the_days_to_come(a_series("Asia/Kolkata", MONDAY, MONDAY + timedelta(days=20)), horizon=1)
    figure = future_chart(result)
    named = {trace.name: trace for trace in figure.data}
    assert pd.Timestamp(named["forecast"].x[0]) == pd.Timestamp(MONDAY + timedelta(days=21))
    assert figure.layout.xaxis.title.text == "time in Asia/Kolkata"
