"""Explanation: a node in plain English, made on this machine from its own words and its live numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rtlib import formatting
from rtlib.explain.facts import Fact, Facts, Level, Observed, Picture, facts_of
from rtlib.records import Status

# How a reading is said in the middle of a sentence after "Right now it ...". {n} is the number with its unit.
PHRASES: Mapping[str, str] = {
    "sent": "sends {n}",
    "sending": "sends {n}",
    "sent in this run": "has sent {n} since it started",
    "broken on purpose": "has broken {n} on purpose",
    "in the topic": "holds {n}",
    "partitions": "spreads them over {n}",
    "of all records": "has set aside {n} of all records",
    "now": "sets aside {n} at the moment",
    "KPI records": "sends out {n}",
    "watermark behind": "keeps its watermark {n} behind",
    "dropped as too late": "has let go of {n} that came too late",
    "last batch": "wrote its last batch at {n}",
    "rows in it": "found {n} in it",
    "behind": "has {n} still to read",
    "batches": "has written {n}",
    "rows written": "has written {n}",
    "schema version": "has version {n} of the events' schema as the newest",
    "answers in": "takes {n} to answer",
    "newest event": "has an event that is {n} as its newest",
    "sites": "follows {n}",
    "events counted": "has counted {n}",
    "events": "holds {n}",
    "duplicates removed": "has left out {n} that came twice",
    "processor": "takes {n}",
    "in": "takes in {n}",
    "arriving": "takes in {n}",
    "input rate": "reads {n}",
    "processed": "works through {n}",
    "events sent": "has sent {n} so far",
    "end offset": "holds {n}",
    "rows": "holds {n}",
    "subjects": "knows {n}",
    "schemas": "knows {n}",
    "lag": "has {n} still to read",
    "watermark delay": "waits {n} for late events",
    "state rows": "remembers {n}",
    "dropped late": "has let go of {n} that came too late",
    "rejected": "has set {n} aside",
    "late": "has counted {n} late",
    "duplicates": "has seen {n} twice",
    "built": "has built {n}",
    "passed": "has passed {n}",
    "in the marts": "has put {n} into the marts",
    "took": "took {n} for it",
    "error (WAPE)": "is off by {n} of the load on average",
    "interval held": "has an interval that held {n} of the time",
    "next day": "expects {n} in the next day",
    "needed now": "asks for {n} now",
    "next peak": "asks for {n} at the next peak",
    "largest gap": "is short of {n} at the worst moment",
    "up now": "has {n} up",
    "delivered": "has delivered {n}",
    "not delivered": "could not deliver {n}",
    "waiting": "has {n} still to send",
    "asked": "has put {n} to the model",
    "answers refused": "has refused {n} that the facts did not bear out",
    "cost": "has spent {n} on it",
    "exported": "has {n} in its files",
    "pages": "has {n}",
    "visuals": "shows {n}",
    "latency": "takes {n} to answer",
    "answer time": "takes {n} to answer",
    "freshness": "is {n} behind the events",
    "batch": "is at batch {n}",
    "resident memory": "uses {n} of memory",
    "memory": "uses {n} of memory",
}
ZERO_PHRASES: Mapping[str, str] = {
    "lag": "has nothing left to read",
    "rejected": "has set nothing aside",
    "dropped late": "has let go of nothing",
    "sent": "sends nothing",
    "sending": "sends nothing",
    "behind": "has nothing left to read",
    "now": "sets nothing aside at the moment",
    "dropped as too late": "has let go of nothing",
    "duplicates removed": "has met nothing twice",
    "duplicates": "has seen nothing twice",
    "largest gap": "is never short of people",
    "up now": "has no alert up",
    "delivered": "has delivered no card yet",
    "not delivered": "has failed with none",
    "waiting": "has none still to send",
    "asked": "has asked no model yet",
    "answers refused": "has refused no answer",
    "cost": "has spent nothing",
}
SPOKEN_NUMBERS = 3


def explain(node: Observed, *, graph: Picture, domain: str = "", level: Level = Level.NEWCOMER) -> str:
    """Say what a node does and how it is; every number in it is one that was measured.

    Args:
        node: The node.
        graph: The picture it stands in, for its neighbours.
        domain: Title of the domain, to say whose events they are; may be empty.
        level: A newcomer is told in two to four sentences, a practitioner with all numbers and with what the node
            reads from, an expert in notes alone.
    """
    facts = facts_of(node, graph=graph)
    if level is Level.EXPERT:
        return noted(facts)
    told = _told(replace(facts, numbers=facts.numbers[:SPOKEN_NUMBERS]) if level is Level.NEWCOMER else facts, domain)
    return told + _reads(facts) if level is Level.PRACTITIONER else told


def noted(facts: Facts) -> str:
    """The facts as an expert's notes: state, numbers and neighbours, without a word of introduction."""
    seen = f" (last seen {facts.age})" if facts.stale and facts.age else ""
    listed = "; ".join(_named(one) for one in facts.numbers)
    numbers = f" {listed[0].upper()}{listed[1:]}{seen}." if listed else ""
    sources = f" Reads {formatting.join_words(facts.sources)}." if facts.sources else ""
    readers = f" Feeds {formatting.join_words(facts.readers)}." if facts.readers else ""
    return f"{facts.title}: {facts.status.value}{_aside(facts)}.{numbers}{sources}{readers}{_cause(facts)}"


