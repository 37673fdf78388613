"""Every model: it learns what is there to learn, and it survives what series do to models."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from rtlib.domains import load_domain
from rtlib.forecast import MODELS, Grid, Model, grids
from rtlib.pipeline.planning.demand import holidays_of, load_table
from rtlib.simulator.interval_counts import simulated_load
from support.forecast_series import MONDAY, a_frame, a_grid

every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def missed(model: Model, grid: Grid, *, horizon: int = 1) -> float:
    """The error of the last days, as a share of what happened."""
    known = len(grid.days) - horizon
    points = model.predict(grid.until(known), grid.days[known:])
    return float(np.abs(points - grid.values[known:]).sum() / grid.values[known:].sum())


def with_values(values: np.ndarray) -> Grid:
    return dataclasses.replace(a_grid(days=len(values)), values=np.asarray(values, dtype=float))


def test_names_are_unique_and_described() -> None:
    assert len({model.name for model in MODELS}) == len(MODELS)
    assert all(len(model.plain.split()) >= 3 for model in MODELS)


@every_model
def test_a_model_learns_a_week_without_noise(model: Model) -> None:
    assert missed(model, a_grid(noise=0, days=35), horizon=7) < 0.06


@every_model
def test_a_forecast_has_the_requested_shape_and_no_negative_value(model: Model) -> None:
    grid = a_grid(level=0.2)
    points = model.predict(grid, grid.next_days(3))
    assert points.shape == (3, 48)
    assert np.isfinite(points).all()
    assert (points >= 0).all()


@every_model
def test_a_model_does_not_depend_on_later_days(model: Model) -> None:
    grid = a_grid()
    other = dataclasses.replace(grid, values=np.concatenate([grid.values[:21], 100 + grid.values[21:]]))
    days = grid.days[21:23]
    assert np.array_equal(model.predict(grid.until(21), days), model.predict(other.until(21), days))


@every_model
def test_a_constant_is_forecast_as_itself(model: Model) -> None:
    points = model.predict(with_values(np.full((28, 48), 4.0)), a_grid().next_days(2))
    assert points == pytest.approx(4.0, rel=0.02)


@every_model
def test_zeros_are_forecast_as_zeros(model: Model) -> None:
    points = model.predict(with_values(np.zeros((28, 48))), a_grid().next_days(2))
    assert points == pytest.approx(0.0, abs=1e-6)


@every_model
def test_a_series_of_almost_only_zeros_is_forecast_at_about_its_mean(model: Model) -> None:
    values = np.random.default_rng(5).poisson(0.03, (35, 48))
    points = model.predict(with_values(values), a_grid(days=35).next_days(7))
    assert 0.2 * values.mean() < points.mean() < 2.5 * values.mean()


@every_model
def test_missing_intervals_do_not_matter_much(model: Model) -> None:
    frame = a_frame(days=36, level=40)
    holes = np.random.default_rng(2).random(len(frame)) < 0.1
    holes[-48:] = False
    whole, broken = (grids(rows, interval_minutes=30)[0] for rows in (frame, frame[~holes]))
    assert missed(model, broken) < missed(model, whole) + 0.04


def test_models_with_a_level_follow_a_shift_sooner_than_the_four_week_mean() -> None:
    grid = a_grid(days=42, level=40)
    shifted = dataclasses.replace(grid, values=np.concatenate([grid.values[:34], 2 * grid.values[34:]]))
    errors = {model.name: missed(model, shifted) for model in MODELS}
    for name in ("regression", "ETS", "ARIMA"):
        assert errors[name] < 0.6 * errors["four-week mean"], name


def test_models_with_a_trend_follow_growth() -> None:
    grid = a_grid(days=42, level=40, growth=0.02)
    errors = {model.name: missed(model, grid) for model in MODELS}
    for name in ("ETS", "ARIMA", "Prophet"):
        assert errors[name] < 0.6 * errors["four-week mean"], name


def test_a_known_holiday_is_expected_again() -> None:
    frame = a_frame(days=57, level=40)
    holidays = [MONDAY + timedelta(days=place) for place in (10, 24, 38, 56)]
    frame["y"] = np.where(frame["ds"].dt.date.isin(holidays), frame["y"] * 0.4, frame["y"])
    knowing, unaware = (
        grids(frame, interval_minutes=30, holidays={"site": dict.fromkeys(days, 1.0)})[0] for days in (holidays, ())
    )
    for model in MODELS:
        if model.name in ("regression", "ARIMA", "Prophet"):
            assert missed(model, knowing) < 0.7 * missed(model, unaware), model.name


@every_model
def test_a_day_after_a_closure_is_forecast_as_its_own_weekday(model: Model) -> None:
    frame = a_frame(days=5 * 7, level=200)
    by_weekday = frame["ds"].dt.dayofweek.map({0: 0.05, 1: 0.5, 2: 0.5, 3: 0.5, 4: 1.0})
    open_ = by_weekday.notna() & (frame["ds"].dt.date < MONDAY + timedelta(days=32))  # until a Thursday
    grid = grids(frame.assign(y=frame["y"] * by_weekday)[open_], interval_minutes=30)[0]
    friday, monday = MONDAY + timedelta(days=32), MONDAY + timedelta(days=35)
    usual = grid.values[[day.weekday() == 0 for day in grid.days]].sum(axis=1).mean()
    assert model.predict(grid, [monday]).sum() == pytest.approx(usual, rel=0.5)
    both = model.predict(grid, [friday, monday]).sum(axis=1)
    assert both[0] > 5 * both[1]


def test_a_simulated_holiday_is_forecast_better_if_it_is_known() -> None:
    domain, new_year = load_domain("ecommerce"), date(2027, 1, 1)  # the history has two days of Christmas
    counts = simulated_load(domain, seed=7, until=datetime(2027, 1, 2, tzinfo=UTC), days=42, per_day=2_000_000)
    table, holidays = load_table(counts, domain), holidays_of(domain, date(2026, 11, 1), new_year)
    assert holidays["shop-germany"].keys() >= {date(2026, 12, 25), date(2026, 12, 26), new_year}
    weights = {site.country: site.weight for site in domain.sites}
    everywhere_but_in_india = 1 - weights["IN"] / sum(weights.values())
    assert holidays["all"][new_year] == pytest.approx(everywhere_but_in_india)
    assert (holidays["all"][date(2026, 12, 25)], 0 < holidays["all"][date(2026, 12, 24)] < 0.5) == (1.0, True)
    (model,) = (model for model in MODELS if model.name == "regression")
    knowing, unaware = (
        [missed(model, grid) for grid in grids(table, interval_minutes=30, holidays=given)]
        for given in (holidays, None)
    )
    assert sum(knowing) < 0.7 * sum(unaware)
    assert sum(error < other for error, other in zip(knowing, unaware, strict=True)) >= 8  # of ten


def test_the_day_after_a_closure_is_expected_to_be_busier_once_that_was_seen() -> None:
    frame = a_frame(days=63, level=40)
    closed = [MONDAY + timedelta(days=place) for place in (8, 22, 36, 61)]
    after = [day + timedelta(days=1) for day in closed]
    frame["y"] = np.where(frame["ds"].dt.date.isin(after), frame["y"] * 1.5, frame["y"])
    grid = grids(frame[~frame["ds"].dt.date.isin(closed)], interval_minutes=30)[0]
    (regression,) = (model for model in MODELS if model.name == "regression")
    (naive,) = (model for model in MODELS if model.name == "four-week mean")
    assert grid.days[-1] == date(2026, 3, 8)
    assert missed(regression, grid) < 0.6 * missed(naive, grid)
