"""Settling: the ledger waits for what is on its way, says for what, and not for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rtlib import cli, ledger
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline import settling
from rtlib.pipeline.settling import settle
from support.ledgers import good_ledger


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator has stopped, and nobody waits between two looks."""
    monkeypatch.setattr(settling, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(settling, "is_sending", lambda settings: False)


def answers(monkeypatch: pytest.MonkeyPatch, *given: str | None) -> Iterator[str | None]:
    """What is outstanding, look by look; the last answer is given for ever."""
    left = iter(given)
    monkeypatch.setattr(settling, "outstanding", lambda settings: next(left, given[-1]))
    return left


def test_it_waits_until_nothing_is_outstanding_and_says_each_change_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers(monkeypatch, "30 records", "30 records", "4 records", None)
    lines: list[str] = []
    assert settle(Settings(home=tmp_path), tell=lines.append)
    assert lines == ["  waiting: 30 records", "  waiting: 4 records"]


def test_where_nothing_moves_any_more_it_gives_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, "30 records")
    lines: list[str] = []
    assert not settle(Settings(home=tmp_path), tell=lines.append, patience=0.02)
    assert lines[0] == "  waiting: 30 records"
    assert "nothing has moved" in lines[-1]


def test_what_moves_is_waited_for_beyond_the_patience(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, *(f"{left} records" for left in range(50, 0, -1)), None)
    assert settle(Settings(home=tmp_path), tell=lambda line: None, patience=0.0)


def test_while_the_simulator_sends_there_is_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(settling, "is_sending", lambda settings: True)
    left = answers(monkeypatch, "30 records", None)
    assert not settle(Settings(home=tmp_path), tell=lambda line: None)
    assert next(left) == "30 records"  # nobody asked


def test_a_warehouse_that_does_not_answer_ends_the_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def away(settings: Settings) -> str:
        raise ServiceError("the broker does not answer", cure="rtlib up")

    monkeypatch.setattr(settling, "outstanding", away)
    with pytest.raises(ServiceError, match="does not answer"):
        settle(Settings(home=tmp_path), tell=lambda line: None)


@pytest.mark.parametrize("words", [["ledger"], ["ledger", "--json"]])
def test_the_verb_waits_first_and_talks_on_standard_error_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: list[str]
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    answers(monkeypatch, "30 records", None)

    def take(settings: Settings, *, tell: ledger.Tell) -> ledger.Ledger:
        tell("  1,000 of 2,000 records")
        return good_ledger()

    monkeypatch.setattr(ledger, "take", take)
    shown = CliRunner().invoke(cli.app, words)
    assert shown.exit_code == 0
    assert shown.stderr == "  waiting: 30 records\n  1,000 of 2,000 records\n"
    assert shown.stdout.startswith("{" if "--json" in words else "produced")
    assert "--json" not in words or json.loads(shown.stdout)["reconciles"] is True


def test_the_exit_code_says_that_something_never_arrived(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    answers(monkeypatch, None)
    monkeypatch.setattr(ledger, "take", lambda settings, tell: replace(good_ledger(), in_flight=30))
    shown = CliRunner().invoke(cli.app, ["ledger"])
    assert shown.exit_code == 9
    assert "NOT FINAL YET: nothing lost and nothing doubled so far, 30 records in flight" in shown.stdout


def test_the_exit_code_says_that_something_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    answers(monkeypatch, None)
    monkeypatch.setattr(ledger, "take", lambda settings, tell: replace(good_ledger(), in_flight=30, lost=1))
    shown = CliRunner().invoke(cli.app, ["ledger"])
    assert (shown.exit_code, shown.stdout.splitlines()[-1]) == (1, "DOES NOT RECONCILE: 1 lost, 0 doubled")
