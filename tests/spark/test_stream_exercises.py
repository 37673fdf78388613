"""The exercises with streams, on a Spark session: the solution passes, each misconception gets its own reason."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from rtlib.lessons import running
from rtlib.lessons.checks.stream import Stream
from rtlib.lessons.exercise import Exercise, Misconception
from rtlib.lessons.exercises import find
from rtlib.lessons.verdict import Status
from support.exercises import ON_SPARK, answer_of, assert_shown, each, each_misconception, verdict_on

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WINDOWS = find("02.1")
IMPATIENT = replace(WINDOWS, check=replace(cast("Stream", WINDOWS.check), call_seconds=1.0))


@pytest.fixture(autouse=True)
def nothing_is_left_running(spark: SparkSession) -> Iterator[None]:
    yield
    assert spark.streams.active == []
    assert type(spark).getActiveSession() == spark


@each(ON_SPARK)
def test_the_solution_passes(exercise: Exercise) -> None:
    assert verdict_on(exercise, exercise.solution).status is Status.RIGHT


@each_misconception(ON_SPARK)
def test_the_example_of_a_misconception_gets_its_reason(exercise: Exercise, misconception: Misconception) -> None:
    assert_shown(misconception, verdict_on(exercise, misconception.example))


@each(ON_SPARK)
def test_a_starter_is_not_answered_yet(exercise: Exercise) -> None:
    assert verdict_on(exercise, exercise.starter).status is Status.UNANSWERED


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("per_minute = [1]", "the answer must be a function of 1 argument (events), not a list."),
        ("per_minute = lambda: 1", "the answer must be a function of 1 argument (events); yours takes others."),
        ("per_minute = lambda events: None", "your function must return a data frame, not nothing."),
        ("def per_minute(events):\n    return events.collect()", "your answer raised AnalysisException"),
        (
            "def per_minute(events):\n    return 1 / 0",
            "your answer raised ZeroDivisionError in line 2: division by zero.",
        ),
        ("def per_minute(events):\n    while True: pass", "your answer was stopped after 1 seconds"),
        ("import time\ndef per_minute(events):\n    time.sleep(5)", "your answer was stopped after 1 seconds"),
        ("def per_minute(events):\n    return bytes(10**11)", "your answer needed more than"),
        ("def per_minute(events):\n    raise SystemExit(3)", "your answer ended with SystemExit: 3."),
    ],
)
def test_an_answer_that_cannot_be_used_gets_a_sentence(spark: SparkSession, code: str, sentence: str) -> None:
    hangs = "after 1 seconds" in sentence
    verdict = running.run(IMPATIENT if hangs else WINDOWS, answer_of(WINDOWS, code), seed=1)
    assert (verdict.status, verdict.misconception) == (Status.FAILED, "")
    assert sentence in verdict.sentence


def test_a_query_that_an_answer_waits_for_is_stopped(spark: SparkSession) -> None:
    def per_minute(events: Any) -> Any:
        return events.writeStream.format("noop").start().awaitTermination()

    verdict = running.run(IMPATIENT, per_minute, seed=1)
    assert "was stopped after 1 seconds" in verdict.sentence


def test_what_an_answer_prints_is_cut_and_not_shown_by_the_cell(
    spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    def per_minute(events: Any) -> None:
        sys.stdout.write("x" * 1_000_000)

    verdict = running.run(WINDOWS, per_minute, seed=1)
    assert capsys.readouterr().out == ""
    assert verdict.output.endswith("(1,000,000 characters)")
    assert len(verdict.output) < 600
