"""The input of forecasts: rows that are used, filled in, or refused with a cure."""

from __future__ import annotations

import dataclasses
import warnings
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rtlib.errors import ConfigError
from rtlib.forecast import grids
from rtlib.forecast.calendar import features
from rtlib.forecast.instants import instants
from rtlib.forecast.profile import profiles
from support.forecast_series import MONDAY, a_frame, a_grid


def test_a_table_becomes_days_and_slots_for_each_series() -> None:
    frame = pd.concat([a_frame(name="b"), a_frame(name="a", days=20)])
    first, second = grids(frame, interval_minutes=30)
    assert (first.unique_id, second.unique_id) == ("a", "b")
    assert (len(first.days), first.days[0], first.slots[:3]) == (20, MONDAY, (0, 30, 60))
    assert second.values.shape == (28, 48)
    assert second.values.sum() == pytest.approx(a_frame()["y"].sum())


def test_moments_without_a_time_zone_are_laid_out_as_they_stand() -> None:
    frame = a_frame()
    grid = grids(frame, interval_minutes=30)[0]
    assert (grid.time_zone, grid.phase) == (None, None)
    assert np.array_equal(grid.values, frame["y"].to_numpy(dtype=float).reshape(28, 48))
    assert list(grid.instants(grid.days).moments) == list(frame["ds"])
    assert grid.values.flags.f_contiguous, "sums of floats, and so all forecasts, depend on the order in memory"


def test_the_order_of_rows_does_not_matter() -> None:
    frame = a_frame()
    shuffled = grids(frame.sample(frac=1, random_state=1), interval_minutes=30)[0]
    assert np.array_equal(shuffled.values, grids(frame, interval_minutes=30)[0].values)


def test_a_missing_interval_stays_missing_and_is_filled_at_the_level_of_its_day() -> None:
    frame = a_frame(noise=0)
    frame.loc[frame["ds"].dt.date == MONDAY + timedelta(days=8), "y"] *= 2
    hole = frame["ds"] == pd.Timestamp(MONDAY + timedelta(days=8)) + pd.Timedelta(hours=12)
    grid = grids(frame[~hole], interval_minutes=30)[0]
    assert np.isnan(grid.values[8, 24])
    assert grid.filled()[8, 24] == pytest.approx(float(frame[hole]["y"].iloc[0]), rel=0.15)
    assert np.isnan(grid.values[8, 24]), "the grid itself must stay as it was"


def test_an_interval_that_is_always_missing_is_filled_with_0_without_a_warning() -> None:
    grid = a_grid()
    hole = grid.values.copy()
    hole[:, 5] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (dataclasses.replace(grid, values=hole).filled()[:, 5] == 0).all()


def test_closed_days_and_hours_are_left_out() -> None:
    frame = a_frame(days=35)
    open_ = (frame["ds"].dt.dayofweek < 5) & frame["ds"].dt.hour.between(7, 20)
    grid = grids(frame[open_], interval_minutes=30)[0]
    assert grid.values.shape == (25, 28)
    assert grid.next_days(2) == (MONDAY + timedelta(days=35), MONDAY + timedelta(days=36))
    assert grids(frame[open_][: 28 * 23], interval_minutes=30)[0].next_days(3)[-1].weekday() == 0  # after a Friday


def test_moments_come_back_day_by_day() -> None:
    starts = instants([MONDAY, MONDAY + timedelta(days=1)], (0, 30), interval_minutes=30).moments
    assert list(starts.astype(str)) == [
        "2026-01-05 00:00:00", "2026-01-05 00:30:00", "2026-01-06 00:00:00", "2026-01-06 00:30:00",
    ]  # fmt: skip


FEW = [{"unique_id": "site", "ds": at, "y": 2.0} for at in pd.date_range(MONDAY, periods=28, freq="12h")]


