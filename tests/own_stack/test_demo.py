"""A headless demo, on a stack of its own."""

from __future__ import annotations

import json

import pytest

from support.stack import run_rtlib, running_for, state_folder

pytestmark = pytest.mark.integration


def test_a_headless_demo_reconciles_and_leaves_nothing_behind() -> None:
    with state_folder() as home:
        done = run_rtlib(home, "demo", "--headless", "--seconds", "20", "--json", timeout=300)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["reconciles"] is True
        assert report["differences"] == []
        assert report["records_sent"] == report["records_in_kafka"] > 200
        assert report["kpi_rows"] > 0
        assert report["archived"] == report["events_sent"] > 200
        assert running_for(home) == []
