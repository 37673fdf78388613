"""History: weeks of past events in one go, straight into the warehouse, so that batch lessons have data at once."""

from __future__ import annotations

from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.prepare import prepare
from rtlib.simulator import history
from rtlib.warehouse import load
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
    prepare(settings)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    events = history(load_domain(settings.domain), seed=settings.seed, until=midnight, days=days, per_day=per_day)
    connection = connect(settings)
    try:
        held = load.history_days(connection, settings.domain)
        missing = (event for event in events if event.occurred_at.date() not in held)
        return load.backfill(connection, missing, domain=settings.domain)
    finally:
        connection.close()
