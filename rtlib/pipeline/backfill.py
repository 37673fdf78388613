"""History: weeks of past events in one go, straight into the warehouse, so that batch lessons have data at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline import batch_log
from rtlib.pipeline.provision import provision
from rtlib.simulator import history
from rtlib.warehouse import ingest
from rtlib.warehouse.connection import connect


def backfill(settings: Settings, *, days: int = 28, per_day: int = 5_000) -> int:
    """Load simulated history that ends at the last midnight (UTC).

    A day of which the warehouse holds history already is left as it is, whatever it was made with: done twice, or
    tomorrow, or with other arguments, no day is counted double.

    It does not pass through Kafka: month-old events would only be dropped by the watermark there, which is why real
    platforms load history by the batch path too.

    Args:
        settings: Which domain and which seed.
        days: How many days.
        per_day: Events a day, on average; of the days that are new.

    Returns:
        How many events were new.
    """
    provision(settings)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = {(midnight - timedelta(days=back)).date() for back in range(1, days + 1)}
    return load_days(settings, wanted, per_day=per_day)


def load_days(settings: Settings, days: Collection[date], *, per_day: int) -> int:
    """Load the history of these days (UTC), but for those of which the warehouse holds history already.

    Each day is drawn for itself: the same seed and density bring the same events, whichever days are loaded with it.

    Returns:
        How many events were new.
    """
    domain = load_domain(settings.domain)
    connection = connect(settings)
    try:
        missing = sorted(set(days) - ingest.history_days(connection, settings.domain))
        batch_log.note_history(settings, missing, per_day=per_day)
        ends = (datetime.combine(day + timedelta(days=1), time(), UTC) for day in missing)
        drawn = (history(domain, seed=settings.seed, until=end, days=1, per_day=per_day) for end in ends)
        events = (event for day in drawn for event in day)
        return ingest.backfill(connection, events, domain=settings.domain)
    finally:
        connection.close()
