"""History: a day that the warehouse holds is left as it is, so that no day is ever counted double."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.config import Settings
from rtlib.pipeline import backfill, batch_log
from rtlib.warehouse.connection import execute, query
from support.warehouse_server import WarehouseServer


@pytest.fixture
def settings(
    warehouse_server: WarehouseServer, warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A warehouse without events; neither a broker nor a registry is needed to load history."""
    monkeypatch.setattr(backfill, "provision", lambda settings: None)
    (warehouse_server.settings.home / batch_log.FILE).unlink(missing_ok=True)
    return warehouse_server.settings


def by_day(connection: SnowflakeConnection, domain: str = "curbside") -> dict[str, int]:
    sql = "select to_date(occurred_at) as day, count(*) as n from RAW.EVENTS where domain = ? group by 1 order by 1"
    return {str(row["day"]): int(row["n"]) for row in query(connection, sql, [domain])}


def test_history_loaded_twice_adds_nothing(settings: Settings, warehouse: SnowflakeConnection) -> None:
    first = backfill.backfill(settings, days=3, per_day=50)
    assert first > 0
    assert backfill.backfill(settings, days=3, per_day=50) == 0
    assert sum(by_day(warehouse).values()) == first


def test_a_longer_and_denser_history_adds_only_the_days_that_are_missing(
    settings: Settings, warehouse: SnowflakeConnection
) -> None:
    backfill.backfill(settings, days=3, per_day=50)
    before = by_day(warehouse)
    new = backfill.backfill(settings, days=6, per_day=80)
    after = by_day(warehouse)
    assert {day: after[day] for day in before} == before
    assert len(after) == 6
    assert sum(after.values()) == sum(before.values()) + new


def test_the_same_history_tomorrow_adds_one_day(
    settings: Settings, warehouse: SnowflakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=1)

    backfill.backfill(settings, days=3, per_day=50)
    before = by_day(warehouse)
    monkeypatch.setattr(backfill, "datetime", Tomorrow)
    backfill.backfill(settings, days=3, per_day=50)
    after = by_day(warehouse)
    assert list(after)[:3] == list(before)
    assert [after[day] for day in before] == list(before.values())
    assert len(after) == 4


def test_each_domain_has_a_history_of_its_own(settings: Settings, warehouse: SnowflakeConnection) -> None:
    backfill.backfill(settings, days=2, per_day=50)
    assert backfill.backfill(settings.model_copy(update={"domain": "iot"}), days=2, per_day=50) > 0
    assert by_day(warehouse).keys() == by_day(warehouse, "iot").keys()


def test_history_is_noted_so_that_the_same_events_can_be_loaded_again(
    settings: Settings, warehouse: SnowflakeConnection
) -> None:
    made_with = settings.model_copy(update={"seed": 3})
    backfill.backfill(made_with, days=2, per_day=50)
    backfill.backfill(settings.model_copy(update={"seed": 4}), days=4, per_day=80)
    known = batch_log.history_days(settings)
    assert {key: len(days) for key, days in known.items()} == {(50, 3): 2, (80, 4): 2}
    before = identifiers(warehouse)
    execute(warehouse, "delete from RAW.EVENTS")
    execute(warehouse, "delete from RAW.BATCHES")
    for (per_day, seed), days in known.items():
        backfill.load_days(settings.model_copy(update={"seed": seed}), days, per_day=per_day)
    assert identifiers(warehouse) == before


def identifiers(connection: SnowflakeConnection) -> set[str]:
    return {row["event_id"] for row in query(connection, "select event_id from RAW.EVENTS")}
