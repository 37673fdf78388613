"""Faults of several kinds at random moments, under load: the ledger has the last word."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from support.stack import run_rtlib, running_for, state_folder

pytestmark = pytest.mark.integration

SEED = 3


@dataclass(frozen=True)
class Length:
    """How long a soak is, how many faults of different kinds it has, and its events per second."""

    seconds: int
    faults: int
    rate: int


SHORT = Length(45, 2, 200)
# Twice as long as the state remembers (watermark, window and two intervals): a state that grew with time would be
# beyond its bound.
LONG = Length(300, 5, 500)


@pytest.mark.parametrize(
    "length", [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.release)]
)
def test_under_load_and_faults_nothing_is_lost_nothing_doubled_and_state_and_memory_stay_bounded(
    length: Length,
) -> None:
    with state_folder() as home:
        words = ("--seconds", str(length.seconds), "--faults", str(length.faults), "--seed", str(SEED))
        done = run_rtlib(home, "soak", *words, "--rate", str(length.rate), "--json", timeout=590)
        assert running_for(home) == []
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert len({fault["name"] for fault in report["faults"]}) == length.faults
    ledger = report["ledger"]
    assert (ledger["lost"], ledger["doubled"], ledger["differences"]) == (0, 0, []), done.stderr
    # A broker that is away holds some up.
    assert ledger["events_sent"] > 0.6 * length.rate * length.seconds
    # A short soak may end before the state has its steady size; its growth shows only in a long one.
    assert (0 if length is SHORT else 1) <= report["state_rows"] <= report["state_bound"]
    assert report["holds"], report
    assert done.returncode == 0
