"""Backtest, intervals, ensemble and champion: nothing peeks, and the one that did best is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pytest

from rtlib.errors import ConfigError
from rtlib.forecast import BASELINE, ENSEMBLE, LEVELS, MODELS, Grid, Score, choose, explain, forecast_all, grids
from rtlib.forecast.backtest import Backtest, default_origins, ensemble, predict_at
from rtlib.forecast.intervals import quantiles, scaled_errors
from rtlib.forecast.metrics import naive_error, pinball, score
from support.forecast_series import a_frame, a_grid

QUICK = tuple(one for one in MODELS if one.name in ("seasonal naive", "four-week mean", "regression"))


@dataclasses.dataclass(frozen=True)
class Always:
    """Says the same whatever it is asked."""

    name: str
    value: float
    plain: str = "says always the same"

    def predict(self, past: Grid, days: Sequence[date]) -> np.ndarray:
        return np.full((len(days), len(past.slots)), self.value)


def a_score(mae: float, **changed: float) -> Score:
    return dataclasses.replace(Score(mae, mae / 10, 0.8, 0.0, 0.8, mae / 3), **changed)


# --- metrics --------------------------------------------------------------------------------------------------------


def test_scores_are_what_one_would_compute_by_hand() -> None:
    actual, point = np.array([1.0, 2, 3, np.nan]), np.array([2.0, 2, 1, 7])
    bands = np.stack([point - 1, point, point + 1], axis=-1)
    told = score(actual, point, bands, np.array([0.1, 0.5, 0.9]), naive_error=2.0)
    assert (told.mae, told.wape, told.mase, told.bias) == pytest.approx((1, 3 / 6, 0.5, -1 / 6))
    assert told.coverage_80 == pytest.approx(2 / 3)
    by_hand = [0.1 * 0, 0.5 * 1, 0.1 * 2, 0.1 * 1, 0, 0.1 * 1, 0.1 * 3, 0.5 * 2, 0.9 * 1]
    assert told.pinball == pytest.approx(sum(by_hand) / 9)


def test_a_score_of_nothing_is_no_number_rather_than_an_error() -> None:
    zeros = np.zeros(5)
    told = score(zeros, zeros, np.full((5, 3), np.nan), np.array([0.1, 0.5, 0.9]), naive_error=0.0)
    assert told.mae == 0
    assert np.isnan([told.wape, told.mase, told.bias, told.coverage_80, told.pinball]).all()


def test_the_true_quantile_has_the_smallest_pinball_loss() -> None:
    drawn = np.random.default_rng(1).normal(size=4000)
    losses = [pinball(drawn, np.full((4000, 1), one), np.array([0.8])) for one in np.linspace(-2, 2, 81)]
    assert np.linspace(-2, 2, 81)[int(np.argmin(losses))] == pytest.approx(0.84, abs=0.06)


def test_the_seasonal_naive_of_history_compares_like_weekdays() -> None:
    values = np.array([[1.0], [5], [2], [9]])
    assert naive_error(values, np.array([0.0, 1, 0, 1])) == pytest.approx((1 + 4) / 2)
    assert np.isnan(naive_error(values, np.arange(4.0)))


# --- rolling origins ------------------------------------------------------------------------------------------------


def test_origins_leave_room_for_the_horizon_and_enough_to_learn_from() -> None:
    assert default_origins(a_grid(), horizon=7, count=4, step=2) == (15, 17, 19, 21)
    assert default_origins(a_grid(), horizon=1, count=99) == tuple(range(14, 28))
    with pytest.raises(ConfigError, match="too short: 20 days for a backtest of 7"):
        default_origins(a_grid(days=20), horizon=7, count=4)


def test_the_last_origin_asks_about_days_to_come() -> None:
    grid = a_grid()
    said = predict_at(grid, MODELS[0], (21, 28), horizon=7)
    assert said.shape == (2, 7, 48)
    assert said[1] == pytest.approx(grid.values[21:])  # the naive repeats last week


def test_no_band_is_made_from_an_error_that_was_not_known_yet() -> None:
    grid = a_grid()
    origins = (15, 17, 19, 21)
    model = QUICK[1]
    said = {model.name: predict_at(grid, model, origins, horizon=7)}
    before = Backtest(grid, origins, 7, said).bands(model.name)
    later = dataclasses.replace(grid, values=np.concatenate([grid.values[:19], grid.values[19:] + 500]))
    after = Backtest(later, origins, 7, said).bands(model.name)
    assert np.isnan(before[0]).all()
    assert np.array_equal(before[:3], after[:3], equal_nan=True)
    assert not np.array_equal(before[3], after[3])


def test_an_ensemble_is_made_of_those_that_had_done_best_by_then() -> None:
    grid = dataclasses.replace(a_grid(), values=np.concatenate([np.full((20, 48), 5.0), np.full((8, 48), 50.0)]))
    models = [Always(str(value), value) for value in (4, 5, 6, 49, 50, 51)]
    origins = tuple(range(14, 28))
    backtest = Backtest(grid, origins, 1, {one.name: predict_at(grid, one, origins, horizon=1) for one in models})
    said = {one.name: np.array([one.value]) for one in models}
    assert set(ensemble(backtest, said, 0)[1]) == set(said)
    assert set(ensemble(backtest, said, 6)[1]) == {"4", "5", "6"}  # day 20: nobody can know of the shift yet
    assert set(ensemble(backtest, said, 14)[1]) == {"49", "50", "51"}
    assert ensemble(backtest, said, 14)[0] == pytest.approx([50])


# --- intervals ------------------------------------------------------------------------------------------------------


def test_intervals_hold_as_much_as_they_say() -> None:
    rng = np.random.default_rng(4)
    mean = rng.uniform(2, 60, 4000)
    errors = scaled_errors(rng.poisson(mean).astype(float), mean)
    bands = quantiles(mean, errors)
    drawn = rng.poisson(mean)
    inside = (drawn >= bands[:, 1]) & (drawn <= bands[:, -2])
    assert 0.75 < inside.mean() < 0.85
    assert (np.diff(bands, axis=1) >= 0).all()
    assert (bands >= 0).all()


def test_from_too_few_errors_no_interval_is_made_up() -> None:
    assert np.isnan(quantiles(np.array([3.0]), np.arange(5.0))).all()


# --- champion -------------------------------------------------------------------------------------------------------


def test_the_smallest_error_wins_whatever_its_name_and_of_equals_the_simpler_one() -> None:
    assert choose({"a": a_score(3), "b": a_score(2), "c": a_score(2)}) == "b"
    assert choose({"a": a_score(float("nan")), "b": a_score(9)}) == "b"


def test_the_choice_is_explained_in_words() -> None:
    told = explain({BASELINE: a_score(2), "regression": a_score(1.5)}, origins=4, horizon=7)
    assert told.startswith("regression is chosen: it uses calendar effects")
    assert "In 4 forecasts of the next 7 days, its error was 15.0% of all events." in told
    assert "The same days chose it, so this error is a little too small." in told
    assert "25% below the error of the four-week mean" in told
    assert "held 80% of the values" in told
    simple = explain({BASELINE: a_score(1), "regression": a_score(1.5)}, origins=4, horizon=1)
    assert "it takes the mean" in simple
    assert "No other model was better; the next was regression." in simple


@pytest.mark.parametrize("winner", ["seasonal naive", "four-week mean"])
def test_the_champion_changes_with_the_series(winner: str) -> None:
    values = np.random.default_rng(1).poisson(30, (42, 48)).astype(float)
    if winner == "seasonal naive":  # each week another pattern, which then stays for another week
        patterns = np.random.default_rng(2).uniform(1, 99, (3, 7, 48))
        values = np.concatenate([np.concatenate([one, one]) for one in patterns])
    grid = dataclasses.replace(a_grid(days=42), values=values)
    (told,) = forecast_all([grid], horizon=7, origins=1, models=QUICK[:2], workers=1)
    assert told.champion == winner


# --- all together ---------------------------------------------------------------------------------------------------


def test_all_models_on_two_series_in_two_processes_with_progress() -> None:
    frame = a_frame(name="a", days=24)
    both = grids(frame._append(a_frame(name="b", days=24, seed=2, level=0.1)), interval_minutes=30)
    told: list[tuple[int, int]] = []
    found = forecast_all(
        both, horizon=2, origins=3, workers=2, notify=lambda done, tasks, what: told.append((done, tasks))
    )
    assert told == [(done, 12) for done in range(1, 13)]
    for one in found:
        assert set(one.scores) == {*(model.name for model in MODELS), ENSEMBLE}
        assert one.scores[one.champion].mae == min(score.mae for score in one.scores.values())
        assert one.champion in one.why
        table = one.table()
        assert len(table) == 7 * 2 * 48
        assert table.groupby("model")["is_champion"].all().sum() == 1
        assert table["ds"].min() == one.grid.values.shape[0] * np.timedelta64(1, "D") + np.datetime64("2026-01-05")
        assert (table["q10"] <= table["q90"]).all()


def test_one_process_says_the_same_as_two() -> None:
    one, two = (forecast_all([a_grid()], horizon=3, origins=2, models=QUICK, workers=n)[0] for n in (1, 2))
    assert one.table().equals(two.table())


@pytest.mark.parametrize("name", ["horizon", "origins", "step", "workers"])
def test_an_argument_below_one_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        forecast_all([a_grid()], **{name: 0})  # type: ignore[arg-type]


def test_quantile_levels_rise_and_hold_the_interval() -> None:
    assert (np.diff(LEVELS) > 0).all()
    assert {0.1, 0.5, 0.9} <= set(LEVELS.tolist())


@pytest.mark.parametrize("value", ["7", 2.0, True, None, 10**9], ids=repr)
def test_a_horizon_that_is_no_number_of_days_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="horizon is "):
        forecast_all([a_grid()], horizon=value, origins=2, models=QUICK, workers=1)


def test_two_series_with_one_name_are_refused_because_one_would_take_the_others_place() -> None:
    with pytest.raises(ConfigError, match="two series called 'site'"):
        forecast_all([a_grid(), a_grid(seed=2)], origins=2, models=QUICK, workers=1)


def test_nothing_to_forecast_or_to_forecast_with_is_refused() -> None:
    with pytest.raises(ConfigError, match="no series"):
        forecast_all([], models=QUICK, workers=1)
    with pytest.raises(ConfigError, match="no model"):
        forecast_all([a_grid()], models=(), workers=1)
