"""Menu: every fault by name, what to expect of it, and how its seed chooses the details. Nothing here does harm."""

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

Way = Literal["kill", "pause", "slow", "disk", "checkpoint", "burst"]
Details = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to hurt the pipeline.

    Attributes:
        name: What it is called on the command line.
        title: The same for people.
        component: The id of the node it hurts.
        way: How it is done.
        part: The supervised process it is done to, or None for a burst of events.
        expect: What should happen, before it is done, in a learner's words.
        seen: Says what is missing of that afterwards.
        draw: Chooses the details by a seeded generator.
    """

    name: str
    title: str
    component: str
    way: Way
    part: str | None
    expect: str
    seen: Check = field(repr=False)
    draw: Callable[[random.Random, Domain], Details] = field(default=lambda rng, domain: {}, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """A fault with its details chosen; the same seed chooses the same."""

    fault: Fault
    seed: int
    details: Details


def plan(name: str, *, seed: int, domain: Domain) -> Plan:
    """Choose the details of a fault.

    Raises:
        ConfigError: No fault is called so; the message names the nearest, or all.
    """
    if name not in MENU:
        near = difflib.get_close_matches(name, MENU, n=1)
        cure = f"did you mean {near[0]}?" if near else f"use one of: {', '.join(MENU)}"
        raise ConfigError(f"no fault is called {name!r}", cure=cure)
    fault = MENU[name]
    # random.Random takes text as a seed and is the same on every machine.
    return Plan(fault, seed, fault.draw(random.Random(f"{name}|{seed}"), domain))


def _seconds(low: int, high: int) -> Callable[[random.Random, Domain], Details]:
    return lambda rng, domain: {"seconds": rng.randint(low, high)}


def _victim(rng: random.Random, domain: Domain) -> Details:
    return {"victim": rng.choice(["driver", "JVM"])}


def _burst(rate: int, seconds: int, **world: Any) -> Callable[[random.Random, Domain], Details]:
    """A burst of ``rate`` events a second, give or take a fifth; ``world`` are arguments of the Simulator."""
    return lambda rng, domain: {"rate": round(rate * rng.uniform(0.8, 1.2)), "seconds": seconds, **world}


def _skew(rng: random.Random, domain: Domain) -> Details:
    return {"rate": 20, "seconds": 6, "skew_seconds": rng.choice([45.0, 120.0])}


def _hot(rng: random.Random, domain: Domain) -> Details:
    site = rng.choice([one.id for one in domain.sites])
    return {"rate": round(1_200 * rng.uniform(0.8, 1.2)), "seconds": 10, "hot_site": site}


def _surge(rng: random.Random, domain: Domain) -> Details:
    rate = round(120 * rng.uniform(0.8, 1.2))
    return {**_hot(rng, domain), "rate": rate, "seconds": 130, "level": 6.0, "level_kinds": _watched(domain)}


def _watched(domain: Domain) -> tuple[str, ...]:
    """The kinds of events whose values the domain's first such alert watches: a surge breaks one rule and not two."""
    by_name = {one.name: one for one in domain.kpis if one.aggregate == "mean"}
    return next((tuple(by_name[one.measure].kinds) for one in domain.alerts if one.measure in by_name), ())


def _schema_break(rng: random.Random, domain: Domain) -> Details:
    ways = ["value is text", "sequence is text", "an unexpected field", "no event_id", "attributes is null"]
    chosen = tuple(sorted(rng.sample(ways, 3)))
    return {"rate": 40, "seconds": 10, "malformed_share": 1.0, "breakages": chosen}


