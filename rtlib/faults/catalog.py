"""Catalog: every fault by name, its expected effect, and how a seed chooses its details. Nothing here does harm."""

from __future__ import annotations

import difflib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rtlib.domains import Domain
from rtlib.errors import ConfigError
from rtlib.faults import effects
from rtlib.faults.effects import Check

Method = Literal["kill", "pause", "slow", "disk", "checkpoint", "burst"]
Details = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to hurt the pipeline.

    Attributes:
        name: Its name on the command line.
        title: Its name on screen.
        component: The id of the node it hurts.
        method: How it is injected.
        part: The supervised process it hurts, or None for a burst of events.
        expect: The expected effect, in a learner's words, shown before it is injected.
        check: Compares the measured effect with the expected one; returns what is missing.
        choose: Chooses the details with a seeded generator.
    """

    name: str
    title: str
    component: str
    method: Method
    part: str | None
    expect: str
    check: Check = field(repr=False)
    choose: Callable[[random.Random, Domain], Details] = field(default=lambda rng, domain: {}, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """A fault with its details; the same seed gives the same details."""

    fault: Fault
    seed: int
    details: Details


def plan(name: str, *, seed: int, domain: Domain) -> Plan:
    """Choose the details of a fault.

    Raises:
        ConfigError: There is no such fault; the message suggests the nearest name, or lists all.
    """
    if name not in MENU:
        near = difflib.get_close_matches(name, MENU, n=1)
        cure = f"did you mean {near[0]}?" if near else f"use one of: {', '.join(MENU)}"
        raise ConfigError(f"there is no fault named {name!r}", cure=cure)
    fault = MENU[name]
    # A random.Random seeded with text draws the same numbers on every machine.
    return Plan(fault, seed, fault.choose(random.Random(f"{name}|{seed}"), domain))


def _seconds(low: int, high: int) -> Callable[[random.Random, Domain], Details]:
    return lambda rng, domain: {"seconds": rng.randint(low, high)}


def _victim(rng: random.Random, domain: Domain) -> Details:
    return {"victim": rng.choice(["driver", "JVM"])}


def _burst(rate: int, seconds: int, **options: Any) -> Callable[[random.Random, Domain], Details]:
    """A burst of ``rate`` events per second, give or take a fifth; ``options`` are arguments of the Simulator."""
    return lambda rng, domain: {"rate": round(rate * rng.uniform(0.8, 1.2)), "seconds": seconds, **options}


def _skew(rng: random.Random, domain: Domain) -> Details:
    return {"rate": 20, "seconds": 6, "skew_seconds": rng.choice([45.0, 120.0])}


def _hot(rng: random.Random, domain: Domain) -> Details:
    site = rng.choice([site.id for site in domain.sites])
    return {"rate": round(1_200 * rng.uniform(0.8, 1.2)), "seconds": 10, "hot_site": site}


def _surge(rng: random.Random, domain: Domain) -> Details:
    rate = round(120 * rng.uniform(0.8, 1.2))
    return {**_hot(rng, domain), "rate": rate, "seconds": 130, "level": 6.0, "level_kinds": _alerted_kinds(domain)}


def _alerted_kinds(domain: Domain) -> tuple[str, ...]:
    """The kinds of events behind the domain's first alert on a mean: a surge has to break one rule, not two."""
    means = {kpi.name: kpi for kpi in domain.kpis if kpi.aggregate == "mean"}
    return next((tuple(means[alert.measure].kinds) for alert in domain.alerts if alert.measure in means), ())


def _schema_break(rng: random.Random, domain: Domain) -> Details:
    breakages = ["value is text", "sequence is text", "an unexpected field", "no event_id", "attributes is null"]
    chosen = tuple(sorted(rng.sample(breakages, 3)))
    return {"rate": 40, "seconds": 10, "malformed_share": 1.0, "breakages": chosen}


