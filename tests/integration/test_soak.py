"""Faults of several kinds at random moments, under load: the ledger has the last word."""

from __future__ import annotations

import json

import pytest

from support.stack import run_rtlib, running_for, state_folder

pytestmark = pytest.mark.integration

# Twice as long as the state remembers (watermark, window and two intervals): a state that grew with time would be
# beyond its bound.
SECONDS, FAULTS, SEED = 300, 5, 3


def test_under_load_and_faults_nothing_is_lost_nothing_doubled_and_state_and_memory_stay_bounded() -> None:
    with state_folder() as home:
        words = ("--seconds", str(SECONDS), "--faults", str(FAULTS), "--seed", str(SEED), "--rate", "500", "--json")
        done = run_rtlib(home, "soak", *words, timeout=590)
        assert running_for(home) == []
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert len({one["name"] for one in told["faults"]}) == FAULTS
    ledger = told["ledger"]
    assert (ledger["lost"], ledger["doubled"], ledger["differences"]) == (0, 0, []), done.stderr
    assert ledger["events_sent"] > 300 * SECONDS  # 500 a second were asked for; a broker that is away holds them up
    assert 0 < told["state_rows"] <= told["state_bound"]
    assert told["holds"], told
    assert done.returncode == 0
