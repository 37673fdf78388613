"""Explanation by template: a node in plain English, from its description and its live numbers, without a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from rtlib import formatting
from rtlib.explain.facts import Fact, Facts, Level, Observed, Picture, facts_of
from rtlib.records import Status

# How a sentence that begins "Right now it ..." states a reading. {n} is the number with its unit.
PHRASES: Mapping[str, str] = {
    "sending": "sends {n}",
    "sent in this run": "has sent {n} since it started",
    "broken on purpose": "has broken {n} on purpose",
    "in the topic": "holds {n}",
    "partitions": "spreads them over {n}",
    "of all records": "has set aside {n} of all records",
    "now": "sets aside {n} at the moment",
    "KPI records": "sends out {n}",
    "watermark behind": "keeps its watermark {n} behind",
    "dropped as too late": "has dropped {n} that came too late",
    "last batch": "wrote its last batch at {n}",
    "rows in it": "found {n} in it",
    "behind": "has {n} still to read",
    "batches": "has written {n}",
    "rows written": "has written {n}",
    "schema version": "has version {n} of the event schema as the newest",
    "answers in": "takes {n} to answer",
    "newest event": "has an event that is {n} as its newest",
    "sites": "follows {n}",
    "events counted": "has counted {n}",
    "events": "holds {n}",
    "duplicates removed": "has removed {n} that came twice",
    "processor": "uses {n}",
    "arriving": "takes in {n}",
    "rows": "holds {n}",
    "subjects": "holds {n}",
    "state rows": "remembers {n}",
    "rejected": "has set {n} aside",
    "refused": "has refused {n}",
    "built": "has built {n}",
    "passed": "has passed {n}",
    "in the marts": "has put {n} into the marts",
    "took": "took {n} for it",
    "running": "has done {n} steps of its run",
    "error (WAPE)": "is off by {n} of the load on average",
    "interval held": "has an interval that held {n} of the time",
    "today inside": "has held {n} of today's half-hours",
    "next day": "expects {n} in the next day",
    "needed now": "needs {n} now",
    "next peak": "needs {n} at the next peak",
    "accepted gap": "accepts a gap of {n} at the worst moment, to save cost",
    "beyond plan": "is short of {n} beyond that, as now forecast",
    "up now": "has {n} up",
    "delivered": "has delivered {n}",
    "not delivered": "could not deliver {n}",
    "waiting": "has {n} still to send",
    "asked": "has asked the model {n}",
    "answers refused": "has refused {n} that did not rest on the facts",
    "cost": "has spent {n} on it",
    "exported": "has {n} in its files",
    "pages": "has {n}",
    "visuals": "shows {n}",
    "memory": "uses {n} of memory",
}
ZERO_PHRASES: Mapping[str, str] = {
    "rejected": "has set nothing aside",
    "sending": "sends nothing",
    "behind": "has nothing left to read",
    "now": "sets nothing aside at the moment",
    "dropped as too late": "has dropped nothing",
    "duplicates removed": "has found nothing twice",
    "accepted gap": "accepts no gap",
    "beyond plan": "covers the need as now forecast",
    "up now": "has no alert up",
    "delivered": "has delivered no card yet",
    "not delivered": "has lost no card",
    "waiting": "has nothing left to send",
    "asked": "has asked no model yet",
    "answers refused": "has refused no answer",
    "cost": "has spent nothing",
}
NEWCOMER_NUMBERS = 3


def explain(node: Observed, *, graph: Picture, domain: str = "", level: Level = Level.NEWCOMER) -> str:
    """Describe what a node does and how it is; every number in the text was measured.

    Args:
        node: The node.
        graph: The graph that it belongs to, for its neighbours.
        domain: Title of the domain that the events belong to; may be empty.
        level: A newcomer gets two to four sentences, a practitioner also all numbers and the sources, an expert notes.
    """
    facts = facts_of(node, graph=graph)
    if level is Level.EXPERT:
        return notes(facts)
    if level is Level.NEWCOMER:
        return _prose(replace(facts, numbers=facts.numbers[:NEWCOMER_NUMBERS]), domain)
    return _prose(facts, domain) + _reads(facts)


def notes(facts: Facts) -> str:
    """The facts as notes for an expert: state, numbers and neighbours, without an introduction."""
    seen = f" (last seen {facts.age})" if facts.stale and facts.age else ""
    listed = "; ".join(_named(fact) for fact in facts.numbers)
    numbers = f" {listed[0].upper()}{listed[1:]}{seen}." if listed else ""
    sources = f" Reads {formatting.join_words(facts.sources)}." if facts.sources else ""
    readers = f" Feeds {formatting.join_words(facts.readers)}." if facts.readers else ""
    return f"{facts.title}: {facts.status.value}{_aside(facts)}.{numbers}{sources}{readers}{_cause(facts)}"


def _reads(facts: Facts) -> str:
    reads = facts.sources and facts.status is not Status.PLANNED
    return f" It reads from {formatting.join_words(facts.sources)}." if reads else ""


def _prose(facts: Facts, domain: str) -> str:
    state = {
        Status.HEALTHY: _healthy,
        Status.DEGRADED: _degraded,
        Status.STOPPED: _stopped,
        Status.UNKNOWN: _unknown,
        Status.IDLE: _idle,
        Status.PLANNED: _planned,
    }[facts.status]
    well = facts.status in (Status.HEALTHY, Status.IDLE, Status.PLANNED) and not facts.stale
    return f"{facts.plain if well else _first_sentence(facts.plain)} {state(facts, domain)}"


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".") + "."


def _healthy(facts: Facts, domain: str) -> str:
    if facts.stale:
        return f"It is up, but has reported nothing new for a while. {_last(facts)}{_cause(facts)}"
    numbers = _numbers(facts)
    if not numbers:
        return f"It is up, but has reported no number yet.{_cause(facts)}"
    whose = f" for {domain}" if domain and not facts.sources else ""
    return f"Right now it {numbers}{whose}.{_cause(facts) or _next(facts)}"


def _degraded(facts: Facts, domain: str) -> str:
    reason = _aside(facts)
    if facts.stale or not (numbers := _numbers(facts)):
        return f"It is running, but not well{reason}. {_last(facts)}{_cause(facts)}".strip()
    return f"It is running, but not well{reason}: it {numbers}.{_cause(facts)}"


def _stopped(facts: Facts, domain: str) -> str:
    return f"It is stopped{_why(facts)}. {_last(facts)}{_cause(facts)}".strip()


def _unknown(facts: Facts, domain: str) -> str:
    return f"Its state right now is unknown{_why(facts)}. {_last(facts)}{_cause(facts)}".strip()


def _idle(facts: Facts, domain: str) -> str:
    return f"It has no result yet{_why(facts)}."


def _planned(facts: Facts, domain: str) -> str:
    reads = f" It will read from {formatting.join_words(facts.sources)}." if facts.sources else ""
    return f"It is planned: nothing runs behind it yet, so it has no numbers to show.{reads}"


def _why(facts: Facts) -> str:
    return f": {facts.reason}" if facts.reason else ""


def _aside(facts: Facts) -> str:
    return f" ({facts.reason})" if facts.reason else ""


def _numbers(facts: Facts) -> str:
    return formatting.join_words([_phrase(fact) for fact in facts.numbers])


def _phrase(fact: Fact) -> str:
    if fact.value == 0 and fact.name in ZERO_PHRASES:
        return ZERO_PHRASES[fact.name]
    if fact.name in PHRASES:
        return PHRASES[fact.name].format(n=fact.text)
    return f"shows {fact.text} as its {fact.name}"


def _last(facts: Facts) -> str:
    """The last numbers seen, with their age."""
    if not facts.numbers:
        return "It has reported no number."
    numbers = formatting.join_words([_named(fact) for fact in facts.numbers])
    return f"Last seen {facts.age}: {numbers}."


def _named(fact: Fact) -> str:
    return fact.text if fact.name == fact.unit else f"{fact.name} {fact.text}"


def _cause(facts: Facts) -> str:
    return f" Look upstream first: {facts.trouble} is stopped." if facts.trouble else ""


def _next(facts: Facts) -> str:
    return f" What it makes goes on to {formatting.join_words(facts.readers)}." if facts.readers else ""
