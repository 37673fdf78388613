"""Drain: the wait for records in flight reports what is outstanding, and ends."""

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
from rtlib.pipeline.recovery import drain
from rtlib.pipeline.recovery.drain import wait_until_drained
from support.ledgers import good_ledger

NO_BROKER = ServiceError("the broker does not answer", cure="rtlib up")


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator has stopped, and the wait neither pauses between two looks nor leaves out a line."""
    monkeypatch.setattr(drain, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(drain, "PROGRESS_SECONDS", 0.0)
    monkeypatch.setattr(drain, "is_sending", lambda settings: False)


def answers(monkeypatch: pytest.MonkeyPatch, *results: str | None | Exception) -> Iterator[str | None | Exception]:
    """What is outstanding, look by look; the last answer repeats."""
    left = iter(results)

    def outstanding(settings: Settings) -> str | None:
        result = next(left, results[-1])
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(drain, "outstanding", outstanding)
    return left


def test_it_waits_until_nothing_is_outstanding_and_reports_each_change_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answers(monkeypatch, "30 records", "30 records", "4 records", None)
    lines: list[str] = []
    assert wait_until_drained(Settings(home=tmp_path), notify=lines.append)
    assert lines == ["  waiting: 30 records", "  waiting: 4 records"]


def test_changes_in_quick_succession_are_reported_in_a_single_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(drain, "PROGRESS_SECONDS", 3600.0)
    answers(monkeypatch, "30 records", "20 records", "10 records", None)
    lines: list[str] = []
    assert wait_until_drained(Settings(home=tmp_path), notify=lines.append)
    assert lines == ["  waiting: 30 records"]


def test_it_gives_up_once_nothing_moves_any_more(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, "30 records")
    lines: list[str] = []
    assert not wait_until_drained(Settings(home=tmp_path), notify=lines.append, patience=0.02)
    assert lines[0] == "  waiting: 30 records"
    assert lines[-1].endswith("no longer waiting for 30 records")


def test_it_waits_beyond_the_patience_while_records_move(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, *(f"{left} records" for left in range(50, 0, -1)), None)
    assert wait_until_drained(Settings(home=tmp_path), notify=lambda line: None, patience=0.0)


def test_while_the_simulator_sends_there_is_nothing_to_wait_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(drain, "is_sending", lambda settings: True)
    left = answers(monkeypatch, "30 records", None)
    assert not wait_until_drained(Settings(home=tmp_path), notify=lambda line: None)
    assert next(left) == "30 records"  # not read
    assert wait_until_drained(Settings(home=tmp_path), notify=lambda line: None, after_faults=True)


def test_a_broker_that_does_not_answer_ends_the_wait(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, NO_BROKER)
    with pytest.raises(ServiceError, match="does not answer"):
        wait_until_drained(Settings(home=tmp_path), notify=lambda line: None)


def test_after_faults_a_part_may_be_silent_for_a_while(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers(monkeypatch, "30 records", NO_BROKER, "4 records", None)
    lines: list[str] = []
    assert wait_until_drained(Settings(home=tmp_path), notify=lines.append, after_faults=True)
    assert lines == ["  waiting: 30 records", "  waiting: the broker does not answer", "  waiting: 4 records"]


@pytest.mark.parametrize("result", ["30 records", NO_BROKER])
def test_after_faults_it_gives_up_as_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, result: str | Exception
) -> None:
    answers(monkeypatch, result)
    settings = Settings(home=tmp_path)
    assert not wait_until_drained(settings, notify=lambda line: None, patience=0.02, after_faults=True)


@pytest.mark.parametrize("arguments", [["ledger"], ["ledger", "--json"]])
def test_the_ledger_command_waits_first_and_reports_on_standard_error_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    answers(monkeypatch, "30 records", None)

    def take(settings: Settings, *, notify: ledger.Notify) -> ledger.Ledger:
        notify("  1,000 of 2,000 records")
        return good_ledger()

    monkeypatch.setattr(ledger, "take", take)
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0
    assert result.stderr == "  waiting: 30 records\n  1,000 of 2,000 records\n"
    assert result.stdout.startswith("{" if "--json" in arguments else "produced")
    assert "--json" not in arguments or json.loads(result.stdout)["reconciles"] is True


def test_the_exit_code_shows_that_records_never_arrived(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    answers(monkeypatch, None)
    monkeypatch.setattr(ledger, "take", lambda settings, notify: replace(good_ledger(), in_flight=30))
    result = CliRunner().invoke(cli.app, ["ledger"])
    assert result.exit_code == 9
    assert "NOT FINAL YET: nothing lost and nothing doubled so far, 30 records in flight" in result.stdout


def test_the_exit_code_shows_that_an_event_is_lost(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    answers(monkeypatch, None)
    monkeypatch.setattr(ledger, "take", lambda settings, notify: replace(good_ledger(), in_flight=30, lost=1))
    result = CliRunner().invoke(cli.app, ["ledger"])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "DOES NOT RECONCILE: 1 lost, 0 doubled")
