"""Sequence counts: how often each event is in a topic, by producer and sequence.

A byte for each sequence up to the highest would do for the simulator, which leaves no gap. But any producer may send
an event numbered a hundred million. So the bytes come in small pages, and a page is allocated with its first event:
memory grows with the number of events alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict

PAGE = 256  # sequences: a lone event costs some 400 bytes, about its own size; in a full page an event costs one
MAX_COUNT = 255  # fits into a byte


class SequenceCounts:
    """Counts events as they are read; mutable, because a topic holds millions of them."""

    def __init__(self) -> None:
        self._pages: defaultdict[str, dict[int, bytearray]] = defaultdict(dict)
        self._records, self._events = Counter[str](), Counter[str]()

    def add(self, producer: str, sequence: int) -> bool:
        """Count an event; returns True if it was counted before."""
        number, index = divmod(sequence, PAGE)
        pages = self._pages[producer]
        page = pages.get(number)
        if page is None:
            page = pages[number] = bytearray(PAGE)
        before = page[index]
        page[index] = min(MAX_COUNT, before + 1)
        self._records[producer] += 1
        self._events[producer] += not before
        return before > 0

    def holds(self, producer: str, sequence: int) -> bool:
        """True if this event was counted."""
        number, index = divmod(sequence, PAGE)
        page = self._pages.get(producer, {}).get(number)
        return page is not None and page[index] > 0

    def last(self, producer: str, *, up_to: int | None = None) -> int:
        """The highest sequence of a producer, or the highest that is at most ``up_to``; -1 if there is none."""
        pages = self._pages.get(producer, {})
        for number in sorted(pages, reverse=True):
            for index in reversed(range(PAGE)):
                sequence = number * PAGE + index
                if pages[number][index] and (up_to is None or sequence <= up_to):
                    return sequence
        return -1

    def records(self, *producers: str) -> int:
        """All copies of the events of these producers."""
        return sum(self._records[producer] for producer in producers)

    def events(self, *producers: str) -> int:
        """Distinct events of these producers."""
        return sum(self._events[producer] for producer in producers)

    @property
    def producers(self) -> frozenset[str]:
        """The producers of all counted events."""
        return frozenset(self._pages)
