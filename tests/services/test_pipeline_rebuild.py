"""Rebuild: the report on rows and losses, and that no writer runs meanwhile."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.pipeline.rebuild import warehouse as rebuild
from rtlib.services import supervisor
from rtlib.services.supervisor import Program
from rtlib.services.warehouse_salvage import Salvage
from rtlib.transform import BuildReport
from rtlib.warehouse.ingest import apply_batch
from support.stack import running_supervisor, until
from support.warehouse_rows import batch, event_row
from support.warehouse_server import WarehouseServer

RUNS = Program("loader", (sys.executable, "-c", "import signal; signal.pause()"))
ENDS = Program("stream", (sys.executable, "-c", "import time; time.sleep(1.5)"))
STOPPED = Program("alerts", RUNS.command, autostart=False)


def test_snowflake_has_no_file_to_rebuild(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Snowflake"):
        rebuild.rebuild_warehouse(Settings(home=tmp_path, snowflake_account="org-one"), notify=print)


def test_each_table_is_counted_before_and_after(
    warehouse_server: WarehouseServer, warehouse: SnowflakeConnection
) -> None:
    apply_batch(warehouse, batch(event_row(0), event_row(1)))
    salvage = Salvage(Path("kept"), {"RAW.EVENTS": 9, "MARTS.GONE": 4}, {"OPS.ALERTS": 3})
    tables = {table.table: table for table in rebuild._tables(warehouse_server.settings, salvage)}
    assert (tables["RAW.EVENTS"].before, tables["RAW.EVENTS"].after) == (9, 2)
    assert (tables["RAW.BATCHES"].before, tables["RAW.BATCHES"].after) == (None, 1)
    assert (tables["MARTS.GONE"].before, tables["MARTS.GONE"].after) == (4, 0)
    assert tables["OPS.ALERTS"].carried == 3
    assert not [name for name in tables if name.startswith("_FS")]


def test_a_loss_is_reported_for_every_table_to_be_copied() -> None:
    lost = dict.fromkeys(rebuild._rows_to_copy(), "Could not read enough bytes")
    gone = list(rebuild._gone(Salvage(Path("kept"), lost=lost), 3))
    assert len(gone) == len(lost)
    assert gone[0] == "OPS.ALERTS: alerts, their delivery status and acknowledgements (Could not read enough bytes)"
    assert "rtlib backfill" in list(rebuild._gone(Salvage(Path("kept")), 0))[-1]


REPORT = BuildReport("build", "1", datetime(2026, 1, 5, tzinfo=UTC), 1.0)


@pytest.mark.parametrize(
    ("rows", "last_run", "forecasts", "steps"),
    [
        ({"MARTS.INTERVAL_LOAD": 9}, None, {}, ["marts"]),
        ({"MARTS.INTERVAL_LOAD": 0, "RAW.EVENTS": 9}, REPORT, {}, []),
        ({}, REPORT, {}, ["marts"]),  # the old file cannot be read, and dbt has run
        ({}, None, {}, []),
        ({"RAW.EVENTS": 9}, None, {"forecast": 7}, ["marts", "iot: 7 days"]),
        ({"RAW.EVENTS": 9}, None, {"forecast": 7, "plan": 7}, ["marts", "iot: 7 days", "iot: plan"]),
    ],
)
def test_marts_forecasts_and_plans_are_made_again_where_there_were_some(
    rows: dict[str, int],
    last_run: BuildReport | None,
    forecasts: dict[str, int],
    steps: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []
    notes = {("iot", kind): days for kind, days in forecasts.items()}
    monkeypatch.setattr(rebuild.batch_log, "read_note", lambda settings, kind: notes.get((settings.domain, kind)))
    monkeypatch.setattr(rebuild.dbt, "models", lambda settings: (None, last_run))
    monkeypatch.setattr(rebuild.dbt, "build", lambda settings, unit_tests: done.append("marts"))
    monkeypatch.setattr(
        rebuild.forecasting, "forecast", lambda settings, days: done.append(f"{settings.domain}: {days} days")
    )
    monkeypatch.setattr(rebuild.staff_plan, "plan", lambda settings: done.append(f"{settings.domain}: plan"))
    rebuild._rebuild_marts_and_plans(Settings(), Salvage(Path("kept"), rows), lambda line: None)
    assert done == steps


def test_a_writer_is_stopped_even_while_it_exits_and_restarts_by_itself_and_runs_again_afterwards() -> None:
    with running_supervisor(RUNS, ENDS, STOPPED) as settings:
        until(lambda: supervisor.states(settings)["loader"].state == "RUNNING", seconds=30)
        until(lambda: supervisor.states(settings)["stream"].state in ("EXITED", "RUNNING"), seconds=30)
        with rebuild._writers_stopped(settings):
            assert {part.state for part in supervisor.states(settings).values()} == {"STOPPED"}
        until(lambda: supervisor.states(settings)["loader"].state == "RUNNING", seconds=30)
        assert supervisor.states(settings)["stream"].state != "STOPPED"
        assert supervisor.states(settings)["alerts"].state == "STOPPED"
