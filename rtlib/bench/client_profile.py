"""Costs: the processor time that a record takes a client, by thread and, from a profile, by function."""

from __future__ import annotations

import time
from collections.abc import Sequence
from cProfile import Profile
from dataclasses import dataclass
from pathlib import Path

HotSpot = tuple[str, float]  # a function, and its share of the time


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a client is, and what a record costs it.

    Attributes:
        rate: Records per second.
        own_us: Microseconds of processor time a record, in the thread that hands records over.
        beside_us: The same in all other threads, which are the client's.
    """

    rate: float
    own_us: float
    beside_us: float


class Clock:
    """The time on the wall, of this thread and of all threads, from the moment this is made."""

    def __init__(self) -> None:
        self._began = self._now()

    def speed(self, count: int) -> Speed:
        """What so many records have taken since."""
        wall, own, all_threads = (now - began for now, began in zip(self._now(), self._began, strict=True))
        return Speed(count / wall, own / count * 1e6, max(0.0, all_threads - own) / count * 1e6)

    @staticmethod
    def _now() -> tuple[float, float, float]:
        return time.perf_counter(), time.thread_time(), time.process_time()


def hottest(profile: Profile, *, count: int = 5) -> list[HotSpot]:
    """The functions in which most time was spent, without what they called, and their shares of all of it."""
    profile.create_stats()
    spent = {_name(*where): numbers[2] for where, numbers in profile.stats.items()}
    total = sum(spent.values()) or 1.0
    return [(name, spent[name] / total) for name in sorted(spent, key=spent.__getitem__, reverse=True)[:count]]


def _name(path: str, line: int, function: str) -> str:
    """A function as people call it; for one in C there is no file."""
    return function.strip("<>") if path == "~" else f"{Path(path).stem}.{function}"


def reason(ours: Speed, theirs: Speed, spots: Sequence[HotSpot], *, records: int) -> str:
    """Why kafka-python is as fast as it is, in the figures of one run. Pure."""
    where = ", ".join(f"{name} {share:.0%}" for name, share in spots)
    return (
        f"a record costs kafka-python {ours.own_us:.1f} µs of processor time where it is handed over and "
        f"{ours.beside_us:.1f} µs in its sending thread, confluent-kafka {theirs.own_us:.1f} and "
        f"{theirs.beside_us:.1f} µs; most of the handing over, by a profile of {records:,} records: {where}"
    )
