"""Archive sink: loads micro-batches of the archive query into the warehouse, and misfits into the rejected topic."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tenacity import Retrying, retry_if_exception_type, stop_when_event_set, wait_exponential

from rtlib.broker.record_fetch import RecordFetch
from rtlib.broker.rejected import RejectedPublisher
from rtlib.config import Settings
from rtlib.errors import ServiceError, WarehouseError
from rtlib.limits import MAX_EVENT_BYTES
from rtlib.records import Rejected
from rtlib.streaming.queries import ARCHIVE, ArchiveBatch
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.ingest import Batch, apply_batch, by_bytes

if TYPE_CHECKING:
    import pandas as pd


class ArchiveSink:
    """Applies batches in sequence; waits while the warehouse is down, so that the other query keeps running.

    Args:
        settings: Where the warehouse and the broker are.
        stop: Once set, a batch no longer waits for the warehouse; it is repeated after the next start.
    """

    def __init__(self, settings: Settings, *, stop: threading.Event) -> None:
        self._settings = settings
        self._warehouse = Warehouse(settings)
        self._publisher = RejectedPublisher(settings)
        self._stop = stop
        self._applied: object = None
        self._lock = threading.Lock()  # a query stopped within a batch may restart the batch before it has ended

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._publisher.close()
        self._warehouse.close()

    def apply(self, batch: ArchiveBatch) -> None:
        """Load the batch into the warehouse once, then publish its misfits.

        The warehouse ignores a batch that is already in its ledger, so a batch that Spark repeats changes nothing.
        Rejected records are published afterwards: a crash in between repeats them on the topic, where source partition
        and offset identify the copies; RAW.REJECTED holds each once.

        Raises:
            WarehouseError: The warehouse refused the batch, and the application is stopping.
            ServiceError: The broker did not deliver or accept a misfit, and the application is stopping.
            StreamError: Kafka deleted a large record before it was archived.
        """
        retrying = Retrying(
            retry=retry_if_exception_type((WarehouseError, ServiceError)),
            wait=wait_exponential(multiplier=0.5, max=5),
            stop=stop_when_event_set(self._stop),
            reraise=True,
        )
        identity = (batch.batch_id, dict(batch.offsets_from), dict(batch.offsets_to))
        with self._lock, RecordFetch(self._settings, self._settings.topic("events")) as fetch:
            if identity == self._applied:  # the query restarted before Spark could record the batch as complete
                return
            content = Batch(
                query=ARCHIVE,
                domain=self._settings.domain,
                batch_id=batch.batch_id,
                events=batch.events,
                rejected=batch.rejected,
                offsets_from=batch.offsets_from,
                offsets_to=batch.offsets_to,
            )
            retrying(self._warehouse.run, apply_batch, content)
            for rows in by_bytes(batch.rejected):
                retrying(self._publish, rows, fetch)
            self._applied = identity

    def _publish(self, rows: pd.DataFrame, fetch: RecordFetch) -> None:
        """Publish some misfits and wait for the acknowledgements: kafka-python's buffer has no limit of its own."""
        self._publisher.publish(
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


def with_payloads(fetch: RecordFetch, rows: pd.DataFrame) -> pd.DataFrame:
    """Misfits with complete payloads: where the query kept only the beginning, the record is read from the topic."""
    truncated = rows[rows["payload_bytes"] > MAX_EVENT_BYTES]
    if truncated.empty:
        return rows
    places = zip(truncated["kafka_partition"].astype(int), truncated["kafka_offset"].astype(int), strict=True)
    payloads = dict(zip(truncated.index, fetch.values(places), strict=True))
    return rows.assign(payload=[payloads.get(index, payload) for index, payload in rows["payload"].items()])
