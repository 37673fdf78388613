"""Copies: how often each event is in a topic, by producer and sequence, in memory that grows with the events alone.

A byte for each sequence up to the highest would do for the simulator, which leaves no gap. But anybody may send one
event that is numbered with a hundred million. So the bytes come in small pages, and a page is made when an event of
it is seen.
"""

from __future__ import annotations

from collections import Counter, defaultdict

PAGE = 256  # sequences: a lone event costs some 400 bytes, which is about its own size; one among many costs one
MOST = 255  # what a byte holds


class SequenceCounts:
    """Counts events as they are read; it changes in place, because it is asked for each of millions."""

    def __init__(self) -> None:
        self._pages: defaultdict[str, dict[int, bytearray]] = defaultdict(dict)
        self._records, self._events = Counter[str](), Counter[str]()

    def add(self, producer: str, sequence: int) -> bool:
        """Count one event; True when it was there before."""
        number, place = divmod(sequence, PAGE)
        pages = self._pages[producer]
        page = pages.get(number)
        if page is None:
            page = pages[number] = bytearray(PAGE)
        before = page[place]
        page[place] = min(MOST, before + 1)
        self._records[producer] += 1
        self._events[producer] += not before
        return before > 0

    def holds(self, producer: str, sequence: int) -> bool:
        """True when this event is there."""
        number, place = divmod(sequence, PAGE)
        page = self._pages.get(producer, {}).get(number)
        return page is not None and page[place] > 0

    def last(self, producer: str, *, up_to: int | None = None) -> int:
        """The highest sequence of a producer, or the highest that is at most ``up_to``; -1 where there is none."""
        pages = self._pages.get(producer, {})
        for number in sorted(pages, reverse=True):
            for place in reversed(range(PAGE)):
                sequence = number * PAGE + place
                if pages[number][place] and (up_to is None or sequence <= up_to):
                    return sequence
        return -1

    def records(self, *producers: str) -> int:
        """All copies of the events of these producers."""
        return sum(self._records[one] for one in producers)

    def events(self, *producers: str) -> int:
        """Distinct events of these producers."""
        return sum(self._events[one] for one in producers)

    @property
    def producers(self) -> frozenset[str]:
        """Who sent any."""
        return frozenset(self._pages)
