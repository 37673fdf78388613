"""Champion: which model is taken, by its backtest alone, and why, in words."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, isnan

from rtlib.forecast.metrics import Score
from rtlib.forecast.models import BASELINE, PLAIN


def choose(scores: Mapping[str, Score]) -> str:
    """The model with the smallest mean absolute error; of equals, the one that comes first, which is the simplest."""
    errors = {name: round(one.mae, 9) if isfinite(one.mae) else float("inf") for name, one in scores.items()}
    return min(errors, key=lambda name: errors[name])


def explain(scores: Mapping[str, Score], *, origins: int, horizon: int) -> str:
    """Why the champion is the champion, for somebody who has never heard of any of them."""
    name = choose(scores)
    best = scores[name]
    days = "the next day" if horizon == 1 else f"the next {horizon} days"
    parts = [
        f"{name} is chosen: it {_plain(name)}. Asked {origins} times about {days}, {_missed(best)}. "
        "It was chosen by those very days, which flatters it a little.",
        _against(name, best, scores),
        _interval(best),
    ]
    return " ".join(part for part in parts if part)


def _plain(name: str) -> str:
    told = PLAIN.get(name, "")
    return told if told.split()[:1] in (["repeats"], ["takes"]) else f"uses {told}"


def _missed(best: Score) -> str:
    if isnan(best.wape):
        return "it was right: nothing happened at all"
    return f"it missed {best.wape:.1%} of what happened"


def _against(name: str, best: Score, scores: Mapping[str, Score]) -> str:
    base = scores.get(BASELINE)
    if base is None or name == BASELINE or not base.mae:
        others = {other: one.mae for other, one in scores.items() if other != name and isfinite(one.mae)}
        if not others:
            return ""
        second = min(others, key=lambda other: others[other])
        return f"Nothing more elaborate was better; the next was {second}."
    return f"That is {1 - best.mae / base.mae:.0%} less than the {BASELINE}."


def _interval(best: Score) -> str:
    if isnan(best.coverage_80):
        return "There were too few errors to say how sure it is."
    return f"Its 80 % interval held {best.coverage_80:.0%} of the values."
