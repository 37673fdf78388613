"""Agreements: the counts that have to be equal, and those that are not, in words. Pure.

A run whose account is closed is held to it exactly. One that goes on, or that was killed, may have sent a little more
than its account says, as it is written once a second; it cannot have sent less than what it says, nor by far more.
"""

from __future__ import annotations

from collections.abc import Iterator

from rtlib.pipeline.audit.evidence import Evidence
from rtlib.records import Tally

# An account is a second old at most, and no simulator sends half as many events within a second.
BEYOND = 200_000


def sent_by(evidence: Evidence) -> Tally:
    """What all runs sent together, by their accounts."""
    total = Tally()
    for run in evidence.runs:
        total = total + run.tally
    return total


def last_sequences(evidence: Evidence) -> dict[str, int]:
    """The last sequence that each producer sent: by its account, or, where that is open, by what Kafka or RAW holds.

    An event that is numbered further than its run can have come is not the run's own: it does not make those before
    it lost. ``differences`` tells of it.
    """
    last: dict[str, int] = {}
    for run in evidence.runs:
        for name, told in run.tally.last_sequence.items():
            last[name] = told if run.closed else max(told, _seen(evidence, name, up_to=told + BEYOND))
    return last


def _seen(evidence: Evidence, name: str, *, up_to: int) -> int:
    kept = evidence.held[name].last if name in evidence.held else -1
    return max(evidence.topic.copies.last(name, up_to=up_to), kept if kept <= up_to else -1)


def differences(evidence: Evidence) -> Iterator[str]:
    """Counts that do not agree, though nothing that is in flight could still make them agree."""
    for what, here, there, may_differ in _agreements(evidence, sent_by(evidence)):
        if here != there and not may_differ:
            yield f"{what}: {here:,} and {there:,}"
    strangers = sorted({*evidence.topic.copies.producers, *evidence.held} - set(last_sequences(evidence)))
    if strangers and not evidence.running:
        names = ", ".join(ascii(one)[1:81].rstrip("'") for one in strangers[:5])  # anybody may choose them
        yield f"producers in Kafka or RAW that no run of the simulator knows: {names}"
    yield from _too_far(evidence)
    for one in evidence.windows.unexplained:
        if not evidence.may_change(one):
            yield (
                f"{one.site} {one.window_start:%H:%M}: {one.raw_events} archived, {one.kpi_events} counted, "
                f"{one.may_be_late} behind the watermark"
            )


def _too_far(evidence: Evidence) -> Iterator[str]:
    for run in evidence.runs:
        for name, told in () if run.closed else run.tally.last_sequence.items():
            kept = evidence.held[name].last if name in evidence.held else -1
            furthest = max(evidence.topic.copies.last(name), kept)
            if furthest > told + BEYOND:
                yield f"{name} had sent up to #{told:,}, and there is a #{furthest:,}: somebody else used its name"


def _agreements(evidence: Evidence, sent: Tally) -> Iterator[tuple[str, int, int, bool]]:
    """What should be equal: its name, the two counts, and whether they may differ for now.

    The archive has at least what lies before its offsets, and at most what Kafka holds. Once Kafka has deleted its
    oldest records, what was sent is held against RAW, and Kafka against RAW from its first record on; that each event
    in Kafka is in RAW is seen by its sequence.
    """
    topic, counts = evidence.topic, evidence.counts
    some_open = any(not run.closed for run in evidence.runs)
    events_before, misfits_before = topic.pending_events, topic.misfits - topic.archived_misfits

    def excused(account: int, found: int) -> bool:
        return some_open and (evidence.running or found >= account)

    yield from _of_closed_runs(evidence) if some_open else ()
    if topic.expired:
        kept = counts.rejected - evidence.rejected_before
        may = excused(sent.events, counts.live_events) or _fits(sent.events, counts.live_events, events_before)
        yield "events sent and archived", sent.events, counts.live_events, may
        may = excused(sent.malformed, counts.rejected) or _fits(sent.malformed, counts.rejected, misfits_before)
        yield "malformed records sent and rejected", sent.malformed, counts.rejected, may
        may = _fits(topic.misfits, kept, misfits_before)
        yield "malformed records still in Kafka and rejected of those", topic.misfits, kept, may
        return
    for what, account, found in (
        ("records sent and records in Kafka", sent.records, topic.records),
        ("events sent and events in Kafka", sent.events, topic.events),
        ("duplicates sent and duplicates in Kafka", sent.duplicates, topic.second_copies),
        ("malformed records sent and in Kafka", sent.malformed, topic.misfits),
    ):
        yield what, account, found, excused(account, found)
    may = _fits(topic.misfits, counts.rejected, misfits_before)
    yield "malformed records in Kafka and rejected", topic.misfits, counts.rejected, may
    may = _fits(topic.events, counts.live_events, events_before)
    yield "events in Kafka and archived", topic.events, counts.live_events, may


def _fits(account: int, found: int, in_flight: int) -> bool:
    """True when no more is missing than is in flight, and nothing is there that nobody accounts for."""
    return 0 <= account - found <= in_flight


def _of_closed_runs(evidence: Evidence) -> Iterator[tuple[str, int, int, bool]]:
    """The same for those runs whose account is closed; which run sent what fits no schema cannot be told."""
    tallies = [run.tally for run in evidence.runs if run.closed]
    names = [name for tally in tallies for name in tally.last_sequence]
    events, copies = sum(one.events for one in tallies), evidence.topic.copies
    if evidence.topic.expired:
        archived = sum(evidence.held[one].sequences for one in names if one in evidence.held)
        before = sum(len(evidence.topic.pending.get(one, ())) for one in names)
        yield "events of finished runs sent and archived", events, archived, _fits(events, archived, before)
        return
    yield "events of finished runs sent and in Kafka", events, copies.events(*names), False
    again = copies.records(*names) - copies.events(*names)
    yield "duplicates of finished runs sent and in Kafka", sum(one.duplicates for one in tallies), again, False
