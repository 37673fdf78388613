"""Champion: the choice of a model by its backtest, with the reason in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, isnan

from rtlib.forecast.metrics import Score
from rtlib.forecast.models import BASELINE, PLAIN


def choose(scores: Mapping[str, Score]) -> str:
    """The model with the smallest mean absolute error; among equals the first, which is the simplest."""
    errors = {name: round(score.mae, 9) if isfinite(score.mae) else float("inf") for name, score in scores.items()}
    return min(errors, key=lambda name: errors[name])


def explain(scores: Mapping[str, Score], *, origins: int, horizon: int) -> str:
    """The reason for the choice, for a reader who does not know the models."""
    name = choose(scores)
    best = scores[name]
    days = "the next day" if horizon == 1 else f"the next {horizon} days"
    parts = [
        f"{name} is chosen: it {_plain(name)}. In {origins} forecasts of {days}, {_error(best)}. "
        "The same days chose it, so this error is a little too small.",
        _comparison(name, best, scores),
        _interval(best),
    ]
    return " ".join(part for part in parts if part)


def _plain(name: str) -> str:
    text = PLAIN.get(name, "")
    return text if text.split()[:1] in (["repeats"], ["takes"]) else f"uses {text}"


def _error(best: Score) -> str:
    if isnan(best.wape):
        return "there were no events, and it forecast none"
    return f"its error was {best.wape:.1%} of all events"


def _comparison(name: str, best: Score, scores: Mapping[str, Score]) -> str:
    base = scores.get(BASELINE)
    if base is None or name == BASELINE or not base.mae:
        others = {other: score.mae for other, score in scores.items() if other != name and isfinite(score.mae)}
        if not others:
            return ""
        second = min(others, key=lambda other: others[other])
        return f"No other model was better; the next was {second}."
    return f"That is {1 - best.mae / base.mae:.0%} below the error of the {BASELINE}."


def _interval(best: Score) -> str:
    if isnan(best.coverage_80):
        return "There were too few past errors for an interval."
    return f"Its 80 % interval held {best.coverage_80:.0%} of the values."
