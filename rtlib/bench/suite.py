"""Whole: every measurement, in one run on one stack of its own."""

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
from rtlib.config import Settings, load_settings
from rtlib.domains import load_domain
from rtlib.notify import Notify
from rtlib.pipeline.dbt import race
from rtlib.pipeline.recovery.readiness import last_batches, wait_for_newer_batches, wait_until_recovered
from rtlib.pipeline.telemetry.trigger import switch
from rtlib.services import supervisor
from rtlib.services.freeze import frozen
from rtlib.simulator import Simulator

RATE = 100.0  # at which latencies are measured: well below what the pipeline can take
BASE = 500.0  # the load that is doubled and doubled again
CLIMB = [1_000.0, 2_000.0, 4_000.0, 6_000.0, 8_000.0, 9_000.0, 10_000.0, 12_000.0]
STEP_SECONDS = 40.0
LONG_SECONDS = 100.0  # what is claimed must hold so long: a path that takes 4 % less than it is given shows
BURST_SECONDS = 10.0
KEPT_SECONDS = 600  # latencies are read from the KPI topic after a step: nothing may be compacted away until then


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    seconds: float
    warm: float
    records: int
    profiled: int  # of those, how many a profile is taken of
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
    """Measure everything on a running stack, whose simulator this stops.

    The stack should be one of its own: its state is filled with the benchmark's events.

    Raises:
        ConfigError: The environment chooses the trigger, so that the modes cannot be compared.
        ServiceError: A part does not answer.
    """
    size = QUICK if quick else FULL
    supervisor.stop_part(settings, "simulator")
    if load_settings(home=settings.home).trigger != "real-time":  # .env.local may say otherwise
        switch(settings, "real-time")
    keep_versions(settings, settings.topic("kpis"), seconds=KEPT_SECONDS)
    paces = [pace()]
    notify(f"real-time mode: {RATE:.0f} events/s for {size.seconds:.0f} s")
    _warm(settings, seconds=size.warm)
    live, rows, question = _latencies(settings, "real-time", seconds=size.seconds)
    made_of = f"; one MERGE takes {merge_ms(settings):,.0f} ms and one question {question:,.0f} ms"
    bare = sorted(bare_loop_ms(settings, _records(settings, 1)[0], count=size.loops))
    notify(f"micro-batch: the same query, {RATE:.0f} events/s for {size.seconds:.0f} s")
    switch(settings, "micro-batch")
    with frozen(settings, "stream"):  # it would share the machine with what is measured alone
        alone = [*_stores(settings, size, notify), *_clients(settings, size, notify)]
        alone += _transform(settings, notify) if size.grows else []
    _warm(settings, seconds=size.warm)
    batch = _latency(settings, "micro-batch", seconds=size.seconds)
    ratios = [*_paths(live, rows, batch, bare[len(bare) // 2], made_of), *alone]
    paces.append(pace())
    if not size.grows:
        return Result(tuple(ratios), paces=tuple(paces))
    grown, state = _grow(settings, notify)
    return replace(grown, ratios=(*ratios, *_costs(grown.steps), state), paces=(*paces, *grown.paces))


def _paths(live: Latency, rows: Latency, batch: Latency, bare_ms: float, made_of: str) -> list[Ratio]:
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
            "readable row against KPI topic, p50", "event to a row that a query finds, to event to KPI topic" + made_of,
            rows.p50_ms, live.p50_ms, "ms", 5.0, "at most",
        ),
        Ratio(
            "KPI topic against a bare loop, p50", "event to KPI topic, to a way through Kafka and nothing else",
            live.p50_ms, bare_ms, "ms",
        ),
    ]  # fmt: skip


def _stores(settings: Settings, size: Size, notify: Notify) -> list[Ratio]:
    notify(f"{size.rows:,} rows by PUT and COPY INTO, {size.inserts} by INSERT")
    events = [json.loads(one[5:]) for one in _records(settings, size.rows)]
    copied, inserted = copy_rate(settings, events), insert_rate(settings, events[: size.inserts])
    return [
        Ratio(
            "PUT + COPY against row inserts", "rows per second by a file, for each by single inserts",
            copied, inserted, "rows/s", 100.0, "at least",
        )
    ]  # fmt: skip


def _clients(settings: Settings, size: Size, notify: Notify) -> list[Ratio]:
    notify(f"{size.records:,} records by each client")
    records = _records(settings, size.records)
    # In turns, and the best of each: whatever else the machine does then hits both.
    pairs = [(kafka_python(settings, records), confluent(settings, records)) for _ in range(2)]
    ours, theirs = (max(side, key=lambda one: one.rate) for side in zip(*pairs, strict=True))
    profiled = records[: size.profiled]
    return [
        Ratio(
            "kafka-python against confluent-kafka", "records per second, both idempotent and acks=all",
            ours.rate, theirs.rate, "records/s", 0.15, "at least",
            because=reason(ours, theirs, hot_spots(settings, profiled), records=len(profiled)),
        )
    ]  # fmt: skip


def _transform(settings: Settings, notify: Notify) -> list[Ratio]:
    notify("one dbt model, in this process and by the command line")
    told = race(settings, rounds=2)
    return [
        Ratio(
            "dbt in-process against command line", f"seconds for the model {told.model}, command line to in-process",
            told.command_line, told.in_process, "s", 5.0, "at least",
        )
    ]  # fmt: skip


def _latency(settings: Settings, name: str, *, seconds: float, rate: float = RATE) -> Latency:
    """From event to KPI topic."""
    before, topic = counts_now(settings), TopicWatch(settings)
    planned = prepare(settings, rate=rate, seconds=seconds, run=f"bench-{name}-{time.time():.0f}")
    send(settings, planned)
    return latency_of_all(planned, topic.counted, before=before, patience=PATIENCE_SECONDS)[0]


def _latencies(settings: Settings, name: str, *, seconds: float) -> tuple[Latency, Latency, float]:
    """From event to KPI topic, and to a readable row; with the milliseconds that one question took."""
    before, topic = counts_now(settings), TopicWatch(settings)
    planned = prepare(settings, rate=RATE, seconds=seconds, run=f"bench-{name}-{time.time():.0f}")
    wait = partial(latency_of_all, planned, before=before, patience=PATIENCE_SECONDS)
    with RowWatch(settings) as table:
        send(settings, planned)
        rows, _ = wait(table.counted)
    return wait(topic.counted)[0], rows, table.question_ms


def _grow(settings: Settings, notify: Notify) -> tuple[Result, Ratio]:
    """Once, twice and four times the base, then up until it is too much; ten times as much at once; more keys."""
    notify("back to real-time mode: how much is too much")
    switch(settings, "real-time")
    # Under load Java compiles its code for about a minute, on the cores that are measured.
    _warm(settings, rate=CLIMB[2], seconds=STEP_SECONDS)
    steps = ramp(settings, [BASE, *CLIMB], seconds=STEP_SECONDS, notify=notify)
    paces = [pace()]
    notify(f"the highest of these that holds for {LONG_SECONDS:.0f} s")
    long_steps = sustain(settings, [one.rate for one in steps if one.ended_well], seconds=LONG_SECONDS, notify=notify)
    paces.append(pace())
    most = max((one.rate for one in long_steps if one.sustained), default=BASE)
    notify(f"  ten seconds' worth of {most:,.0f} events/s at once, and {BASE:,.0f} events/s after it")
    burst = step(settings, rate=most, seconds=BURST_SECONDS, name="burst", burst=True)
    after = step(settings, rate=BASE, seconds=STEP_SECONDS, name="after")
    notify("the same number of records with a fourth of the keys, and with all of them")
    few, many = state_of_keys(settings, copies=4), state_of_keys(settings, copies=1)
    definition = "rows in Spark's state; an event is a key, and a copy of it is not"
    grown = Result((), tuple(steps), tuple(long_steps), burst, after, tuple(paces))
    return grown, Ratio("state at 4x the keys", definition, many, few, "rows")


def _costs(steps: Sequence[Step]) -> list[Ratio]:
    by_rate = {one.rate: one for one in steps}
    one, two, four = (by_rate.get(BASE * times) for times in (1, 2, 4))
    if one is None or two is None or four is None:
        return []
    twice, fourfold = (f"{times * BASE:g} against {BASE:g} events/s" for times in (2, 4))
    counted = "; events counted per second, until the last was"
    return [
        Ratio("throughput at 2x the load", twice + counted, two.throughput, one.throughput, "events/s"),
        Ratio("throughput at 4x the load", fourfold + counted, four.throughput, one.throughput, "events/s"),
        Ratio("latency at 2x the load, p50", twice, two.latency.p50_ms, one.latency.p50_ms, "ms"),
        Ratio("latency at 4x the load, p50", fourfold, four.latency.p50_ms, one.latency.p50_ms, "ms"),
    ]


def _warm(settings: Settings, *, rate: float = 4 * RATE, seconds: float) -> None:
    """A first query compiles its code, and at the end of its first batch more of it; what is measured is the pipeline
    that has run a while."""
    wait_until_recovered(settings)
    known = last_batches(settings)
    _latency(settings, "warm", seconds=seconds, rate=rate)
    intervals = settings.real_time_interval_seconds + settings.archive_interval_seconds
    wait_for_newer_batches(settings, known, seconds=intervals + PATIENCE_SECONDS)


def _records(settings: Settings, count: int) -> list[bytes]:
    """Framed events, as producers send them."""
    simulator = Simulator(
        load_domain(settings.domain), seed=settings.seed, start=datetime.now(UTC), rate=1_000, shaped=False
    )
    return [b"\0\0\0\0\1" + sent.payload for sent in islice(simulator.records(), count)]
