"""The pipeline on the real stack: who reads it, what it survives, and whether every count agrees in the end."""

from __future__ import annotations

import base64
import copy
import json
import os
import signal
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from typer.testing import CliRunner

from rtlib import cli
from rtlib.broker.consumer import consumer
from rtlib.broker.registry import latest, register
from rtlib.broker.rejected import HEADERS, from_record
from rtlib.broker.subjects import events_subject
from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.domains import Domain, load_domain
from rtlib.domains.measures import measures
from rtlib.errors import SchemaRefused
from rtlib.ledger import Ledger, take
from rtlib.limits import MAX_EVENT_BYTES
from rtlib.pipeline.audit.tallies import Run, runs
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.recovery import drain
from rtlib.pipeline.telemetry.progress_topic import ProgressReader
from rtlib.pipeline.workers.burst import burst
from rtlib.records import Event, Kpi, QueryProgress, Rejected
from rtlib.services import processes, supervisor
from rtlib.services.freeze import frozen
from rtlib.simulator import Defect
from rtlib.streaming.queries import HEAD_BYTES
from rtlib.warehouse.connection import connect
from rtlib.warehouse.reads import latest_kpis
from rtlib.warehouse.windows import compare_windows
from support.stack import Stack, ask, is_gone, until

pytestmark = pytest.mark.integration
Place = tuple[int, int]  # partition and offset
PARTS = {"broker", "registry", "warehouse", "receiver", "stream", "loader", "alerts", "simulator", "batch"}
MEMORY_MB = 3 * 1024


def records(settings: Settings, name: str) -> list[Any]:
    """All records of one of the domain's topics, up to where it ends now."""
    topic = settings.topic(name)
    ends = {partition: end for partition, end in end_offsets(settings, topic).items() if end > 0}
    with consumer(settings, topic, max_poll_records=20_000) as reader:
        found: list[Any] = []

        def complete() -> bool:
            found.extend(record for batch in reader.poll(timeout_ms=1000).values() for record in batch)
            here = {partition.partition: reader.position(partition) for partition in reader.assignment()}
            return bool(here) and all(here.get(partition, 0) >= end for partition, end in ends.items())

        until(complete, seconds=60)
        return found


def newest_beats(settings: Settings) -> dict[str, datetime]:
    """When each part last gave a sign of life."""
    reader = ProgressReader(settings, tail=60)
    try:
        reader.catch_up()
        return {name: beat.at for name, beat in reader.heartbeats.items()}
    finally:
        reader.close()


# --- while events flow ----------------------------------------------------------------------------------------------


def test_every_part_is_healthy_and_the_whole_takes_at_most_3_gb(stack: Stack) -> None:
    report = json.loads(stack.rtlib("status", "--json").stdout)
    assert report["running"] and report["healthy"], report
    assert {part["name"] for part in report["parts"]} == PARTS
    assert all(part["healthy"] and part["pid"] > 0 and part["resident_mb"] > 10 for part in report["parts"])
    assert 300 < report["resident_mb"] <= MEMORY_MB
    shown = stack.rtlib("status")
    assert shown.returncode == 0
    assert "resident memory of the whole stack: " in shown.stdout
    assert "\x1b" not in shown.stdout