_FAULTS = (
    Fault(
        "kill-broker", "Kill the broker", "events", "kill", "broker",
        "Kafka is gone at once. The simulator keeps its records in memory and tries again, both queries and the "
        "loader wait, and the numbers on the screen grow old. The supervisor starts Kafka on the same log; whatever "
        "was acknowledged is still in it, and the producer's sequence numbers keep its retries from being stored "
        "twice. Nothing lost, nothing doubled.",
        effects.restarted("broker"),
    ),
    Fault(
        "kill-spark", "Kill Spark", "kpis", "kill", "stream",
        "Both queries stop in the middle of a batch. Kafka goes on taking events. A new Spark starts from the "
        "checkpoints: it reads again what it had not finished. RAW refuses the batch it knows already, and a KPI "
        "that is sent again replaces itself. No live numbers for some 15 seconds, then they catch up.",
        effects.restarted("stream"),
        _victim,
    ),
    Fault(
        "kill-loader", "Kill the speed loader", "speed", "kill", "loader",
        "KPI records stay in their topic, so the dashboard's numbers stand still for a moment. The new loader begins "
        "at the last committed offset and merges some rows again, which changes nothing.",
        effects.restarted("loader"),
    ),
    Fault(
        "kill-registry", "Kill the schema registry", "registry", "kill", "registry",
        "Nothing that runs asks for it: producers and queries know their schema. Events flow on without a gap. Only "
        "a new producer would have to wait until it is back.",
        effects.both(effects.restarted("registry"), effects.no_pause),
    ),
    Fault(
        "kill-warehouse", "Kill the warehouse", "dwh", "kill", "warehouse",
        "A transaction that was open is gone as a whole: RAW holds either all rows of a batch with its ledger row, or "
        "none. The archive query and the loader wait and try again; the KPI topic goes on without them.",
        effects.restarted("warehouse"),
    ),
    Fault(
        "pause-broker", "Freeze the broker", "events", "pause", "broker",
        "Kafka is alive and answers nothing, as in a long garbage collection. Requests time out and are sent again "
        "when it wakes up. Some arrive twice: idempotence throws the second away.",
        effects.same_process("broker"),
        _seconds(6, 12),
    ),
    Fault(
        "slow-sink", "Slow the warehouse down", "dwh", "slow", "warehouse",
        "The warehouse works only a third of the time. Batches take longer, so each next one is larger: the archive "
        "falls behind and catches up by itself. The live KPIs in Kafka do not notice; their rows in the warehouse do.",
        effects.same_process("warehouse"),
        _seconds(12, 20),
    ),
    Fault(
        "disk-full", "Fill the broker's disk", "events", "disk", "broker",
        "Kafka cannot write to its log. It trusts a log it cannot write no longer and ends itself; producers wait. "
        "Once there is room it starts again, and the waiting records are taken.",
        effects.restarted("broker"),
    ),
    Fault(
        "checkpoint-deleted", "Delete Spark's checkpoints", "archive", "checkpoint", "stream",
        "Spark no longer knows how far it was and reads the topic from its first record. RAW holds those events "
        "already and lets each pass it by; every window is counted again from 1, so live numbers of old windows "
        "look too small for a moment. In the end all is as before, only read twice.",
        effects.both(effects.restarted("stream"), effects.read_again),
    ),
    Fault(
        "duplicate-storm", "A storm of duplicates", "simulator", "burst", None,
        "Producers send nearly every event twice, as devices do on a bad line. Kafka stores all of it. Both queries "
        "drop the second copies, so no KPI changes by them.",
        effects.copies_removed,
        _burst(150, 10, duplicate_share=0.9),
    ),
    Fault(
        "late-burst", "A burst of late events", "simulator", "burst", None,
        "Events arrive long after they happened, yet within the watermark. Windows that were over change once more: "
        "each late event is counted where it belongs.",
        effects.late_counted,
        _burst(100, 10, late_share=0.95),
    ),
    Fault(
        "out-of-order", "Minutes out of order", "simulator", "burst", None,
        "No event is in its place: half are up to 48 seconds behind others that have arrived, and half two to four "
        "minutes. Those are beyond the watermark: the live query has closed their windows and drops them, the archive "
        "keeps them all. The ledger calls them late, not lost.",
        effects.too_late_dropped,
        _burst(100, 10, too_late_share=0.5, late_share=0.5),
    ),
    Fault(
        "malformed", "A burst of broken events", "rejected", "burst", None,
        "Records that fit no schema, for each event one: cut short, not UTF-8, wrong types. Each goes to the rejected "
        "topic with its bytes and the reason. The good ones between them arrive as if nothing was.",
        effects.misfits_rejected,
        _burst(60, 10, malformed_share=1.0),
    ),
    Fault(
        "schema-break", "Producers that changed their schema", "registry", "burst", None,
        "A team changed its events without asking. The registry would have refused the new schema, but these "
        "producers do not ask. Their records go to the rejected topic, each with the field that is wrong.",
        effects.misfits_rejected,
        _schema_break,
    ),
    Fault(
        "clock-skew", "A producer whose clock is ahead", "simulator", "burst", None,
        "One fleet's clocks are ahead, by 45 seconds or by two minutes, as the seed will have it. The watermark "
        "follows the newest event it sees: 45 s drag it along, and whatever is more than 15 s behind misses its live "
        "window until real time has caught up; RAW keeps it all. Two minutes would drag it past everybody, so such "
        "events go to the rejected topic instead.",
        effects.both(effects.all_archived, effects.misfits_rejected),
        _skew,
    ),
    Fault(
        "hot-partition", "A hot partition", "events", "burst", None,
        "One site suddenly sends nearly everything. All events of a site have the same key and go to the same "
        "partition, to keep their order, so one partition grows while the others idle: more machines would not help.",
        effects.one_partition_hot,
        _hot,
    ),
    Fault(
        "surge", "A surge at one site", "alerts", "burst", None,
        "For two minutes one site is overrun: what an alert watches there (a wait, a page load, a temperature, a "
        "latency) is six times as high. Its KPI goes red at once. A card reaches the channel when two whole minutes "
        "were bad, so some two to three minutes after the beginning, and one more when two minutes were good again. "
        "Nobody is called twice for it.",
        effects.somebody_called,
        _surge,
    ),
)  # fmt: skip
MENU: dict[str, Fault] = {one.name: one for one in _FAULTS}