_FAULTS = (
    Fault(
        "kill-broker", "Kill the broker", "events", "kill", "broker",
        "Kafka is gone at once. The simulator keeps its records in memory and retries, both queries and the loader "
        "wait, and the numbers on the screen grow old. The supervisor restarts Kafka on the same log: acknowledged "
        "records are still in it, and the producer's sequence numbers prevent its retries from being stored twice. "
        "Nothing is lost, nothing is doubled.",
        effects.restarted("broker"),
    ),
    Fault(
        "kill-spark", "Kill Spark", "kpis", "kill", "stream",
        "Both queries stop in the middle of a batch. Kafka keeps accepting events. A new Spark starts from the "
        "checkpoints and reads the unfinished batch again. RAW skips a batch that it already has, and a KPI that is "
        "sent again replaces itself. There are no live numbers for about 15 seconds, then they catch up.",
        effects.restarted("stream"),
        _victim,
    ),
    Fault(
        "kill-loader", "Kill the speed loader", "speed", "kill", "loader",
        "KPI records stay in their topic, so the dashboard's numbers freeze for a moment. The new loader starts at "
        "the last committed offset and merges some rows again, which changes nothing.",
        effects.restarted("loader"),
    ),
    Fault(
        "kill-registry", "Kill the schema registry", "registry", "kill", "registry",
        "No running part needs it: producers and queries have their schema. Events flow on without a gap. Only a "
        "new producer would have to wait until it is back.",
        effects.both(effects.restarted("registry"), effects.no_pause),
    ),
    Fault(
        "kill-warehouse", "Kill the warehouse", "dwh", "kill", "warehouse",
        "An open transaction is rolled back: RAW holds either all rows of a batch with its row in RAW.BATCHES, or "
        "none. The archive query and the loader wait and retry; the KPI topic goes on without them.",
        effects.restarted("warehouse"),
    ),
    Fault(
        "pause-broker", "Freeze the broker", "events", "pause", "broker",
        "Kafka is alive but does not answer, as in a long garbage collection. Requests time out and are sent again "
        "when it wakes up. Some arrive twice: the idempotent producer makes Kafka drop the second copy.",
        effects.same_process("broker"),
        _seconds(6, 12),
    ),
    Fault(
        "slow-sink", "Slow the warehouse down", "dwh", "slow", "warehouse",
        "The warehouse works only a third of the time. Batches take longer, so the next batches are larger: the "
        "archive falls behind and catches up by itself. The live KPIs in Kafka are unaffected; their rows in the "
        "warehouse are late.",
        effects.same_process("warehouse"),
        _seconds(12, 20),
    ),
    Fault(
        "disk-full", "Fill the broker's disk", "events", "disk", "broker",
        "Kafka cannot write to its log, so it shuts down; producers wait. Once there is room, it is restarted and "
        "accepts the waiting records.",
        effects.restarted("broker"),
    ),
    Fault(
        "checkpoint-deleted", "Delete Spark's checkpoints", "archive", "checkpoint", "stream",
        "Spark has lost its offsets and reads the topic from its first record. RAW already holds those events and "
        "skips each of them; every window is counted again from 1, so live numbers of old windows look too small for "
        "a moment. In the end all counts are as before, only the records were read twice.",
        effects.both(effects.restarted("stream"), effects.read_again),
    ),
    Fault(
        "duplicate-storm", "A storm of duplicates", "simulator", "burst", None,
        "Producers send nearly every event twice, as devices do on a bad line. Kafka stores all copies. Both queries "
        "drop the second copies, so they change no KPI.",
        effects.copies_removed,
        _burst(150, 10, duplicate_share=0.9),
    ),
    Fault(
        "late-burst", "A burst of late events", "simulator", "burst", None,
        "Events arrive long after they happened, yet within the watermark. Windows that were over change again: each "
        "late event is counted where it belongs.",
        effects.late_counted,
        _burst(100, 10, late_share=0.95),
    ),
    Fault(
        "out-of-order", "Minutes out of order", "simulator", "burst", None,
        "No event is in order: half arrive up to 48 seconds late, and half two to four minutes. The latter are behind "
        "the watermark: the live query has closed their windows and drops them, the archive keeps them all. The "
        "ledger counts them as late, not lost.",
        effects.too_late_dropped,
        _burst(100, 10, too_late_share=0.5, late_share=0.5),
    ),
    Fault(
        "malformed", "A burst of malformed events", "rejected", "burst", None,
        "As many malformed records as events: cut short, not UTF-8, wrong types. Each goes to the rejected topic with "
        "its bytes and the reason. The valid events between them arrive unaffected.",
        effects.malformed_rejected,
        _burst(60, 10, malformed_share=1.0),
    ),
    Fault(
        "schema-break", "Producers that changed their schema", "registry", "burst", None,
        "A team changed its events without registering the schema. The registry would have refused it, but these "
        "producers do not ask. Their records go to the rejected topic, each with the field that is wrong.",
        effects.malformed_rejected,
        _schema_break,
    ),
    Fault(
        "clock-skew", "A producer whose clock is ahead", "simulator", "burst", None,
        "A fleet's clocks are ahead, by 45 seconds or by two minutes, depending on the seed. The watermark follows the "
        "newest event: 45 s drag it along, and events more than 15 s behind miss their live windows until real time "
        "has caught up; RAW keeps them all. Two minutes would drag it past all other producers, so such events go to "
        "the rejected topic instead.",
        effects.both(effects.all_archived, effects.malformed_rejected),
        _skew,
    ),
    Fault(
        "hot-partition", "A hot partition", "events", "burst", None,
        "A single site suddenly sends nearly all events. Events of a site have the same key and go to the same "
        "partition, to keep their order: that partition grows while the others idle, and more machines would not "
        "help.",
        effects.one_partition_hot,
        _hot,
    ),
    Fault(
        "surge", "A surge at one site", "alerts", "burst", None,
        "For two minutes a site is overrun: the value behind an alert (a wait, a page load, a temperature, a latency) "
        "is six times as high. Its KPI goes red at once. A card reaches the channel after a second bad minute, so "
        "one to three minutes after the beginning, and another after two good minutes. The alert is not sent twice.",
        effects.alert_raised,
        _surge,
    ),
)  # fmt: skip
MENU: dict[str, Fault] = {fault.name: fault for fault in _FAULTS}