def test_up_a_second_time_changes_nothing(stack: Stack) -> None:
    before = stack.pids()
    again = stack.rtlib("up", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["healthy"] is True
    assert "running already" in again.stderr
    assert stack.pids() == before
    assert 0 not in before.values()


def test_another_domain_is_refused_while_the_stack_runs(stack: Stack) -> None:
    refused = stack.rtlib("up", "--domain", "iot")
    assert refused.returncode == 2
    assert "the stack is running for curbside" in refused.stderr
    assert "Cure: rtlib down" in refused.stderr


def test_the_progress_topic_tells_of_both_queries(settings: Settings) -> None:
    reader = ProgressReader(settings)

    def complete_progress() -> dict[str, list[QueryProgress]] | None:
        reader.catch_up()
        kpis, archive = reader.progress.get("kpis", []), reader.progress.get("archive", [])
        watermarks = {batch.watermark for batch in kpis if batch.watermark and batch.watermark.year > 2000}
        dropped = any(batch.dropped_late > 0 for batch in kpis)
        return dict(reader.progress) if len(watermarks) > 1 and dropped and len(archive) > 2 else None

    try:
        progress = until(complete_progress, seconds=90)
    finally:
        reader.close()
    kpis, archive = progress["kpis"], progress["archive"]
    assert kpis[-1].state_rows > 0
    assert max(batch.processed_rate for batch in kpis) > 0
    assert max(batch.processed_rate for batch in archive) > 0
    marks = [batch.watermark for batch in kpis if batch.watermark]
    assert marks == sorted(marks)
    assert datetime.now(UTC) - marks[-1] > timedelta(seconds=settings.watermark_seconds)
    batches = [progress.batch_id for progress in archive]  # 0 again only where the checkpoint was made anew
    assert all(later >= earlier or later == 0 for earlier, later in pairwise(batches))


def test_an_incompatible_schema_is_refused_readably_and_the_old_one_stays(settings: Settings) -> None:
    schema = load_domain(settings.domain).schema
    broken = copy.deepcopy(schema)
    del broken["properties"]["unit"]
    broken["required"].remove("unit")
    version = latest(settings, events_subject(settings)).version
    with pytest.raises(SchemaRefused, match="unit: removed, but earlier events carry it") as refused:
        register(settings, events_subject(settings), broken)
    assert len(str(refused.value).splitlines()) < 24
    assert refused.value.cure
    assert latest(settings, events_subject(settings)).version == version
    assert latest(settings, events_subject(settings)).schema == schema


# --- kill -9 --------------------------------------------------------------------------------------------------------

SIGNS = {"stream": ("kpis", "archive"), "loader": ("loader",)}


@pytest.mark.parametrize("part", ["loader", "registry", "warehouse", "broker"])
def test_a_part_that_is_killed_comes_back_by_itself(stack: Stack, settings: Settings, part: str) -> None:
    assert settings.shared  # so a broker that comes back must know its user: its clients sign in
    before = stack.pids()[part]
    killed_at = datetime.now(UTC)
    os.kill(before, signal.SIGKILL)
    until_it_is_back(stack, part, before, killed_at)


def test_the_streaming_application_whose_jvm_is_killed_comes_back_by_itself(stack: Stack, settings: Settings) -> None:
    before = stack.pids()["stream"]
    jvms = [
        process for name, process in processes.processes_of(stack.home) if name == "stream" and process.name() == "java"
    ]
    assert len(jvms) == 1
    killed_at = datetime.now(UTC)
    jvms[0].kill()
    until_it_is_back(stack, "stream", before, killed_at)


def until_it_is_back(stack: Stack, part: str, before: int, killed_at: datetime) -> None:
    """Wait for a new process that works: it answers, or gives a sign of life that is younger than the kill."""
    settings = stack.settings
    until(lambda: stack.pids().get(part, 0) not in (0, before), seconds=60)

    def works() -> bool:
        beats = newest_beats(settings)
        young = all(name in beats and beats[name] > killed_at for name in SIGNS.get(part, ()))
        return young and bool(health.checks()[part](settings))

    until(works, seconds=120)
    assert is_gone(before)


# --- after the simulator has stopped --------------------------------------------------------------------------------


def test_the_ledger_says_what_waits_where_while_a_killed_stream_is_away_and_reconciles_once_it_is_back_by_itself(
    stack: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTLIB_HOME", str(stack.home))
    patient, lines = drain.wait_until_drained, list[str]()
    monkeypatch.setattr(drain, "wait_until_drained", partial(drain.wait_until_drained, patience=2.0))
    before, killed_at = stack.pids()["stream"], datetime.now(UTC)
    os.kill(before, signal.SIGKILL)
    try:
        until(lambda: stack.pids()["stream"] not in (0, before), seconds=60)
        with frozen(settings, "stream"):  # before its Spark has started, so that the archive stays away
            count = sum(end_offsets(settings, settings.topic("events")).values())
            until(lambda: sum(end_offsets(settings, settings.topic("events")).values()) > count + 100, seconds=60)
            supervisor.stop_part(settings, "simulator")
            shown = CliRunner().invoke(cli.app, ["ledger", "--json"])
        report = json.loads(shown.stdout)
        assert (shown.exit_code, report["verdict"], report["lost"], report["doubled"]) == (9, "not final yet", 0, 0), (
            report
        )
        waiting = [part["count"] for part in report["in_flight_at"] if part["part"] == "archive"]
        assert sum(waiting) == report["in_flight"] > 100
        until_it_is_back(stack, "stream", before, killed_at)
        assert patient(settings, notify=lines.append, patience=180), lines
        shown = CliRunner().invoke(cli.app, ["ledger"])
        assert (shown.exit_code, shown.stdout.splitlines()[-1]) == (0, "reconciles: nothing lost, nothing doubled")
    finally:
        supervisor.start_part(settings, "simulator")


STORM = {"rate": 600, "duplicate_share": 0.2, "malformed_share": 0.05, "late_share": 0.02, "out_of_order_share": 0.05}


@pytest.fixture(scope="module")
def storm(stack: Stack) -> Run:
    """Duplicates and broken records by the thousand, beside those of the simulator."""
    settings = stack.settings
    burst(settings, load_domain(settings.domain), name="storm", seed=7, seconds=10, stop=threading.Event(), **STORM)
    (sent,) = [run for run in runs(settings) if run.name.startswith("storm-")]
    return sent


@pytest.fixture(scope="module")
def settled(stack: Stack, storm: Run) -> Iterator[Ledger]:
    """What the counts are once the simulator has stopped after the storm and everything has arrived."""
    settings = stack.settings
    supervisor.stop_part(settings, "simulator")
    last: list[Ledger] = []

    def agrees() -> bool:
        last.append(take(settings))
        return last[-1].reconciles

    try:
        until(agrees, seconds=120)
    except AssertionError as error:
        raise AssertionError(f"does not reconcile: {last[-1:]}") from error
    yield last[-1]
    supervisor.start_part(settings, "simulator")


def test_nothing_is_lost_and_nothing_doubled_whatever_was_killed(settled: Ledger) -> None:
    assert settled.differences == ()
    assert settled.records_sent == settled.records_in_kafka > 1000
    assert settled.archived == settled.events_sent
    assert settled.duplicates_removed == settled.duplicates_sent > 0
    assert settled.rejected == settled.malformed_sent > 0
    assert settled.kpi_events + settled.late_dropped == settled.archived


def test_in_a_storm_of_duplicates_and_broken_records_every_kpi_equals_an_exact_recomputation(
    stack: Stack, storm: Run, settled: Ledger
) -> None:
    settings, sent = stack.settings, storm.tally
    assert settled.reconciles, settled.differences
    # A duplicate comes some seconds after its original: those of the last seconds were never sent.
    assert sent.duplicates > 0.14 * sent.events > 700
    assert sent.malformed / sent.events == pytest.approx(0.05, abs=0.01)
    by_window = sent_events(settings)
    during = {window_of(settings, record.event) for record in storm.records() if record.event}
    with closing(connect(settings)) as connection:
        rows = [
            row
            for row in latest_kpis(connection, settings.domain, minutes=60)
            if (row.site, row.window_start) in during
        ]
    assert {(row.site, row.window_start) for row in rows} == during
    for row in rows:
        assert_exact(row, by_window[row.site, row.window_start], load_domain(settings.domain))


def test_a_rejected_record_keeps_its_bytes_and_says_why(stack: Stack, settled: Ledger) -> None:
    settings = stack.settings
    sent = {(record.partition, record.offset): record.value for record in records(settings, "events")}
    published: dict[Place, Rejected] = {}
    for record in records(settings, "rejected"):
        assert [name for name, _ in record.headers] == list(HEADERS)
        rejected = from_record(record.value, record.headers)
        assert rejected.reason and rejected.topic in (settings.topic("events"), settings.topic("kpis"))
        if rejected.topic == settings.topic("kpis"):  # refused by the loader, and no event
            continue
        if (
            rejected.offset >= 0
        ):  # what a producer refused never had a place among the events, and is in this topic alone
            published[rejected.partition, rejected.offset] = rejected
    rows = ask(settings, "select kafka_partition as p, kafka_offset as o, payload, reason, field from RAW.REJECTED")
    held = {(int(row["p"]), int(row["o"])): row for row in rows}
    assert not set(published) ^ set(held)
    assert len(rows) == len(held) == settled.rejected
    for place, rejected in published.items():
        assert rejected.payload == sent[place]
        kept = len(rejected.payload) if len(rejected.payload) <= MAX_EVENT_BYTES else HEAD_BYTES
        assert base64.b64decode(held[place]["payload"]) == sent[place][:kept]
        assert (rejected.reason, rejected.field) == (held[place]["reason"], held[place]["field"])


def test_the_live_kpis_equal_an_exact_recomputation(stack: Stack, settled: Ledger) -> None:
    settings = stack.settings
    domain = load_domain(settings.domain)
    with closing(connect(settings)) as connection:
        rows = latest_kpis(connection, domain.name, minutes=60)
        compared = compare_windows(connection, domain.name, window_seconds=settings.window_seconds)
    incomplete = {(window.site, window.window_start) for window in compared.different}
    complete = [row for row in rows if (row.site, row.window_start) not in incomplete]
    by_window = archived_events(settings)
    assert len(complete) >= len(domain.sites)
    for row in complete:
        assert_exact(row, by_window[row.site, row.window_start], domain)


def assert_exact(row: Kpi, happened: Sequence[Event], domain: Domain) -> None:
    """The KPIs of a window are those of exactly these events."""
    assert row.events == len(happened)
    assert row.first_event_at == min(event.occurred_at for event in happened)
    assert row.last_event_at == max(event.occurred_at for event in happened)
    exact = measures(domain, happened)
    assert set(row.measures) == set(exact)
    for name, value in exact.items():  # approx compares numbers alone
        assert row.measures[name] == (None if value is None else pytest.approx(value, rel=1e-9)), (row.key, name)


def window_of(settings: Settings, event: Event) -> tuple[str, datetime]:
    """The site of an event, and the begin of its window."""
    seconds = int(event.occurred_at.timestamp()) // settings.window_seconds * settings.window_seconds
    return event.site, datetime.fromtimestamp(seconds, UTC)


def sent_events(settings: Settings) -> dict[tuple[str, datetime], list[Event]]:
    """The events of all runs, generated again from what the simulators recorded, by site and window."""
    found: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for run in runs(settings):
        for sent in run.records() if run.tally.events else ():  # a run that a test forges has no event
            if sent.event and sent.defect is not Defect.DUPLICATE:
                found[window_of(settings, sent.event)].append(sent.event)
    return found


def archived_events(settings: Settings) -> dict[tuple[str, datetime], list[Event]]:
    """The live events of RAW by site and window; the minute in which the stream began has loaded history as well."""
    found: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    names = "event_id, domain, site, kind, occurred_at, producer_id, sequence, value, unit"
    for row in ask(settings, f"select {names} from RAW.EVENTS where topic <> 'history'"):
        event = Event(**{**row, "occurred_at": row["occurred_at"].replace(tzinfo=UTC)})
        found[window_of(settings, event)].append(event)
    return found
