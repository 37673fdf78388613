"""Reconcile: do all counts agree, from what the simulator sent to what the warehouse holds?"""

from __future__ import annotations

from dataclasses import dataclass

from rtlib.broker.topics import end_offsets
from rtlib.config import Settings
from rtlib.pipeline.tallies import total_tally
from rtlib.warehouse.connection import connect
from rtlib.warehouse.serve import compare_windows, counts


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """All counts of the domain since its state was last emptied, and every disagreement in words.

    Attributes:
        records_sent: Records that the simulator handed to Kafka.
        events_sent: Distinct events among them.
        duplicates_sent: Second copies among them.
        malformed_sent: Records among them that fit no schema.
        records_in_kafka: Where the events topic ends.
        archived: Events in RAW.EVENTS that came through Kafka.
        duplicates_removed: Second copies that the archive query left out.
        rejected: Records in RAW.REJECTED.
        kpi_rows: Rows of SPEED.KPIS: one for each site and window.
        kpi_events: Events counted in them.
        late_dropped: Events that the watermark kept out of their window; each of them arrived behind it.
        differences: What does not agree; empty when everything does.
    """

    records_sent: int
    events_sent: int
    duplicates_sent: int
    malformed_sent: int
    records_in_kafka: int
    archived: int
    duplicates_removed: int
    rejected: int
    kpi_rows: int
    kpi_events: int
    late_dropped: int
    differences: tuple[str, ...]

    @property
    def reconciles(self) -> bool:
        """True when nothing was lost and nothing doubled, and something was sent at all."""
        return not self.differences and self.records_sent > 0


def reconcile(settings: Settings) -> Reconciliation:
    """Hold every count against the simulator's own tally. Meaningful once the simulator has stopped.

    Raises:
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    tally = total_tally(settings)
    in_kafka = sum(end_offsets(settings, settings.topic("events")).values())
    connection = connect(settings)
    try:
        held = counts(connection, settings.domain)
        windows = compare_windows(
            connection,
            settings.domain,
            watermark_seconds=settings.watermark_seconds,
            window_seconds=settings.window_seconds,
        )
    finally:
        connection.close()
    agreements = (
        ("records sent and records in Kafka", tally.records, in_kafka),
        ("events sent and events archived", tally.events, held.live_events),
        ("duplicates sent and duplicates removed", tally.duplicates, held.duplicates),
        ("malformed records sent and records rejected", tally.malformed, held.rejected),
    )
    differences = [f"{what}: {one:,} and {other:,}" for what, one, other in agreements if one != other]
    differences += [
        f"{one.site} {one.window_start:%H:%M}: {one.raw_events} archived, {one.kpi_events} counted, "
        f"{one.may_be_late} behind the watermark"
        for one in windows.unexplained
    ]
    return Reconciliation(
        records_sent=tally.records,
        events_sent=tally.events,
        duplicates_sent=tally.duplicates,
        malformed_sent=tally.malformed,
        records_in_kafka=in_kafka,
        archived=held.live_events,
        duplicates_removed=held.duplicates,
        rejected=held.rejected,
        kpi_rows=held.kpi_rows,
        kpi_events=held.kpi_events,
        late_dropped=held.live_events - held.kpi_events,
        differences=tuple(differences),
    )
