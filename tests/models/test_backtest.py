"""Backtest, intervals, ensemble and champion: no look-ahead, and the best model is chosen."""

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

QUICK = tuple(model for model in MODELS if model.name in ("seasonal naive", "four-week mean", "regression"))


@dataclasses.dataclass(frozen=True)
class Always:
    """Always forecasts the same value."""

    name: str
    value: float
    plain: str = "always forecasts the same"

    def predict(self, past: Grid, days: Sequence[date]) -> np.ndarray:
        return np.full((len(days), len(past.slots)), self.value)


def a_score(mae: float, **changed: float) -> Score:
    return dataclasses.replace(Score(mae, mae / 10, 0.8, 0.0, 0.8, mae / 3), **changed)


# --- metrics --------------------------------------------------------------------------------------------------------


def test_scores_equal_a_computation_by_hand() -> None:
    actual, point = np.array([1.0, 2, 3, np.nan]), np.array([2.0, 2, 1, 7])
    bands = np.stack([point - 1, point, point + 1], axis=-1)
    scores = score(actual, point, bands, np.array([0.1, 0.5, 0.9]), naive_error=2.0)
    assert (scores.mae, scores.wape, scores.mase, scores.bias) == pytest.approx((1, 3 / 6, 0.5, -1 / 6))
    assert scores.coverage_80 == pytest.approx(2 / 3)
    by_hand = [0.1 * 0, 0.5 * 1, 0.1 * 2, 0.1 * 1, 0, 0.1 * 1, 0.1 * 3, 0.5 * 2, 0.9 * 1]
    assert scores.pinball == pytest.approx(sum(by_hand) / 9)


def test_the_score_of_no_events_is_nan_without_an_error() -> None:
    zeros = np.zeros(5)
    scores = score(zeros, zeros, np.full((5, 3), np.nan), np.array([0.1, 0.5, 0.9]), naive_error=0.0)
    assert scores.mae == 0
    assert np.isnan([scores.wape, scores.mase, scores.bias, scores.coverage_80, scores.pinball]).all()


def test_the_true_quantile_has_the_smallest_pinball_loss() -> None:
    drawn = np.random.default_rng(1).normal(size=4000)
    losses = [pinball(drawn, np.full((4000, 1), candidate), np.array([0.8])) for candidate in np.linspace(-2, 2, 81)]
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


def test_the_last_origin_forecasts_days_to_come() -> None:
    grid = a_grid()
    points = predict_at(grid, MODELS[0], (21, 28), horizon=7)
    assert points.shape == (2, 7, 48)
    assert points[1] == pytest.approx(grid.values[21:])  # the naive repeats last week


def test_bands_use_only_errors_known_at_the_origin() -> None:
    grid = a_grid()
    origins = (15, 17, 19, 21)
    model = QUICK[1]
    points = {model.name: predict_at(grid, model, origins, horizon=7)}
    before = Backtest(grid, origins, 7, points).bands(model.name)
    later = dataclasses.replace(grid, values=np.concatenate([grid.values[:19], grid.values[19:] + 500]))
    after = Backtest(later, origins, 7, points).bands(model.name)
    assert np.isnan(before[0]).all()
    assert np.array_equal(before[:3], after[:3], equal_nan=True)
    assert not np.array_equal(before[3], after[3])


def test_an_ensemble_averages_the_best_models_so_far() -> None:
    grid = dataclasses.replace(a_grid(), values=np.concatenate([np.full((20, 48), 5.0), np.full((8, 48), 50.0)]))
    models = [Always(str(value), value) for value in (4, 5, 6, 49, 50, 51)]
    origins = tuple(range(14, 28))
    backtest = Backtest(grid, origins, 1, {model.name: predict_at(grid, model, origins, horizon=1) for model in models})
    points = {model.name: np.array([model.value]) for model in models}
    assert set(ensemble(backtest, points, 0)[1]) == set(points)
    assert set(ensemble(backtest, points, 6)[1]) == {"4", "5", "6"}  # day 20: the shift is not known yet
    assert set(ensemble(backtest, points, 14)[1]) == {"49", "50", "51"}
    assert ensemble(backtest, points, 14)[0] == pytest.approx([50])


# --- intervals ------------------------------------------------------------------------------------------------------


def test_intervals_cover_their_nominal_share() -> None:
    rng = np.random.default_rng(4)
    mean = rng.uniform(2, 60, 4000)
    errors = scaled_errors(rng.poisson(mean).astype(float), mean)
    bands = quantiles(mean, errors)
    drawn = rng.poisson(mean)
    inside = (drawn >= bands[:, 1]) & (drawn <= bands[:, -2])
    assert 0.75 < inside.mean() < 0.85
    assert (np.diff(bands, axis=1) >= 0).all()
    assert (bands >= 0).all()


