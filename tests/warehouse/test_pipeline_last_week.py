"""The minute of the week before: all KPIs where the speed layer has it, else the counts of loaded history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.domains import ALL_SITES, load_domain
from rtlib.pipeline.monitoring.last_week import last_week
from rtlib.warehouse.connection import execute
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.rollups import load_rollups
from support.warehouse_rows import NOON, kpi

DOMAIN = load_domain("curbside")
SITE = DOMAIN.sites[0].id
WEEK = timedelta(days=7)


def read(warehouse: SnowflakeConnection, minute: int = 7) -> Any:
    return last_week(warehouse, DOMAIN, NOON + WEEK + timedelta(minutes=minute), window_seconds=60)


@pytest.fixture
def history(warehouse: SnowflakeConnection) -> SnowflakeConnection:
    """A half-hour of loaded history from noon on, a week before."""
    aggregates = {"values_counted": 0, "value_sum": None, "value_min": None, "value_max": None}
    row = {"site": SITE, "kind": "order_placed", "interval_start": pd.Timestamp(NOON), "events": 600, **aggregates}
    load_rollups(warehouse, pd.DataFrame([row]), domain=DOMAIN.name)
    return warehouse


def test_the_speed_layer_has_every_kpi_of_the_minute_a_week_before(history: SnowflakeConnection) -> None:
    measures = {"orders": 5.0, "sales": 99.5, "wait_minutes": 4.0, "longest_wait": 9.0, "cancelled_share": None}
    merge_kpis(history, [kpi(SITE, 7, events=9, measures=measures)])
    known = {name: value for name, value in measures.items() if value is not None}
    assert read(history) == {ALL_SITES: known, SITE: known}


def test_loaded_history_has_the_count_of_its_half_hour_scaled_to_a_minute(history: SnowflakeConnection) -> None:
    assert read(history, 29) == {ALL_SITES: {"orders": 20.0}, SITE: {"orders": 20.0}}
    assert read(history, 30) == {}


def test_a_half_hour_in_which_the_stack_ran_for_a_part_is_not_compared_with(history: SnowflakeConnection) -> None:
    execute(history, "update RAW.ROLLUPS set live_events = 1")
    assert read(history) == {}