def wrong(**columns: Any) -> pd.DataFrame:
    frame = a_frame().astype({"y": float})
    for name, value in columns.items():
        frame.loc[100, name] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (a_frame().drop(columns="y"), "no column 'y'"),
        (a_frame().iloc[:0], "no rows"),
        (a_frame(days=13), "too short: 13 days"),
        (pd.concat([a_frame(), a_frame().iloc[[5]]]), "is there twice"),
        (wrong(y=-1), "is negative"),
        (wrong(y=float("inf")), "infinite"),
        (wrong(ds=pd.Timestamp("2026-01-07 02:07")), "does not begin an interval"),
    ],
)
def test_unusable_input_is_refused_with_a_cure(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        grids(frame, interval_minutes=30)
    assert caught.value.cure


def as_objects(**columns: Any) -> pd.DataFrame:
    """The frame with columns of plain objects, and other values in its row 100."""
    frame = a_frame().astype(object)
    for name, value in columns.items():
        frame.at[100, name] = value
    return frame


AWARE = [
    pd.Timestamp(moment).tz_localize("Europe/Berlin") for moment in pd.date_range(MONDAY, periods=28 * 48, freq="30min")
]
EMPTY_SERIES = pd.concat([a_frame(), a_frame(name="quiet").assign(y=np.nan)])


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (as_objects(unique_id=None), r"row 100 has no unique_id \(None\): ds = 2026-01-07 02:00:00, y = \d+"),
        (as_objects(unique_id=float("nan")), r"row 100 has no unique_id \(nan\)"),
        (as_objects(unique_id=pd.NA).astype({"unique_id": "category"}), "row 100 has no unique_id"),
        (EMPTY_SERIES, "series 'quiet' has no value: y is missing in all of its 1344 rows"),
        (a_frame().assign(y=None), "series 'site' has no value"),
        (as_objects(y="many"), "series 'site', row 100: y = 'many' is str"),
        (as_objects(y="12"), "y = '12' is str"),
        (as_objects(y=True), "y = True is bool"),
        (a_frame().assign(y=True), "y = True is bool"),
        (as_objects(y=1 + 2j), "is complex"),
        (as_objects(y=[1, 2]), r"y = \[1, 2\] is list"),
        (as_objects(y=pd.Timestamp("2026-01-01")), "is Timestamp"),
        (as_objects(y=Decimal("Infinity")), "is negative or infinite"),
        (wrong(y=1e300), "is too large for a count"),
        (as_objects(ds="yesterday night"), "series 'site', row 100: ds = 'yesterday night' is not a moment"),
        (as_objects(ds=None), "ds = None is not a moment"),
        (wrong(ds=pd.NaT), "row 100: ds is missing"),
        (as_objects(ds=1_767_571_200), "ds = 1767571200 is not a moment"),
        (a_frame().assign(ds=range(1344)), "ds = 0 is not a moment"),
        (as_objects(ds=datetime(1600, 1, 1)), "ds = 1600-01-01 00:00:00 is not a moment between 1900 and 2200"),
        (as_objects(ds=date(9999, 1, 1)), "ds = 9999-01-01 is not a moment between 1900 and 2200"),
        (as_objects(ds="9999-12-31T23:30:00"), "is not a moment between"),
        (
            a_frame()
            .astype({"ds": "datetime64[s]"})
            .assign(ds=lambda rows: rows["ds"] - np.timedelta64(426 * 365, "D")),
            "is not between 1900 and 2200",
        ),
        (
            a_frame().assign(ds=[AWARE[0], *AWARE[1:-1], AWARE[-1].tz_localize(None)]),
            "has no time zone, and others have",
        ),
        (
            pd.concat([a_frame(), a_frame().assign(ds=lambda rows: rows["ds"] - pd.Timedelta(days=36_500))]),
            "has no value between",
        ),
        (pd.concat([a_frame(), a_frame()["y"]], axis=1), "2 columns 'y'"),
        (a_frame().iloc[:1], "too short: 1 days"),
        (a_frame().to_dict("list"), "the series come as dict"),
        (None, "the series come as NoneType"),
    ],
)
def test_input_that_pandas_would_drop_or_crash_on_is_refused_in_one_sentence(frame: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        grids(frame, interval_minutes=30)
    assert "\n" not in caught.value.what
    assert len(caught.value.what) < 250
    assert caught.value.cure


@pytest.mark.parametrize(
    "frame",
    [
        a_frame().assign(y=lambda rows: [Decimal(int(y)) for y in rows["y"]]),
        a_frame().astype({"y": "Int64"}),
        a_frame().astype({"y": "int16"}),
        a_frame().astype({"unique_id": "category"}),
        a_frame().assign(ds=lambda rows: rows["ds"].map(lambda at: at.isoformat())),
        a_frame().assign(ds=lambda rows: rows["ds"].astype(object)),
        a_frame().astype({"ds": "datetime64[s]"}),
        a_frame().assign(ds=lambda rows: rows["ds"].dt.tz_localize("UTC")),
        a_frame().assign(
            ds=lambda rows: [
                at.tz_localize("UTC").tz_convert(("Asia/Tokyo", "UTC")[index % 2])
                for index, at in enumerate(rows["ds"])
            ]
        ),
        a_frame().set_index(np.arange(1344)[::-1]),
        pd.concat(
            [a_frame(), pd.DataFrame({"unique_id": ["site"], "ds": [pd.Timestamp("2026-02-02")], "y": [np.nan]})]
        ),
    ],
)
def test_equivalent_input_makes_the_same_grid(frame: pd.DataFrame) -> None:
    (grid,), (plain,) = grids(frame, interval_minutes=30), grids(a_frame(), interval_minutes=30)
    assert (grid.days, grid.slots, grid.unique_id) == (plain.days, plain.slots, plain.unique_id)
    assert np.array_equal(grid.values, plain.values)


def test_numeric_series_names_become_text() -> None:
    frame = pd.concat([a_frame().assign(unique_id=10), a_frame().assign(unique_id="b")])
    assert [grid.unique_id for grid in grids(frame, interval_minutes=30)] == ["10", "b"]


@pytest.mark.parametrize("minutes", [0, -30, 7, 30.5, "30", None, True, float("nan")])
def test_an_impossible_interval_is_refused(minutes: Any) -> None:
    with pytest.raises(ConfigError, match="an interval of"):
        grids(a_frame(), interval_minutes=minutes)


messy = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.datetimes(),
    st.dates(),
    st.decimals(),
    st.binary(max_size=3),
    st.just(pd.NaT),
    st.just(pd.NA),
    st.lists(st.integers(), max_size=2),
)