def test_too_few_errors_give_no_interval() -> None:
    assert np.isnan(quantiles(np.array([3.0]), np.arange(5.0))).all()


# --- champion -------------------------------------------------------------------------------------------------------


def test_the_smallest_error_wins_and_among_equals_the_simpler_model() -> None:
    assert choose({"a": a_score(3), "b": a_score(2), "c": a_score(2)}) == "b"
    assert choose({"a": a_score(float("nan")), "b": a_score(9)}) == "b"


def test_the_choice_is_explained_in_words() -> None:
    text = explain({BASELINE: a_score(2), "regression": a_score(1.5)}, origins=4, horizon=7)
    assert text.startswith("regression is chosen: it uses calendar effects")
    assert "In 4 forecasts of the next 7 days, its error was 15.0% of all events." in text
    assert "The same days chose it, so this error is a little too small." in text
    assert "25% below the error of the four-week mean" in text
    assert "held 80% of the values" in text
    simple = explain({BASELINE: a_score(1), "regression": a_score(1.5)}, origins=4, horizon=1)
    assert "it takes the mean" in simple
    assert "No other model was better; the next was regression." in simple


@pytest.mark.parametrize("winner", ["seasonal naive", "four-week mean"])
def test_the_champion_changes_with_the_series(winner: str) -> None:
    values = np.random.default_rng(1).poisson(30, (42, 48)).astype(float)
    if winner == "seasonal naive":  # each week another pattern, which then stays for another week
        patterns = np.random.default_rng(2).uniform(1, 99, (3, 7, 48))
        values = np.concatenate([np.concatenate([pattern, pattern]) for pattern in patterns])
    grid = dataclasses.replace(a_grid(days=42), values=values)
    (result,) = forecast_all([grid], horizon=7, origins=1, models=QUICK[:2], workers=1)
    assert result.champion == winner


# --- all together ---------------------------------------------------------------------------------------------------


def test_all_models_on_two_series_in_two_processes_with_progress() -> None:
    frame = a_frame(name="a", days=24)
    both = grids(frame._append(a_frame(name="b", days=24, seed=2, level=0.1)), interval_minutes=30)
    progress: list[tuple[int, int]] = []
    results = forecast_all(
        both, horizon=2, origins=3, workers=2, notify=lambda done, tasks, what: progress.append((done, tasks))
    )
    assert progress == [(done, 12) for done in range(1, 13)]
    for result in results:
        assert set(result.scores) == {*(model.name for model in MODELS), ENSEMBLE}
        assert result.scores[result.champion].mae == min(score.mae for score in result.scores.values())
        assert result.champion in result.why
        table = result.table()
        assert len(table) == 7 * 2 * 48
        assert table.groupby("model")["is_champion"].all().sum() == 1
        assert table["ds"].min() == result.grid.values.shape[0] * np.timedelta64(1, "D") + np.datetime64("2026-01-05")
        assert (table["q10"] <= table["q90"]).all()


def test_a_single_process_gives_the_same_result_as_two() -> None:
    single, double = (forecast_all([a_grid()], horizon=3, origins=2, models=QUICK, workers=n)[0] for n in (1, 2))
    assert single.table().equals(double.table())


@pytest.mark.parametrize("name", ["horizon", "origins", "step", "workers"])
def test_an_argument_below_one_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        forecast_all([a_grid()], **{name: 0})  # type: ignore[arg-type]


def test_quantile_levels_rise_and_hold_the_interval() -> None:
    assert (np.diff(LEVELS) > 0).all()
    assert {0.1, 0.5, 0.9} <= set(LEVELS.tolist())


@pytest.mark.parametrize("value", ["7", 2.0, True, None, 10**9], ids=repr)
def test_an_invalid_horizon_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="horizon is "):
        forecast_all([a_grid()], horizon=value, origins=2, models=QUICK, workers=1)


def test_two_series_with_the_same_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two series called 'site'"):
        forecast_all([a_grid(), a_grid(seed=2)], origins=2, models=QUICK, workers=1)


def test_missing_series_or_models_are_refused() -> None:
    with pytest.raises(ConfigError, match="no series"):
        forecast_all([], models=QUICK, workers=1)
    with pytest.raises(ConfigError, match="no model"):
        forecast_all([a_grid()], models=(), workers=1)
