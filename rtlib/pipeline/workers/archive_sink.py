"""Archive: brings a micro-batch of the archive query into the warehouse, and its misfits to the rejected topic."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential

from rtlib.broker.client import client_options
from rtlib.broker.errors import broker_errors
from rtlib.broker.record_fetch import RecordFetch
from rtlib.broker.rejected import publish
from rtlib.broker.topic_specs import MAX_REJECTED_BYTES
from rtlib.config import Settings
from rtlib.errors import ServiceError, WarehouseError
from rtlib.limits import MAX_EVENT_BYTES
from rtlib.records import Rejected
from rtlib.streaming.queries import ARCHIVE, ArchiveBatch
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.ingest import Batch, apply_batch, by_bytes

if TYPE_CHECKING:
    import pandas as pd
    from kafka import KafkaProducer


class ArchiveSink:
    """Applies batches one after another; waits out a warehouse that is down, so that the other query goes on.

    Args:
        settings: Where the warehouse and the broker are.
        stop: Once it is set, a batch no longer waits for the warehouse; it is tried again after the next start.
    """

    def __init__(self, settings: Settings, *, stop: threading.Event) -> None:
        from kafka import KafkaProducer

        self._settings = settings
        self._warehouse = Warehouse(settings)
        options = {**client_options(settings), "max_request_size": MAX_REJECTED_BYTES}
        self._producer: KafkaProducer = KafkaProducer(**options)
        self._stop = stop
        self._done: object = None
        self._one_at_a_time = threading.Lock()  # a query that was stopped in a batch may begin it again before its end

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.close(timeout=5)
        self._warehouse.close()

    def apply(self, batch: ArchiveBatch) -> None:
        """Bring the batch into the warehouse once, then publish its misfits.

        The warehouse refuses a batch that its ledger knows, so a batch that Spark repeats changes nothing there.
        Rejected records are published after that: a crash in between repeats them on the topic, where their source
        partition and offset tell the copies apart; RAW.REJECTED holds each once.

        Raises:
            WarehouseError: The warehouse refused it, and the application is stopping.
            ServiceError: The broker does not answer for a large record, and the application is stopping.
            StreamError: Kafka has deleted a large record before it was archived.
        """
        retrying = Retrying(
            retry=retry_if_exception_type((WarehouseError, ServiceError)),
            wait=wait_exponential(multiplier=0.5, max=5),
            stop=stop_when_event_set(self._stop),
            reraise=True,
        )
        this = (batch.batch_id, dict(batch.offsets_from), dict(batch.offsets_to))
        with self._one_at_a_time, RecordFetch(self._settings, self._settings.topic("events")) as fetch:
            if this == self._done:  # Spark had no time to write that it was done, for the query was started again
                return
            job = Batch(
                query=ARCHIVE,
                domain=self._settings.domain,
                batch_id=batch.batch_id,
                events=batch.events,
                rejected=batch.rejected,
                offsets_from=batch.offsets_from,
                offsets_to=batch.offsets_to,
            )
            retrying(self._warehouse.run, lambda connection: apply_batch(connection, job))
            for rows in by_bytes(batch.rejected):
                retrying(self._publish, rows, fetch)
            self._done = this

    def _publish(self, rows: pd.DataFrame, fetch: RecordFetch) -> None:
        """Publish some misfits and wait until they are taken: kafka-python's buffer has no bound of its own."""
        with broker_errors(self._settings):
            refused = (
                Rejected(
                    payload=bytes(row["payload"] or b""),
                    reason=row["reason"],
                    field=row["field"] or "",
                    topic=row["topic"],
                    partition=int(row["kafka_partition"]),
                    offset=int(row["kafka_offset"]),
                )
                for row in with_payloads(fetch, rows).to_dict("records")
            )
            publish(self._producer, self._settings.topic("rejected"), refused)


def with_payloads(fetch: RecordFetch, rows: pd.DataFrame) -> pd.DataFrame:
    """Misfits with their whole payloads: those of which the query gave the beginning are read from the topic."""
    missing = rows[rows["payload_bytes"] > MAX_EVENT_BYTES]
    if missing.empty:
        return rows
    places = zip(missing["kafka_partition"].astype(int), missing["kafka_offset"].astype(int), strict=True)
    found = dict(zip(missing.index, fetch.values(places), strict=True))
    return rows.assign(payload=[found.get(place, one) for place, one in rows["payload"].items()])
