"""Demo: the whole pipeline in one command, in the browser or headless."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rtlib.app.lifecycle import running_stack
from rtlib.app.servers import serve_app
from rtlib.config import Settings
from rtlib.ledger import Ledger, take, verdict, waiting
from rtlib.notify import Notify
from rtlib.pipeline.monitoring.observe import look
from rtlib.pipeline.recovery.drain import wait_until_drained
from rtlib.records import Status
from rtlib.services import supervisor

DRAIN_PATIENCE_SECONDS = 90.0


def run_app(settings: Settings, chosen: Mapping[str, object], *, notify: Notify, browser: bool) -> None:
    """Start the stack if necessary and serve the app until Ctrl-C; then stop the stack if this started it."""
    with running_stack(settings, chosen, notify=notify) as running:
        serve_app(running, notify=notify, browser=browser)


def run_headless(
    settings: Settings, chosen: Mapping[str, object], *, seconds: int, notify: Notify
) -> tuple[Ledger, Mapping[str, int]]:
    """Stream events for some seconds, wait for all of them to arrive, and compare every count with the simulator's.

    A stack that this starts is stopped at the end; one that ran before is left as it was.

    Returns:
        The ledger, and the number of nodes of the graph by status when streaming ended.
    """
    with _simulator_restored(settings), running_stack(settings, chosen, notify=notify) as running:
        supervisor.start_part(running, "simulator")
        notify(f"streaming {running.domain} events for {seconds} s")
        _count_down(seconds, notify)
        nodes = Counter(node.status for node in look(running).nodes)
        supervisor.stop_part(running, "simulator")
        notify("the simulator has stopped; waiting until everything has arrived")
        return _drained_ledger(running, notify), {status.value: nodes[status] for status in Status}


def report(ledger: Ledger) -> str:
    """One line for each path, the events at fault, and the verdict."""
    speed = (
        f"speed: {ledger.events_sent:,} events sent -> {ledger.kpi_events:,} counted in {ledger.kpi_rows:,} KPI rows, "
        f"{ledger.late_dropped:,} behind the watermark"
    )
    batch = (
        f"batch: {ledger.records_sent:,} records sent -> {ledger.archived:,} archived, "
        f"{ledger.duplicates_removed:,} duplicates removed, {ledger.rejected:,} rejected"
    )
    lost = [f"  lost: {event}" for event in ledger.lost_events]
    doubled = [f"  doubled: {event}" for event in ledger.doubled_events]
    differences = [f"  {difference}" for difference in (*ledger.differences, *waiting(ledger))]
    return "\n".join([speed, batch, *lost, *doubled, *differences, verdict(ledger)])


@contextmanager
def _simulator_restored(settings: Settings) -> Iterator[None]:
    """Start the simulator again at the end if it was running at the beginning."""
    simulator = supervisor.states(settings).get("simulator")
    try:
        yield
    finally:
        if simulator is not None and simulator.state == "RUNNING":
            supervisor.start_part(settings, "simulator")


def _drained_ledger(settings: Settings, notify: Notify) -> Ledger:
    if not wait_until_drained(settings, notify=notify, patience=DRAIN_PATIENCE_SECONDS, after_faults=True):
        notify("not everything has arrived; the ledger shows what is in flight")
    return take(settings, notify=notify)


def _count_down(seconds: int, notify: Notify) -> None:
    end = time.monotonic() + seconds
    while (remaining := end - time.monotonic()) > 0:
        time.sleep(min(remaining, 10))
        if remaining > 10:
            notify(f"  {max(0.0, end - time.monotonic()):.0f} s to go")
