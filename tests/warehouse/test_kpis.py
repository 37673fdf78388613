from __future__ import annotations

import json
import random
from datetime import UTC
from typing import Any

from snowflake.connector import SnowflakeConnection

from rtlib.records import Kpi
from rtlib.warehouse.connection import query
from rtlib.warehouse.kpi_merge import MERGE_ROWS, merge_kpis
from rtlib.warehouse.reads import latest_kpis
from support.warehouse_rows import NOON, kpi


def rows(connection: SnowflakeConnection) -> list[dict[str, Any]]:
    return query(connection, "select * from SPEED.KPIS order by window_start, site")


def test_a_new_window_is_inserted_and_a_newer_value_takes_its_place(warehouse: SnowflakeConnection) -> None:
    assert merge_kpis(warehouse, [kpi(events=1, emitted=1), kpi("site-1", emitted=1)]) == 2
    assert merge_kpis(warehouse, [kpi(events=5, emitted=2, late=1)]) == 1
    found = rows(warehouse)
    assert [(row["site"], row["events"], row["late"]) for row in found] == [("site-0", 5, 1), ("site-1", 1, 0)]
    assert json.loads(found[0]["measures"]) == {"orders": 5.0}


def test_an_older_value_and_a_replay_change_nothing(warehouse: SnowflakeConnection) -> None:
    merge_kpis(warehouse, [kpi(events=5, emitted=2)])
    before = rows(warehouse)
    assert merge_kpis(warehouse, [kpi(events=4, emitted=1)]) == 0
    assert merge_kpis(warehouse, [kpi(events=5, emitted=2)]) == 0
    assert rows(warehouse) == before


def test_of_two_values_of_one_millisecond_the_one_that_counts_more_is_newer(warehouse: SnowflakeConnection) -> None:
    assert merge_kpis(warehouse, [kpi(events=6, emitted=2), kpi(events=5, emitted=2)]) == 1
    assert merge_kpis(warehouse, [kpi(events=7, emitted=2)]) == 1
    assert merge_kpis(warehouse, [kpi(events=6, emitted=2)]) == 0
    assert [row["events"] for row in rows(warehouse)] == [7]


def test_of_one_window_several_times_the_newest_wins(warehouse: SnowflakeConnection) -> None:
    assert merge_kpis(warehouse, [kpi(events=2, emitted=2), kpi(events=3, emitted=3), kpi(events=1, emitted=1)]) == 1
    assert [row["events"] for row in rows(warehouse)] == [3]


def test_any_order_of_arrival_ends_in_the_same_rows(warehouse: SnowflakeConnection) -> None:
    told = [
        kpi(f"site-{site}", minute, events=at, emitted=at) for site in "ab" for minute in (0, 1) for at in (1, 2, 3)
    ]
    random.Random(7).shuffle(told)
    for start in range(0, len(told), 4):
        merge_kpis(warehouse, told[start : start + 4])
    assert [row["events"] for row in rows(warehouse)] == [3, 3, 3, 3]


def test_domains_and_sites_are_kept_apart(warehouse: SnowflakeConnection) -> None:
    merge_kpis(warehouse, [kpi(), kpi(domain="iot"), kpi('it\'s \\ "odd" é\n%s ?')])
    assert len(rows(warehouse)) == 3
    assert len(latest_kpis(warehouse, "iot")) == 1


def test_a_measure_that_is_no_number_is_null(warehouse: SnowflakeConnection) -> None:
    merge_kpis(warehouse, [kpi(measures={"a": None, "b": float("nan"), "c": float("inf"), "d": 0.1})])
    assert latest_kpis(warehouse, "curbside")[0].measures == {"a": None, "b": None, "c": None, "d": 0.1}


def test_what_is_read_is_what_was_written(warehouse: SnowflakeConnection) -> None:
    one: Kpi = kpi(events=3, emitted=1.234567, late=2)
    merge_kpis(warehouse, [one])
    assert latest_kpis(warehouse, "curbside") == [one]
    loaded_at = rows(warehouse)[0]["loaded_at"].replace(tzinfo=UTC)
    assert loaded_at > NOON or loaded_at.year >= 2024


def test_more_than_one_statement_holds_are_all_merged(warehouse: SnowflakeConnection) -> None:
    many = [kpi(f"site-{number}", events=number + 1) for number in range(MERGE_ROWS + 5)]
    assert merge_kpis(warehouse, many) == MERGE_ROWS + 5
    assert sum(int(row["events"]) for row in rows(warehouse)) == sum(range(1, MERGE_ROWS + 6))


def test_no_kpis_are_no_statement(warehouse: SnowflakeConnection) -> None:
    assert merge_kpis(warehouse, []) == 0
