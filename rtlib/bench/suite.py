"""Suite: all measurements, in one run on a stack of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from rtlib.bench.client_profile import reason
from rtlib.bench.clients import bare_loop_ms, confluent, hot_spots, kafka_python
from rtlib.bench.latency import Latency, RowWatch, TopicWatch, counts_now, latency_of_all
from rtlib.bench.load_generator import prepare, send
from rtlib.bench.load_step import PATIENCE_SECONDS, Step, step
from rtlib.bench.machine_speed import pace
from rtlib.bench.ramp import ramp, state_of_keys, sustain
from rtlib.bench.report import Ratio, Result
from rtlib.bench.write_rates import copy_rate, insert_rate, merge_ms
from rtlib.broker.topics import keep_versions
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.notify import Notify
from rtlib.pipeline.dbt import race
from rtlib.pipeline.recovery.readiness import last_batches, wait_for_newer_batches, wait_until_recovered
from rtlib.pipeline.telemetry.trigger import switch
from rtlib.services import supervisor
from rtlib.services.freeze import frozen
from rtlib.simulator import Simulator

RATE = 100.0  # rate at which latencies are measured, well below the limit of the pipeline
BASE = 500.0  # the load that is doubled twice
CLIMB = [1_000.0, 2_000.0, 4_000.0, 6_000.0, 8_000.0, 9_000.0, 10_000.0, 12_000.0]
STEP_SECONDS = 40.0
LONG_SECONDS = 100.0  # long enough to reveal a path that is 4 % too slow
BURST_SECONDS = 10.0
KEPT_SECONDS = 600  # latencies are read from the KPI topic after a step, so nothing may be compacted until then


@dataclass(frozen=True, slots=True)
class Size:
    """The extent of a run.

    Attributes:
        seconds: Duration of a latency measurement.
        warm: Duration of a warm-up in seconds.
        records: Records sent by each Kafka client.
        profiled: Records sent under a profile.
        rows: Rows copied into the warehouse.
        inserts: Rows inserted one at a time.
        loops: Round trips through Kafka.
        grows: Whether the load is raised until it is too much.
    """

    seconds: float
    warm: float
    records: int
    profiled: int
    rows: int
    inserts: int
    loops: int
    grows: bool


QUICK = Size(
    seconds=8, warm=6, records=20_000, profiled=5_000, rows=20_000, inserts=60, loops=100, grows=False
)  # fmt: skip
FULL = Size(
    seconds=40, warm=8, records=150_000, profiled=20_000, rows=100_000, inserts=200, loops=500, grows=True
)  # fmt: skip


def run(settings: Settings, *, quick: bool, notify: Notify) -> Result:
    """Measure everything on a running stack and stop its simulator.

    Use a separate stack: the benchmark fills its state with events.

    Args:
        settings: The stack.
        quick: Measure less, and do not raise the load.
        notify: Called with a line about each measurement.

    Raises:
        ConfigError: The environment sets the trigger, so the modes cannot be compared.
        ServiceError: A part does not answer.
    """
    size = QUICK if quick else FULL
    supervisor.stop_part(settings, "simulator")
    switch(settings, "real-time", rate=RATE)
    keep_versions(settings, settings.topic("kpis"), seconds=KEPT_SECONDS)
    paces = [pace()]
    notify(f"real-time mode: {RATE:.0f} events/s for {size.seconds:.0f} s")
    _warm(settings, seconds=size.warm)
    live, rows, query_ms = _latencies(settings, "real-time", seconds=size.seconds)
    parts = f"; a MERGE takes {merge_ms(settings):,.0f} ms and a query {query_ms:,.0f} ms"
    bare = sorted(bare_loop_ms(settings, _records(settings, 1)[0], count=size.loops))
    notify(f"micro-batch: the same query, {RATE:.0f} events/s for {size.seconds:.0f} s")
    switch(settings, "micro-batch")
    with frozen(settings, "stream"):  # it would compete for the machine
        alone = [*_stores(settings, size, notify), *_clients(settings, size, notify)]
        alone += _transform(settings, notify) if size.grows else []
    _warm(settings, seconds=size.warm)
    batch = _latency(settings, "micro-batch", seconds=size.seconds)
    ratios = [*_paths(live, rows, batch, bare[len(bare) // 2], parts), *alone]
    paces.append(pace())
    if not size.grows:
        return Result(tuple(ratios), paces=tuple(paces))
    grown, state = _grow(settings, notify)
    return replace(grown, ratios=(*ratios, *_costs(grown.steps), state), paces=(*paces, *grown.paces))


def _paths(live: Latency, rows: Latency, batch: Latency, bare_ms: float, parts: str) -> list[Ratio]:
    return [
        Ratio(
            "real-time mode against micro-batch, p50", "event to KPI topic, micro-batch to real time",
            batch.p50_ms, live.p50_ms, "ms", 5.0, "at least",
        ),
        Ratio(
            "real-time mode against micro-batch, p99", "the same, for the slowest event in a hundred",
            batch.p99_ms, live.p99_ms, "ms",
        ),
        Ratio(
            "readable row against KPI topic, p50", "event to a row that a query finds, to event to KPI topic" + parts,
            rows.p50_ms, live.p50_ms, "ms", 5.0, "at most",
        ),
        Ratio(
            "KPI topic against a bare loop, p50", "event to KPI topic, to a bare round trip through Kafka",
            live.p50_ms, bare_ms, "ms",
        ),
    ]  # fmt: skip


def _stores(settings: Settings, size: Size, notify: Notify) -> list[Ratio]:
    notify(f"{size.rows:,} rows by PUT and COPY INTO, {size.inserts} by INSERT")
    events = [json.loads(record[5:]) for record in _records(settings, size.rows)]
    copied, inserted = copy_rate(settings, events), insert_rate(settings, events[: size.inserts])
    return [
        Ratio(
            "PUT + COPY against row inserts", "rows per second by a file, to rows per second by single inserts",
            copied, inserted, "rows/s", 100.0, "at least",
        )
    ]  # fmt: skip


def _clients(settings: Settings, size: Size, notify: Notify) -> list[Ratio]:
    notify(f"{size.records:,} records by each client")
    records = _records(settings, size.records)
    # Alternating, and the best of each, so that other work on the machine affects both.
    pairs = [(kafka_python(settings, records), confluent(settings, records)) for _ in range(2)]
    ours, theirs = (max(side, key=lambda speed: speed.rate) for side in zip(*pairs, strict=True))
    profiled = records[: size.profiled]
    return [
        Ratio(
            "kafka-python against confluent-kafka", "records per second, both idempotent and acks=all",
            ours.rate, theirs.rate, "records/s", 0.15, "at least",
            because=reason(ours, theirs, hot_spots(settings, profiled), records=len(profiled)),
        )
    ]  # fmt: skip


def _transform(settings: Settings, notify: Notify) -> list[Ratio]:
    notify("a dbt model, in this process and by the command line")
    times = race(settings, rounds=2)
    return [
        Ratio(
            "dbt in-process against command line", f"seconds for the model {times.model}, command line to in-process",
            times.command_line, times.in_process, "s", 5.0, "at least",
        )
    ]  # fmt: skip


def _latency(settings: Settings, name: str, *, seconds: float, rate: float = RATE) -> Latency:
    """Latency from event to KPI topic."""
    before, topic = counts_now(settings), TopicWatch(settings)
    planned = prepare(settings, rate=rate, seconds=seconds, run=f"bench-{name}-{time.time():.0f}")
    send(settings, planned)
    return latency_of_all(planned, topic.counted, before=before, patience=PATIENCE_SECONDS)[0]


def _latencies(settings: Settings, name: str, *, seconds: float) -> tuple[Latency, Latency, float]:
    """Latencies from event to KPI topic and to a readable row, and the duration of a query in milliseconds."""
    before, topic = counts_now(settings), TopicWatch(settings)
    planned = prepare(settings, rate=RATE, seconds=seconds, run=f"bench-{name}-{time.time():.0f}")
    wait = partial(latency_of_all, planned, before=before, patience=PATIENCE_SECONDS)
    with RowWatch(settings) as table:
        send(settings, planned)
        rows, _ = wait(table.counted)
    return wait(topic.counted)[0], rows, table.query_ms


def _grow(settings: Settings, notify: Notify) -> tuple[Result, Ratio]:
    """Raise the load from ``BASE`` until it is too much, send a burst, and measure the state by number of keys."""
    notify("back to real-time mode: the load is raised until it is too much")
    switch(settings, "real-time", rate=CLIMB[-1])
    # Under load Java compiles its code for about a minute, on the same cores.
    _warm(settings, rate=CLIMB[2], seconds=STEP_SECONDS)
    steps = ramp(settings, [BASE, *CLIMB], seconds=STEP_SECONDS, notify=notify)
    paces = [pace()]
    notify(f"the highest of these rates that holds for {LONG_SECONDS:.0f} s")
    long_steps = sustain(
        settings, [done.rate for done in steps if done.ended_well], seconds=LONG_SECONDS, notify=notify
    )
    paces.append(pace())
    most = max((done.rate for done in long_steps if done.sustained), default=BASE)
    notify(f"  the events of ten seconds at {most:,.0f} events/s at once, then {BASE:,.0f} events/s")
    burst = step(settings, rate=most, seconds=BURST_SECONDS, name="burst", burst=True)
    after = step(settings, rate=BASE, seconds=STEP_SECONDS, name="after")
    notify("the same number of records with a quarter of the keys, and with all keys")
    few, many = state_of_keys(settings, copies=4), state_of_keys(settings, copies=1)
    definition = "rows in Spark's state; each event is a key, its copies are not"
    grown = Result((), tuple(steps), tuple(long_steps), burst, after, tuple(paces))
    return grown, Ratio("state at 4x the keys", definition, many, few, "rows")


def _costs(steps: Sequence[Step]) -> list[Ratio]:
    by_rate = {done.rate: done for done in steps}
    base, two, four = (by_rate.get(BASE * times) for times in (1, 2, 4))
    if base is None or two is None or four is None:
        return []
    twice, fourfold = (f"{times * BASE:g} against {BASE:g} events/s" for times in (2, 4))
    counted = "; events counted per second, until the last"
    return [
        Ratio("throughput at 2x the load", twice + counted, two.throughput, base.throughput, "events/s"),
        Ratio("throughput at 4x the load", fourfold + counted, four.throughput, base.throughput, "events/s"),
        Ratio("latency at 2x the load, p50", twice, two.latency.p50_ms, base.latency.p50_ms, "ms"),
        Ratio("latency at 4x the load, p50", fourfold, four.latency.p50_ms, base.latency.p50_ms, "ms"),
    ]


def _warm(settings: Settings, *, rate: float = 4 * RATE, seconds: float) -> None:
    """Warm up: a query compiles code when it starts, and more at the end of its first batch."""
    wait_until_recovered(settings)
    batches = last_batches(settings)
    _latency(settings, "warm", seconds=seconds, rate=rate)
    intervals = settings.real_time_interval_seconds + settings.archive_interval_seconds
    wait_for_newer_batches(settings, batches, seconds=intervals + PATIENCE_SECONDS)


def _records(settings: Settings, count: int) -> list[bytes]:
    """Framed events, as producers send them."""
    simulator = Simulator(
        load_domain(settings.domain), seed=settings.seed, start=datetime.now(UTC), rate=1_000, shaped=False
    )
    return [b"\0\0\0\0\1" + record.payload for record in islice(simulator.records(), count)]
