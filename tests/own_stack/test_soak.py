"""Faults of several kinds at random moments, under load: the ledger has the last word."""

from __future__ import annotations

import json

import pytest

from support.stack import run_rtlib, running_for, state_folder

pytestmark = pytest.mark.integration

SEED = 3
# Twice as long as the state remembers (watermark, window and two intervals): a state that grew with time would be
# beyond its bound.
SECONDS, FAULTS, RATE = 300, 5, 500


@pytest.mark.release
def test_under_load_and_faults_nothing_is_lost_nothing_doubled_and_state_and_memory_stay_bounded() -> None:
    with state_folder() as home:
        words = ("--seconds", str(SECONDS), "--faults", str(FAULTS), "--seed", str(SEED))
        environment = {"JAVA_TOOL_OPTIONS": ""}  # the load is that of a long run, so Java optimises its code
        done = run_rtlib(home, "soak", *words, "--rate", str(RATE), "--json", timeout=590, environment=environment)
        assert running_for(home) == []
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert len({fault["name"] for fault in report["faults"]}) == FAULTS
    ledger = report["ledger"]
    assert (ledger["lost"], ledger["doubled"], ledger["differences"]) == (0, 0, []), done.stderr
    # A broker that is away holds some up.
    assert ledger["events_sent"] > 0.6 * RATE * SECONDS
    assert 1 <= report["state_rows"] <= report["state_bound"]
    assert report["holds"], report
    assert done.returncode == 0
