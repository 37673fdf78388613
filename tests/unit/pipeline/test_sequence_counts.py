"""Sequence counts count every event by its number, in memory that depends only on the number of events."""

from __future__ import annotations

import tracemalloc
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rtlib.pipeline.audit.sequence_counts import SequenceCounts

SEQUENCES = st.integers(0, 600) | st.integers(0, 2**53 - 1)
EVENTS = st.lists(st.tuples(st.sampled_from(["a", "b"]), SEQUENCES), max_size=60)


@given(events=EVENTS, bound=SEQUENCES)
def test_sequences_are_counted_like_by_a_counter(events: list[tuple[str, int]], bound: int) -> None:
    counts, plain = SequenceCounts(), Counter[tuple[str, int]]()
    for name, sequence in events:
        assert counts.add(name, sequence) == (plain[name, sequence] > 0)
        plain[name, sequence] += 1
    assert counts.producers == {name for name, _ in events}
    assert counts.records("a", "b") == len(events)
    assert counts.events("a", "b") == len(plain)
    for name in ("a", "b", "c"):
        own = [sequence for producer, sequence in plain if producer == name]
        assert counts.last(name) == max(own, default=-1)
        assert counts.last(name, up_to=bound) == max((number for number in own if number <= bound), default=-1)
        assert [number for number in {bound, *range(9)} if counts.holds(name, number)] == [
            number for number in {bound, *range(9)} if number in own
        ]


def test_more_copies_than_fit_into_a_byte_are_counted() -> None:
    counts = SequenceCounts()
    for _ in range(1000):
        counts.add("a", 7)
    assert (counts.records("a"), counts.events("a")) == (1000, 1)


def megabytes(sequences: range | tuple[int, ...], producers: int = 1) -> float:
    tracemalloc.start()
    counts = SequenceCounts()
    for number in range(producers):
        for sequence in sequences:
            counts.add(f"producer-{number}", sequence)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / 1e6


def test_an_event_with_a_huge_number_takes_no_more_memory_than_another() -> None:
    assert megabytes((99_999_999, 2**53 - 1), producers=3) < 0.1


def test_a_long_run_takes_about_two_bytes_an_event() -> None:
    assert megabytes(range(100_000)) < 0.3
