"""Reconcile: the counts that have to be equal, and a sentence for each pair that is not. Pure.

A run whose tally is closed has to match exactly. A run that goes on, or that was killed, may have sent a little more
than its tally says, which is written once a second; it cannot have sent less, nor far more.
"""

from __future__ import annotations

from collections.abc import Iterator

from rtlib.pipeline.audit.evidence import Evidence
from rtlib.records import Tally

# A tally is at most a second old, and no simulator sends half this number of events in a second.
TALLY_MARGIN = 200_000

Pair = tuple[str, int, int, bool]  # name, expected count, actual count, whether they may differ for now


def sent_by(evidence: Evidence) -> Tally:
    """The sum of all runs' tallies."""
    return sum((run.tally for run in evidence.runs), Tally())


def last_sequences(evidence: Evidence) -> dict[str, int]:
    """The last sequence that each producer sent: by its tally, or for an open tally by what Kafka or RAW holds.

    An event numbered beyond what its run can have reached is not the run's own and does not make the events before it
    lost; ``differences`` reports it.
    """
    sequences: dict[str, int] = {}
    for run in evidence.runs:
        for name, last in run.tally.last_sequence.items():
            sequences[name] = last if run.closed else max(last, _highest(evidence, name, up_to=last + TALLY_MARGIN))
    return sequences


def _highest(evidence: Evidence, name: str, *, up_to: int) -> int:
    archived = _archived_last(evidence, name)
    return max(evidence.topic.sequences.last(name, up_to=up_to), archived if archived <= up_to else -1)


def _archived_last(evidence: Evidence, name: str) -> int:
    return evidence.producers[name].last if name in evidence.producers else -1


def differences(evidence: Evidence) -> Iterator[str]:
    """Counts that differ although nothing in flight could still make them equal."""
    for name, expected, actual, may_differ in _pairs(evidence, sent_by(evidence)):
        if expected != actual and not may_differ:
            yield f"{name}: {expected:,} and {actual:,}"
    strangers = sorted({*evidence.topic.sequences.producers, *evidence.producers} - set(last_sequences(evidence)))
    if strangers and not evidence.running:
        # Any client chooses its producer's name, so the names are escaped and cut.
        names = ", ".join(ascii(name)[1:81].rstrip("'") for name in strangers[:5])
        yield f"producers in Kafka or RAW that belong to no run of the simulator: {names}"
    yield from _beyond_tally(evidence)
    for window in evidence.windows.unexplained:
        if not evidence.may_change(window):
            yield (
                f"{window.site} {window.window_start:%H:%M} UTC: {window.raw_events} archived, "
                f"{window.kpi_events} counted, {window.may_be_late} behind the watermark"
            )


def _beyond_tally(evidence: Evidence) -> Iterator[str]:
    for run in evidence.runs:
        for name, last in () if run.closed else run.tally.last_sequence.items():
            highest = max(evidence.topic.sequences.last(name), _archived_last(evidence, name))
            if highest > last + TALLY_MARGIN:
                yield f"{name} had sent up to #{last:,}, and there is a #{highest:,}: another client used its name"


def _pairs(evidence: Evidence, sent: Tally) -> Iterator[Pair]:
    """Counts that should be equal.

    The archive has at least what lies before its offsets, and at most what Kafka holds. Once Kafka has deleted its
    oldest records, RAW is compared with the tallies, and with Kafka from the first record that is left; that each
    event in Kafka is in RAW is shown by its sequence.
    """
    some_open = any(not run.closed for run in evidence.runs)
    yield from _pairs_of_closed_runs(evidence) if some_open else ()
    if evidence.topic.expired:
        yield from _pairs_after_expiry(evidence, sent, some_open=some_open)
    else:
        yield from _pairs_of_whole_topic(evidence, sent, some_open=some_open)


def _pairs_after_expiry(evidence: Evidence, sent: Tally, *, some_open: bool) -> Iterator[Pair]:
    topic, counts = evidence.topic, evidence.counts
    pending = topic.malformed - topic.archived_malformed
    may = _is_open(evidence, some_open, sent.events, counts.live_events) or _fits(
        sent.events, counts.live_events, topic.pending_events
    )
    yield "events sent and archived", sent.events, counts.live_events, may
    may = _is_open(evidence, some_open, sent.malformed, counts.rejected) or _fits(
        sent.malformed, counts.rejected, pending
    )
    yield "malformed records sent and rejected", sent.malformed, counts.rejected, may
    kept = counts.rejected - evidence.rejected_before
    may = _fits(topic.malformed, kept, pending)
    yield "malformed records still in Kafka and rejected of those", topic.malformed, kept, may


def _pairs_of_whole_topic(evidence: Evidence, sent: Tally, *, some_open: bool) -> Iterator[Pair]:
    topic, counts = evidence.topic, evidence.counts
    for name, expected, actual in (
        ("records sent and records in Kafka", sent.records, topic.records),
        ("events sent and events in Kafka", sent.events, topic.events),
        ("duplicates sent and duplicates in Kafka", sent.duplicates, topic.duplicates),
        ("malformed records sent and in Kafka", sent.malformed, topic.malformed),
    ):
        yield name, expected, actual, _is_open(evidence, some_open, expected, actual)
    may = _fits(topic.malformed, counts.rejected, topic.malformed - topic.archived_malformed)
    yield "malformed records in Kafka and rejected", topic.malformed, counts.rejected, may
    may = _fits(topic.events, counts.live_events, topic.pending_events)
    yield "events in Kafka and archived", topic.events, counts.live_events, may


def _is_open(evidence: Evidence, some_open: bool, expected: int, actual: int) -> bool:
    """True if an open tally excuses the difference: while it runs any, afterwards only more than it says."""
    return some_open and (evidence.running or actual >= expected)


def _fits(expected: int, actual: int, in_flight: int) -> bool:
    """True if no more is missing than is in flight, and nothing is there beyond what is expected."""
    return 0 <= expected - actual <= in_flight


def _pairs_of_closed_runs(evidence: Evidence) -> Iterator[Pair]:
    """The same for the runs whose tally is closed; malformed records cannot be attributed to a run."""
    tallies = [run.tally for run in evidence.runs if run.closed]
    names = [name for tally in tallies for name in tally.last_sequence]
    events, sequences = sum(tally.events for tally in tallies), evidence.topic.sequences
    if evidence.topic.expired:
        archived = sum(evidence.producers[name].sequences for name in names if name in evidence.producers)
        pending = sum(len(evidence.topic.pending.get(name, ())) for name in names)
        yield "events of finished runs sent and archived", events, archived, _fits(events, archived, pending)
        return
    yield "events of finished runs sent and in Kafka", events, sequences.events(*names), False
    copies = sequences.records(*names) - sequences.events(*names)
    duplicates = sum(tally.duplicates for tally in tallies)
    yield "duplicates of finished runs sent and in Kafka", duplicates, copies, False
