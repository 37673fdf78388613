"""Batch size: how many records the archive query takes in a batch, by what those weigh that are still to be archived.

Spark's Kafka source takes a limit in records and none in bytes. So the broker is asked each second how far the topic
reaches and how large its files are: two such samples tell what a record between them weighs.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from kafka.errors import KafkaError

from rtlib.broker.topic_size import TopicSize
from rtlib.config import Settings
from rtlib.errors import RtlibError

log = logging.getLogger(__name__)
MOST_ROWS = 60_000  # some 30 MB of usual events
BATCH_BYTES = {"laptop": 128 * 1024 * 1024, "small": 64 * 1024 * 1024}
STEP = 4  # the limit is divided by it: each change starts the query again
LEAST_ROWS = 14
LOOK_SECONDS = 1.0
SAMPLES = 600
HAND_OVER_SECONDS = 5.0  # how long the end of a batch waits for the query's new start


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the topic reached at a moment (the sum over its partitions), and how many bytes it had."""

    end: int
    size: int


class BatchSize:
    """The limit in records, and whether the query must be started again to have another one.

    Attributes:
        rows: The limit.

    Args:
        settings: Which topic, and the memory profile.
        topic: Asks the broker; a test gives samples of its own.
    """

    def __init__(self, settings: Settings, *, topic: TopicSize | None = None) -> None:
        self._topic = topic or TopicSize(settings, settings.topic("events"))
        self._most_bytes = BATCH_BYTES[settings.profile]
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._positions: dict[str, int] = {}
        self._looked = 0.0
        self._between, self._wanted, self._taken = threading.Event(), threading.Event(), threading.Event()
        self._between.set()
        self.rows = MOST_ROWS
        self._look()
        self.rows = self._fitting()

    def begin(self) -> None:
        """A batch begins: the query is not started again before its end."""
        self._between.clear()

    def end(self, offsets_to: Mapping[str, int]) -> None:
        """A batch has ended; when another limit is wanted, wait until the query is being stopped for it.

        Without that its next batch would be planned with the limit that no longer holds.
        """
        self._positions |= offsets_to
        self._between.set()
        if self._wanted.is_set():
            self._taken.wait(HAND_OVER_SECONDS)

    def changed(self) -> bool:
        """True once when the query is to be started again with another limit; a broker that is away changes nothing."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._look()
        rows = self._fitting()
        if rows == self.rows:
            self._wanted.clear()
            return False
        self._taken.clear()
        self._wanted.set()
        if not self._between.is_set():
            return False
        log.info("the archive query takes %d records in a batch, before: %d", rows, self.rows)
        self.rows = rows
        self._wanted.clear()
        self._taken.set()
        return True

    def close(self) -> None:
        """Leave the broker."""
        self._topic.close()

    def _look(self) -> None:
        self._looked = time.monotonic()
        try:
            if not self._samples:
                self._samples.append(Sample(self._topic.begin(), 0))
            newest = Sample(self._topic.end(), self._topic.size())
        except (RtlibError, KafkaError) as error:
            log.warning("what the topic weighs is not known: %s", error)
            return
        if newest.size < self._samples[-1].size:  # Kafka has deleted the oldest: begin anew
            self._samples = deque([Sample(self._topic.begin(), 0)], maxlen=SAMPLES)
        if newest.end > self._samples[-1].end:
            self._samples.append(newest)

    def _fitting(self) -> int:
        """The limit by which a batch has at most so many bytes, in steps; the most where all that waits fits in one."""
        waiting, heaviest = self._waiting()
        enough = self._most_bytes if self.rows == MOST_ROWS else self._most_bytes / STEP
        if waiting <= enough or heaviest <= 0:
            return MOST_ROWS
        rows = MOST_ROWS
        while rows > LEAST_ROWS and rows * heaviest > self._most_bytes:
            rows //= STEP
        return min(rows, self.rows) if self.rows != MOST_ROWS else rows

    def _waiting(self) -> tuple[float, float]:
        """The bytes that wait to be archived, and the most that a record among them weighs, as a mean of a second."""
        position = sum(self._positions.values())
        waiting = heaviest = 0.0
        for before, after in zip(self._samples, list(self._samples)[1:], strict=False):
            if after.end <= position:
                continue
            each = (after.size - before.size) / (after.end - before.end)
            waiting += each * (after.end - max(before.end, position))
            heaviest = max(heaviest, each)
        return waiting, heaviest
