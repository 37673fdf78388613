"""What the notebooks ask for in one line: a ledger that fails on purpose, and the options of a Spark of their own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.lessons import ledger_without_one_event
from rtlib.pipeline import notebook_spark
from rtlib.pipeline.audit import evidence
from rtlib.services.java import Java
from support.ledgers import evidence_of, held_by, run_of


def test_an_event_that_is_hidden_from_the_ledger_is_lost_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of()
    monkeypatch.setattr(evidence, "gather", lambda settings: evidence_of(run))
    monkeypatch.setattr(evidence, "held_sequences", lambda settings, names: held_by(evidence_of(run)))
    taken = ledger_without_one_event(Settings())
    (hidden,) = taken.lost_events
    assert (taken.lost, taken.doubled, hidden.sequence) == (1, 0, 0)
    assert hidden.event_id in {sent.event.event_id for sent in run.records() if sent.event}


def test_with_no_event_to_hide_the_cure_is_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = replace(evidence_of(run_of()), producers={})
    monkeypatch.setattr(evidence, "gather", lambda settings: nothing)
    monkeypatch.setattr(evidence, "held_sequences", lambda settings, names: {})
    with pytest.raises(ConfigError, match="holds no event") as caught:
        ledger_without_one_event(Settings())
    assert caught.value.cure == "wait a few seconds, then try again"


def test_a_spark_of_ones_own_has_the_stacks_java_and_connector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/elsewhere")
    java = Java(tmp_path / "jdk" / "bin" / "java", "17.0.1")
    monkeypatch.setattr(notebook_spark.java, "find_java", lambda settings: java)
    monkeypatch.setattr(notebook_spark.guard, "compiled", lambda home: home / "compiled")
    options = notebook_spark.spark_options(Settings(home=tmp_path))
    assert os.environ["JAVA_HOME"] == str(tmp_path / "jdk")
    assert "spark-sql-kafka" in options["spark.jars"]
    protection = notebook_spark.guard.options(tmp_path, scratch=tmp_path / "spark-lessons", java_options="")
    assert options.keys() > protection.keys()
    assert notebook_spark.guard.JAVA_OPTION in options["spark.driver.extraJavaOptions"]
