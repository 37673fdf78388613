"""The end of the shared stack, as a power cut or a crash leaves it."""

from __future__ import annotations

import json
import os
import signal

import pytest

from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.pipeline.audit.backlog import outstanding
from rtlib.pipeline.telemetry.progress_topic import read_progress
from rtlib.services import ports, supervisor
from support.stack import Stack, ask, is_gone, running_for, until

pytestmark = [pytest.mark.integration, pytest.mark.stack_order("ends")]
TORN_BYTES = 40_000  # about a hundred records: more than the archive has not read


@pytest.mark.release
def test_records_torn_off_the_events_topic_are_named_and_both_queries_go_on_behind_their_offsets(stack: Stack) -> None:
    settings, topic = stack.settings, stack.settings.topic("events")
    supervisor.stop_part(settings, "simulator")
    until(lambda: outstanding(settings) is None, seconds=90)
    supervisor.stop_part(settings, "stream")
    supervisor.start_part(settings, "simulator")  # the next records are in Kafka alone
    before = end_offsets(settings, topic)
    place = max(before, key=lambda number: before[number])
    until(lambda: end_offsets(settings, topic)[place] > before[place] + 20, seconds=60)
    supervisor.stop_part(settings, "simulator")
    sent = end_offsets(settings, topic)[place]
    stack.down()
    segment = max((stack.home / "kafka" / "data" / f"{topic}-{place}").glob("*.log"))
    os.truncate(segment, segment.stat().st_size - TORN_BYTES)

    output = stack.up()
    settings = stack.settings
    assert "Kafka has lost at least" in output and f"partition {place} from" in output, output
    filled = end_offsets(settings, topic)
    assert filled[place] >= before[place]
    until(lambda: passed(settings, place, filled[place]), seconds=90)
    supervisor.stop_part(settings, "simulator")
    ledger = stack.rtlib("ledger", "--json")
    report = json.loads(ledger.stdout)
    assert (ledger.returncode, report["verdict"], report["in_flight"]) == (1, "does not reconcile", 0), report
    assert 0 < report["lost"] <= sent - before[place]
    assert {event["why"] for event in report["lost_events"]} == {"not in Kafka"}
    assert all(event["event_id"] for event in report["lost_events"])
    assert any(line.startswith("records sent and records in Kafka: ") for line in report["differences"])
    supervisor.start_part(settings, "simulator")
    until(lambda: stack.status()["healthy"], seconds=60)


def passed(settings: Settings, place: int, end: int) -> bool:
    """Both queries have read this partition beyond this offset, and RAW holds an event from there."""
    progress = read_progress(settings).progress
    read = {name: batches[-1].end_offsets.get(str(place), 0) for name, batches in progress.items()}
    sql = f"select count(*) as n from RAW.EVENTS where kafka_partition = {place} and kafka_offset > {end}"
    return read.keys() == {"kpis", "archive"} and min(read.values()) > end and int(ask(settings, sql)[0]["n"]) > 0


def test_after_a_crash_of_the_terminal_down_still_ends_everything(stack: Stack) -> None:
    chosen = stack.settings.ports
    pid = supervisor.supervisor_pid(stack.settings)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: is_gone(pid), seconds=10)
    assert {"broker", "registry", "warehouse", "stream", "loader"} <= set(running_for(stack.home))
    down = stack.rtlib("down")
    assert down.returncode == 0, down.stderr
    assert "ended leftover processes" in down.stderr
    assert running_for(stack.home) == []
    assert [name for name, port in chosen.items() if name != "app" and not ports.is_free(port)] == []
    again = stack.rtlib("down", "--json")
    assert (again.returncode, json.loads(again.stdout)) == (0, {"stopped": False})
