"""Batch size: the record limit of the archive query's batches, from the size of the records still to be archived.

Spark's Kafka source limits a batch in records, not in bytes. So the end of the topic and the size of its files are
sampled every second: the records between two samples have a known mean size.
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
MAX_ROWS = 60_000  # some 30 MB of usual events
BATCH_BYTES = {"laptop": 128 * 1024 * 1024, "small": 32 * 1024 * 1024}
STEP = 2  # the limit shrinks by this factor: each change restarts the query
MIN_ROWS = 14
LOOK_SECONDS = 1.0
SAMPLES = 600
RESTART_SECONDS = 5.0  # limit for a finished batch to wait for the query's restart


@dataclass(frozen=True, slots=True)
class Sample:
    """The end of the topic at a moment (the sum over its partitions), and its size in bytes."""

    end: int
    size: int


class BatchSize:
    """The record limit of a batch, and the decision to restart the query with a new limit.

    Attributes:
        rows: The limit.

    Args:
        settings: Which topic, and the memory profile.
        topic: The source of samples, for tests; by default the events topic.
    """

    def __init__(self, settings: Settings, *, topic: TopicSize | None = None) -> None:
        self._topic = topic or TopicSize(settings, settings.topic("events"))
        self._max_bytes = BATCH_BYTES[settings.profile]
        self._samples: deque[Sample] = deque(maxlen=SAMPLES)
        self._positions: dict[str, int] = {}
        self._sampled = 0.0
        self._idle, self._restart, self._restarted = threading.Event(), threading.Event(), threading.Event()
        self._idle.set()
        self.rows = MAX_ROWS
        self._sample()
        self.rows = self._fitting()

    @property
    def is_reduced(self) -> bool:
        """True while large records are waiting, which take many batches."""
        return self.rows < MAX_ROWS

    def begin(self) -> None:
        """Mark the begin of a batch: the query does not restart before the batch has ended."""
        self._idle.clear()

    def end(self, offsets_to: Mapping[str, int]) -> None:
        """Mark the end of a batch; if the limit has to change, wait until the query is being stopped for it.

        Otherwise Spark would plan the next batch with the outdated limit.
        """
        self._positions |= offsets_to
        self._idle.set()
        if self._restart.is_set():
            self._restarted.wait(RESTART_SECONDS)

    def changed(self) -> bool:
        """True once after each change of the limit, between batches; an unreachable broker counts as unchanged."""
        if time.monotonic() - self._sampled >= LOOK_SECONDS:
            self._sample()
        rows = self._fitting()
        if rows == self.rows:
            self._restart.clear()
            return False
        self._restarted.clear()
        self._restart.set()
        if not self._idle.is_set():
            return False
        log.info("the archive query now takes %d records per batch, before: %d", rows, self.rows)
        self.rows = rows
        self._restart.clear()
        self._restarted.set()
        return True

    def close(self) -> None:
        """Disconnect from the broker."""
        self._topic.close()

    def _sample(self) -> None:
        self._sampled = time.monotonic()
        try:
            if not self._samples:
                self._samples.append(Sample(self._topic.begin(), 0))
            newest = Sample(self._topic.end(), self._topic.size())
        except (RtlibError, KafkaError) as error:
            log.warning("the size of the topic is unknown: %s", error)
            return
        if newest.size < self._samples[-1].size:  # Kafka has deleted the oldest records: begin anew
            self._samples = deque([Sample(self._topic.begin(), 0)], maxlen=SAMPLES)
        if newest.end > self._samples[-1].end:
            self._samples.append(newest)

    def _fitting(self) -> int:
        """The limit at which a batch stays below its bytes, in steps; the maximum if everything fits in a batch."""
        waiting, heaviest = self._waiting()
        enough = self._max_bytes if self.rows == MAX_ROWS else self._max_bytes / STEP
        if waiting <= enough or heaviest <= 0:
            return MAX_ROWS
        rows = MAX_ROWS
        while rows > MIN_ROWS and rows * heaviest > self._max_bytes:
            rows //= STEP
        return min(rows, self.rows) if self.rows != MAX_ROWS else rows

    def _waiting(self) -> tuple[float, float]:
        """The bytes still to be archived, and the largest mean size of a record between two samples among them."""
        position = sum(self._positions.values())
        waiting = heaviest = 0.0
        for before, after in zip(self._samples, list(self._samples)[1:], strict=False):
            if after.end <= position:
                continue
            mean = (after.size - before.size) / (after.end - before.end)
            waiting += mean * (after.end - max(before.end, position))
            heaviest = max(heaviest, mean)
        return waiting, heaviest
