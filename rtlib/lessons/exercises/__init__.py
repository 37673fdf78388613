"""Exercises: all of them, by id."""

from __future__ import annotations

import difflib
from functools import cache
from importlib import import_module

from rtlib.errors import ConfigError
from rtlib.lessons.exercise import Exercise

MODULES = (
    *("kafka", "kafka_contracts", "spark", "spark_streams", "speed_layer", "break_it", "ledgers", "dbt"),
    *("forecasts", "staffing", "staffing_plans", "alerts", "explain", "bi"),
)


@cache
def exercises() -> dict[str, Exercise]:
    """All exercises by their id, in the order of the lessons."""
    found = [each for name in MODULES for each in import_module(f"{__name__}.{name}").EXERCISES]
    return {each.id: each for each in sorted(found, key=lambda each: (each.lesson, int(each.id.partition(".")[2])))}


def of_lesson(number: str) -> tuple[Exercise, ...]:
    """The exercises of a lesson, for example of ``02``."""
    return tuple(each for each in exercises().values() if each.lesson == number)


def find(exercise: str) -> Exercise:
    """An exercise by its id.

    Raises:
        ConfigError: There is none with this id; the cure names the most similar.
    """
    found = exercises().get(exercise) if isinstance(exercise, str) else None
    if found is None:
        similar = (difflib.get_close_matches(str(exercise), exercises(), n=1, cutoff=0) or ["02.1"])[0]
        raise ConfigError(f"there is no exercise {str(exercise)[:40]!r}", cure=f'for example "{similar}"')
    return found
