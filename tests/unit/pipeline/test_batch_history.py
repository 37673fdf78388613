"""Batch history: a query's state at a moment is that of the newest batch before it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rtlib import cli
from rtlib.cli.travel import _moment
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.telemetry.batch_history import batch_at, history
from rtlib.records import QueryProgress
from rtlib.streaming.queries import QUERIES

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def batch(number: int) -> QueryProgress:
    at = NOON + timedelta(seconds=15 * number)
    return QueryProgress("kpis", number, at, 10, 1.0, 1.0, 5, 0, at - timedelta(seconds=60))


BATCHES = [batch(number) for number in range(4)]


def test_between_two_batches_the_earlier_batch_holds_the_querys_state() -> None:
    assert batch_at(BATCHES, NOON + timedelta(seconds=29.9)) == BATCHES[1]
    assert batch_at(BATCHES, NOON + timedelta(seconds=30)) == BATCHES[2]


def test_after_the_last_batch_its_state_holds() -> None:
    assert batch_at(BATCHES, NOON + timedelta(hours=1)) == BATCHES[3]


def test_before_the_first_batch_there_is_no_state() -> None:
    assert batch_at(BATCHES, NOON - timedelta(seconds=1)) is None


def test_a_time_of_day_means_today_in_utc() -> None:
    moment = _moment("12:03:10")
    assert (moment.hour, moment.minute, moment.second, moment.tzinfo) == (12, 3, 10, UTC)
    assert moment.date() == datetime.now(UTC).date()


def test_a_full_moment_is_parsed_unchanged() -> None:
    assert _moment("2026-01-05T12:03:10") == datetime(2026, 1, 5, 12, 3, 10, tzinfo=UTC)


def test_a_moment_with_an_offset_is_converted_to_utc() -> None:
    assert _moment("2026-01-05T12:03:10+02:00") == datetime(2026, 1, 5, 10, 3, 10, tzinfo=UTC)
    assert _moment("2026-01-05T12:03:10Z") == datetime(2026, 1, 5, 12, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize("offset", [timedelta(hours=2), timedelta(hours=-11), timedelta(hours=5, minutes=30)])
def test_a_time_of_day_with_an_offset_means_today_in_that_time_zone(offset: timedelta) -> None:
    zone = timezone(offset)
    before = datetime.now(zone).date()
    moment = _moment(datetime.combine(before, time(12, 3, 10, 500_000), zone).timetz().isoformat())
    local = moment.astimezone(zone)
    assert moment.tzinfo == UTC
    assert (local.hour, local.minute, local.second, local.microsecond) == (12, 3, 10, 500_000)
    assert before <= local.date() <= datetime.now(zone).date()


@pytest.mark.parametrize("text", ["high noon", "25:00", "12:03:10+99:00", "12", "2026-13-01T00:00:00", ""])
def test_text_that_is_not_a_moment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="12:03:10"):
        _moment(text)


def test_an_unknown_query_is_refused_with_the_known_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no query 'foo'") as refused:
        history(Settings(home=tmp_path), query="foo")
    assert all(name in refused.value.cure for name in QUERIES)


def test_the_verb_refuses_an_unknown_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    result = CliRunner().invoke(cli.app, ["travel", "--query", "foo"])
    assert isinstance(result.exception, ConfigError)
    assert result.stdout == ""
