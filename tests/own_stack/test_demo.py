"""A headless demo, on a stack of its own, whose Kafka requires no sign-in."""

from __future__ import annotations

import json

import pytest

from support.stack import NO_BATCH_JOBS, SHORT_INTERVALS, run_rtlib, running_for, state_folder

pytestmark = pytest.mark.integration


def test_a_headless_demo_reconciles_and_leaves_nothing_behind() -> None:
    with state_folder() as home:
        words = ("demo", "--headless", "--seconds", "8", "--rate", "50", "--json")
        done = run_rtlib(
            home, *words, timeout=300, environment={"RTLIB_STEADY": "true", **SHORT_INTERVALS, **NO_BATCH_JOBS}
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert report["reconciles"] is True
        assert report["differences"] == []
        assert report["records_sent"] == report["records_in_kafka"] > 200
        assert report["kpi_rows"] > 0
        assert report["archived"] == report["events_sent"] > 200
        assert running_for(home) == []
