"""Duplicates and broken records by the thousand: the KPIs are what the simulator's own account makes of them."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import pytest

from rtlib.config import Settings, load_settings
from rtlib.domains import load_domain
from rtlib.domains.measures import measures
from rtlib.ledger import take
from rtlib.pipeline.audit.evidence import is_settled
from rtlib.pipeline.audit.tallies import runs
from rtlib.records import Event, Kpi
from rtlib.services import supervisor
from rtlib.simulator import Defect
from rtlib.warehouse.connection import connect
from rtlib.warehouse.reads import latest_kpis
from support.stack import running_stack, until

pytestmark = pytest.mark.integration

STORM = {"RTLIB_DUPLICATE_SHARE": "0.2", "RTLIB_MALFORMED_SHARE": "0.05", "RTLIB_TOO_LATE_SHARE": "0"}


def by_window(settings: Settings) -> dict[tuple[str, datetime], list[Event]]:
    """The events of all runs, made again from the simulator's account, by site and window."""
    found: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for run in runs(settings):
        for sent in run.records():
            if sent.event and sent.defect is not Defect.DUPLICATE:
                begin = int(sent.event.occurred_at.timestamp()) // settings.window_seconds * settings.window_seconds
                found[sent.event.site, datetime.fromtimestamp(begin, UTC)].append(sent.event)
    return found


def live_kpis(settings: Settings) -> list[Kpi]:
    connection = connect(settings)
    try:
        return latest_kpis(connection, settings.domain, minutes=60)
    finally:
        connection.close()


def test_in_a_storm_of_duplicates_and_broken_records_every_kpi_equals_an_exact_recomputation() -> None:
    with running_stack("--rate", "300", "--domain", "iot", environment=STORM) as stack:
        settings = load_settings(home=stack.home)
        until(lambda: sum(one.tally.events for one in runs(settings)) > 6_000, seconds=90)
        supervisor.stop_part(settings, "simulator")
        until(lambda: is_settled(settings), seconds=90)
        taken, rows, exact = take(settings), live_kpis(settings), by_window(settings)
    assert taken.reconciles, taken.differences
    # A duplicate comes some seconds after its original: those of the last seconds were never sent.
    assert taken.duplicates_removed == taken.duplicates_sent > 0.14 * taken.events_sent
    assert taken.rejected / taken.events_sent == pytest.approx(0.05, abs=0.01)
    assert taken.late_dropped == 0
    assert {(one.site, one.window_start) for one in rows} == set(exact)
    for row in rows:
        events = exact[row.site, row.window_start]
        assert (row.events, row.last_event_at) == (len(events), max(one.occurred_at for one in events))
        for name, value in measures(load_domain("iot"), events).items():
            assert row.measures[name] == (None if value is None else pytest.approx(value, rel=1e-9)), (row.key, name)
