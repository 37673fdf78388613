"""A damaged part of the state on the real stack: it is named, and made anew by one command."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.services import supervisor
from support.stack import Stack, until

# Before the lessons build marts and the topic has grown: all of that would be made anew as well.
pytestmark = [pytest.mark.integration, pytest.mark.stack_order("fresh")]
COUNTS = (
    "records_sent", "events_sent", "duplicates_sent", "malformed_sent", "records_in_kafka", "archived",
    "duplicates_removed", "read_again", "rejected", "in_flight", "kpi_rows", "kpi_events", "late", "late_dropped",
    "lost", "doubled",
)  # fmt: skip


def ledger(stack: Stack) -> dict[str, int]:
    """The counts of the ledger, which must reconcile."""
    done = stack.rtlib("ledger", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    return {name: report[name] for name in COUNTS}


def part(stack: Stack, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(part for part in stack.status()["parts"] if part["name"] == name)
    return found


def test_a_warehouse_whose_file_was_cut_short_is_named_and_made_anew(stack: Stack, settings: Settings) -> None:
    assert stack.rtlib("backfill", "--days", "3").returncode == 0
    supervisor.stop_part(settings, "simulator")
    try:
        before = ledger(stack)
        victim, file = stack.pids()["warehouse"], stack.home / "warehouse" / "RTLIB.db"
        os.kill(victim, signal.SIGSTOP)  # so that it writes nothing more
        os.truncate(file, file.stat().st_size * 2 // 3)
        os.kill(victim, signal.SIGKILL)
        until(lambda: "the warehouse's file is damaged" in part(stack, "warehouse")["said"], seconds=120)
        refusing = part(stack, "warehouse")
        assert not refusing["healthy"]
        assert refusing["said"].endswith("; cure: rtlib rebuild warehouse")
        refused = stack.rtlib("ledger")
        assert (refused.returncode, refused.stdout) == (7, "")
        assert "Cure: rtlib rebuild warehouse" in refused.stderr
        done = stack.rtlib("rebuild", "warehouse", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert part(stack, "warehouse")["pid"] != refusing["pid"]
        assert ledger(stack) == before
        report = json.loads(done.stdout)
        rows = {table["table"]: table["after"] for table in report["tables"]}
        assert rows["RAW.ROLLUPS"] > 3 * 48  # history came back too
        assert (Path(report["kept"]) / "RTLIB.db").is_file()
    finally:
        supervisor.start_part(settings, "simulator")
