"""Time travel: what a query knew at a moment is what its newest batch before it told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rtlib.cli.travel import _moment
from rtlib.errors import ConfigError
from rtlib.pipeline.travel import knew_at
from rtlib.records import QueryProgress

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


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(ConfigError, match="12:03:10"):
        _moment("high noon")