@given(row=st.fixed_dictionaries({"unique_id": messy, "ds": messy, "y": messy}))
@example(row={"unique_id": "site", "ds": datetime(2026, 2, 2), "y": Decimal("sNaN")})
def test_any_row_is_used_or_refused_with_a_cure(row: dict[str, Any]) -> None:
    frame = pd.DataFrame([*FEW, row], dtype=object)
    try:
        made = grids(frame, interval_minutes=720)
    except ConfigError as error:
        assert error.cure and "\n" not in error.what
    else:
        counted = {grid.unique_id: np.nansum(grid.values) for grid in made}
        assert set(counted) == {"site"}  # a series of one day is too short
        assert counted["site"] >= 56


def test_an_interval_that_does_not_divide_a_day_is_refused() -> None:
    with pytest.raises(ConfigError, match="7 minutes"):
        grids(a_frame(), interval_minutes=7)


def test_a_grid_cannot_be_changed_and_until_makes_a_new_one() -> None:
    grid = a_grid()
    with pytest.raises(dataclasses.FrozenInstanceError):
        grid.days = ()  # type: ignore[misc]
    assert len(grid.until(20).days) == 20
    assert len(grid.days) == 28


def test_the_calendar_knows_weekdays_the_day_after_a_closure_and_holidays() -> None:
    frame = a_frame(days=35)
    closed = date(2026, 1, 20)
    holidays = {"site": {date(2026, 1, 24): 1.0, date(2026, 1, 26): 0.25}, "elsewhere": {date(2026, 1, 27): 1.0}}
    grid = grids(frame[frame["ds"].dt.date != closed], interval_minutes=30, holidays=holidays)[0]
    columns = features(grid, grid.days)
    assert columns.shape == (34, 9)  # seven weekdays, after a closure, holiday
    assert (columns[:, :7].sum(axis=1) == 1).all()
    assert [day for day, row in zip(grid.days, columns, strict=True) if row[7]] == [closed + timedelta(days=1)]
    assert {day: row[8] for day, row in zip(grid.days, columns, strict=True) if row[8]} == holidays["site"]


def test_the_month_is_a_feature_only_from_enough_days() -> None:
    assert features(a_grid(days=60), [MONDAY]).shape[1] == features(a_grid(days=28), [MONDAY]).shape[1] + 4


def test_profiles_add_up_to_one_and_follow_the_day() -> None:
    grid = a_grid(noise=0)
    (shares,) = profiles(grid, grid.next_days(1))
    assert shares.sum() == pytest.approx(1)
    assert np.argmax(shares) == pytest.approx(np.argmax(grid.values[-7]), abs=1)


def test_the_profile_of_zeros_is_even() -> None:
    grid = dataclasses.replace(a_grid(), values=np.zeros((28, 48)))
    assert profiles(grid, grid.next_days(1))[0] == pytest.approx(np.full(48, 1 / 48))


def test_a_sparse_profile_is_smoothed_more() -> None:
    rng = np.random.default_rng(3)
    shape = 1 + np.sin(np.arange(48) / 48 * 2 * np.pi)
    grid = dataclasses.replace(a_grid(days=42), values=rng.poisson(0.3 * shape, (42, 48)).astype(float))
    shares = profiles(grid, grid.next_days(1))[0]
    raw = grid.values[-7:].sum(axis=0) / grid.values[-7:].sum()
    true = shape / shape.sum()
    assert np.abs(shares - true).mean() < 0.4 * np.abs(raw - true).mean()