def _reads(facts: Facts) -> str:
    said = facts.sources and facts.status is not Status.PLANNED
    return f" It reads from {formatting.join_words(facts.sources)}." if said else ""


def _told(facts: Facts, domain: str) -> str:
    say = {
        Status.HEALTHY: _alive,
        Status.DEGRADED: _ailing,
        Status.STOPPED: _stopped,
        Status.UNKNOWN: _unknown,
        Status.IDLE: _idle,
        Status.PLANNED: _planned,
    }[facts.status]
    well = facts.status in (Status.HEALTHY, Status.IDLE, Status.PLANNED) and not facts.stale
    return f"{facts.plain if well else _first_sentence(facts.plain)} {say(facts, domain)}"


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".") + "."


def _alive(facts: Facts, domain: str) -> str:
    if facts.stale:
        return _silent(facts)
    said = _said(facts)
    if not said:
        return f"It is up, but has not told any number yet.{_cause(facts)}"
    whose = f" for {domain}" if domain and not facts.sources else ""
    return f"Right now it {said}{whose}.{_cause(facts) or _next(facts)}"


def _ailing(facts: Facts, domain: str) -> str:
    reason = _aside(facts)
    if facts.stale or not (said := _said(facts)):
        return f"It is running, but not well{reason}. {_last(facts)}{_cause(facts)}".strip()
    return f"It is running, but not well{reason}: it {said}.{_cause(facts)}"


def _stopped(facts: Facts, domain: str) -> str:
    return f"It is stopped{_why(facts)}. {_last(facts)}{_cause(facts)}".strip()


def _unknown(facts: Facts, domain: str) -> str:
    return f"How it is right now, nobody knows{_why(facts)}. {_last(facts)}{_cause(facts)}".strip()


def _idle(facts: Facts, domain: str) -> str:
    return f"It runs when it is asked to, and there is nothing from it yet{_why(facts)}."


def _planned(facts: Facts, domain: str) -> str:
    reads = f" It will read from {formatting.join_words(facts.sources)}." if facts.sources else ""
    return f"It is planned: nothing runs behind it yet, so it has no numbers to show.{reads}"


def _silent(facts: Facts) -> str:
    return f"It is up, but has said nothing new for a while. {_last(facts)}{_cause(facts)}"


def _why(facts: Facts) -> str:
    return f": {facts.reason}" if facts.reason else ""


def _aside(facts: Facts) -> str:
    return f" ({facts.reason})" if facts.reason else ""


def _said(facts: Facts) -> str:
    return formatting.join_words([_phrase(one) for one in facts.numbers])


def _phrase(fact: Fact) -> str:
    if fact.value == 0 and fact.name in ZERO_PHRASES:
        return ZERO_PHRASES[fact.name]
    if fact.name in PHRASES:
        return PHRASES[fact.name].format(n=fact.text)
    return f"shows {fact.text} as its {fact.name}"


def _last(facts: Facts) -> str:
    """The numbers as what they are: the last ones seen."""
    if not facts.numbers:
        return "There is no number to go by."
    numbers = formatting.join_words([_named(one) for one in facts.numbers])
    return f"The last that was seen of it, {facts.age}: {numbers}."


def _named(fact: Fact) -> str:
    return fact.text if fact.name == fact.unit else f"{fact.name} {fact.text}"


def _cause(facts: Facts) -> str:
    return f" Look upstream first: {facts.trouble} is stopped." if facts.trouble else ""


def _next(facts: Facts) -> str:
    return f" What it makes goes on to {formatting.join_words(facts.readers)}." if facts.readers else ""
