"""Copies count every event by its number, and cost what is there whatever the numbers are."""

from __future__ import annotations

import tracemalloc
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from rtlib.pipeline.copies import Copies

SEQUENCES = st.integers(0, 600) | st.integers(0, 2**53 - 1)
EVENTS = st.lists(st.tuples(st.sampled_from(["a", "b"]), SEQUENCES), max_size=60)


@given(events=EVENTS, bound=SEQUENCES)
def test_copies_count_as_a_counter_would(events: list[tuple[str, int]], bound: int) -> None:
    copies, plain = Copies(), Counter[tuple[str, int]]()
    for name, sequence in events:
        assert copies.add(name, sequence) == (plain[name, sequence] > 0)
        plain[name, sequence] += 1
    assert copies.producers == {name for name, _ in events}
    assert copies.records("a", "b") == len(events)
    assert copies.events("a", "b") == len(plain)
    for name in ("a", "b", "c"):
        mine = [sequence for one, sequence in plain if one == name]
        assert copies.last(name) == max(mine, default=-1)
        assert copies.last(name, up_to=bound) == max((one for one in mine if one <= bound), default=-1)
        assert [one for one in {bound, *range(9)} if copies.holds(name, one)] == [
            one for one in {bound, *range(9)} if one in mine
        ]


def test_more_than_a_byte_of_copies_is_counted() -> None:
    copies = Copies()
    for _ in range(1000):
        copies.add("a", 7)
    assert (copies.records("a"), copies.events("a")) == (1000, 1)


def megabytes(sequences: range | tuple[int, ...], producers: int = 1) -> float:
    tracemalloc.start()
    copies = Copies()
    for number in range(producers):
        for sequence in sequences:
            copies.add(f"producer-{number}", sequence)
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return size / 1e6


def test_an_event_with_a_huge_number_costs_no_more_than_another() -> None:
    assert megabytes((99_999_999, 2**53 - 1), producers=3) < 0.1


def test_a_long_run_costs_some_two_bytes_an_event() -> None:
    assert megabytes(range(100_000)) < 0.3
