"""Helpers of the lessons: a prediction, a ledger that fails on purpose, and the options of the notebook's Spark."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.lessons import ledger_without_one_event, predict, progress
from rtlib.pipeline import notebook_spark
from rtlib.pipeline.audit import evidence
from rtlib.services.java import Java
from rtlib.streaming import guard
from support.ledgers import evidence_of, held_by, run_of


@pytest.mark.parametrize(
    ("guess", "line"),
    [(None, "2 (no guess yet)"), (2, "2 (as you guessed)"), (3, "2 (you guessed 3)"), ("two", "2 (you guessed 'two')")],
)
def test_a_prediction_is_compared_with_the_result_and_kept(
    guess: object, line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    predict("02.a", guess, 2)
    assert capsys.readouterr().out == f"{line}\n"
    assert progress.load(tmp_path).guesses == ({} if guess is None else {"02.a": (repr(guess), guess == 2)})


def test_an_event_hidden_from_the_ledger_is_reported_as_lost_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of()
    monkeypatch.setattr(evidence, "gather", lambda settings: evidence_of(run))
    monkeypatch.setattr(evidence, "held_sequences", lambda settings, names: held_by(evidence_of(run)))
    ledger = ledger_without_one_event(Settings())
    (hidden,) = ledger.lost_events
    assert (ledger.lost, ledger.doubled, hidden.sequence) == (1, 0, 0)
    assert hidden.event_id in {sent.event.event_id for sent in run.records() if sent.event}


def test_without_an_event_to_hide_the_cure_is_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = replace(evidence_of(run_of()), producers={})
    monkeypatch.setattr(evidence, "gather", lambda settings: empty)
    monkeypatch.setattr(evidence, "held_sequences", lambda settings, names: {})
    with pytest.raises(ConfigError, match="holds no event") as caught:
        ledger_without_one_event(Settings())
    assert caught.value.cure == "wait a few seconds, then try again"


def test_the_spark_of_a_notebook_uses_the_java_and_the_connector_of_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", "/elsewhere")
    java = Java(tmp_path / "jdk" / "bin" / "java", "17.0.1")
    monkeypatch.setattr(notebook_spark.java, "find_java", lambda settings: java)
    monkeypatch.setattr(guard, "compiled", lambda home: home / "compiled.jar")
    options = notebook_spark.spark_options(Settings(home=tmp_path))
    assert os.environ["JAVA_HOME"] == str(tmp_path / "jdk")
    assert "spark-sql-kafka" in options["spark.driver.extraClassPath"]
    assert options["spark.driver.extraClassPath"].startswith(f"{tmp_path / 'compiled.jar'}{os.pathsep}")
    protection = guard.options(tmp_path, scratch=tmp_path / "spark-lessons", java_options="")
    assert options.keys() > protection.keys()
    assert guard.JAVA_OPTION in options["spark.driver.extraJavaOptions"]
