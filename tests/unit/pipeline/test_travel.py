"""Time travel: what a query knew at a moment is what its newest batch before it told."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rtlib import cli
from rtlib.cli.travel import _moment
from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.travel import history, knew_at
from rtlib.records import QueryProgress
from rtlib.streaming.queries import QUERIES

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def batch(number: int) -> QueryProgress:
    at = NOON + timedelta(seconds=15 * number)
    return QueryProgress("kpis", number, at, 10, 1.0, 1.0, 5, 0, at - timedelta(seconds=60))


BATCHES = [batch(number) for number in range(4)]


def test_between_two_batches_the_earlier_one_is_what_the_query_knew() -> None:
    assert knew_at(BATCHES, NOON + timedelta(seconds=29.9)) == BATCHES[1]
    assert knew_at(BATCHES, NOON + timedelta(seconds=30)) == BATCHES[2]


def test_after_the_last_batch_the_last_one_holds() -> None:
    assert knew_at(BATCHES, NOON + timedelta(hours=1)) == BATCHES[3]


def test_before_the_first_batch_nothing_was_known() -> None:
    assert knew_at(BATCHES, NOON - timedelta(seconds=1)) is None


def test_a_time_of_day_is_todays_in_utc() -> None:
    told = _moment("12:03:10")
    assert (told.hour, told.minute, told.second, told.tzinfo) == (12, 3, 10, UTC)
    assert told.date() == datetime.now(UTC).date()


def test_a_full_moment_is_taken_as_it_is() -> None:
    assert _moment("2026-01-05T12:03:10") == datetime(2026, 1, 5, 12, 3, 10, tzinfo=UTC)


def test_a_moment_with_an_offset_is_told_in_utc() -> None:
    assert _moment("2026-01-05T12:03:10+02:00") == datetime(2026, 1, 5, 10, 3, 10, tzinfo=UTC)
    assert _moment("2026-01-05T12:03:10Z") == datetime(2026, 1, 5, 12, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize("offset", [timedelta(hours=2), timedelta(hours=-11), timedelta(hours=5, minutes=30)])
def test_a_time_of_day_with_an_offset_is_todays_where_that_offset_holds(offset: timedelta) -> None:
    zone = timezone(offset)
    before = datetime.now(zone).date()
    told = _moment(datetime.combine(before, time(12, 3, 10, 500_000), zone).timetz().isoformat())
    local = told.astimezone(zone)
    assert told.tzinfo == UTC
    assert (local.hour, local.minute, local.second, local.microsecond) == (12, 3, 10, 500_000)
    assert before <= local.date() <= datetime.now(zone).date()


@pytest.mark.parametrize("text", ["high noon", "25:00", "12:03:10+99:00", "12", "2026-13-01T00:00:00", ""])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="12:03:10"):
        _moment(text)


def test_a_query_that_is_not_there_is_refused_with_the_names_of_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no query is called 'foo'") as refused:
        history(Settings(home=tmp_path), query="foo")
    assert all(name in refused.value.cure for name in QUERIES)


def test_the_verb_refuses_a_query_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(tmp_path))
    shown = CliRunner().invoke(cli.app, ["travel", "--query", "foo"])
    assert isinstance(shown.exception, ConfigError)
    assert shown.stdout == ""
