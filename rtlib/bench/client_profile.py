"""Client profile: the processor time of a record in a Kafka client, by thread and by function."""

from __future__ import annotations

import time
from collections.abc import Sequence
from cProfile import Profile
from dataclasses import dataclass
from pathlib import Path

HotSpot = tuple[str, float]  # name of a function, its share of the time


@dataclass(frozen=True, slots=True)
class Speed:
    """Throughput of a client, and its processor time for a record.

    Attributes:
        rate: Records per second.
        own_us: Microseconds of processor time per record in the calling thread.
        beside_us: The same in all other threads, which belong to the client.
    """

    rate: float
    own_us: float
    beside_us: float


class Clock:
    """Wall time, and processor time of this thread and of all threads, since the object was made."""

    def __init__(self) -> None:
        self._began = self._now()

    def speed(self, count: int) -> Speed:
        """The speed if ``count`` records were sent since then."""
        wall, own, all_threads = (now - began for now, began in zip(self._now(), self._began, strict=True))
        return Speed(count / wall, own / count * 1e6, max(0.0, all_threads - own) / count * 1e6)

    @staticmethod
    def _now() -> tuple[float, float, float]:
        return time.perf_counter(), time.thread_time(), time.process_time()


def hottest(profile: Profile, *, count: int = 5) -> list[HotSpot]:
    """The functions with most time of their own (without callees), with their shares of the total."""
    profile.create_stats()
    own_time = {_name(*function): numbers[2] for function, numbers in profile.stats.items()}
    total = sum(own_time.values()) or 1.0
    return [(name, own_time[name] / total) for name in sorted(own_time, key=own_time.__getitem__, reverse=True)[:count]]


def _name(path: str, line: int, function: str) -> str:
    """Module and name of a function; a function in C has no file."""
    return function.strip("<>") if path == "~" else f"{Path(path).stem}.{function}"


def reason(ours: Speed, theirs: Speed, spots: Sequence[HotSpot], *, records: int) -> str:
    """Explain the speed of kafka-python by the figures of one run. Pure."""
    functions = ", ".join(f"{name} {share:.0%}" for name, share in spots)
    return (
        f"a record costs kafka-python {ours.own_us:.1f} µs of processor time in the calling thread and "
        f"{ours.beside_us:.1f} µs in its sender thread, confluent-kafka {theirs.own_us:.1f} and "
        f"{theirs.beside_us:.1f} µs; top functions in the calling thread, by a profile of {records:,} records: "
        f"{functions}"
    )
