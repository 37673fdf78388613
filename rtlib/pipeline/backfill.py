"""Backfill: weeks of simulated history, loaded into the warehouse so that the batch lessons have data at once."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
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

    Days that already have history in the warehouse are skipped, whatever their parameters, so no day is counted twice
    if the command is repeated.

    History does not pass through Kafka: the watermark would drop events that are months old, which is why real
    platforms also load history by the batch path.

    Args:
        settings: Which domain and which seed.
        days: The number of days.
        per_day: Events per day, on average, on the new days.

    Returns:
        The number of new events.
    """
    provision(settings)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    dates = {(midnight - timedelta(days=back)).date() for back in range(1, days + 1)}
    return load_days(settings, dates, per_day=per_day)


def load_days(settings: Settings, days: Collection[date], *, per_day: int) -> int:
    """Load the history of these days (UTC), except for days that already have history in the warehouse.

    Each day is drawn independently: the same seed and density give the same events, whichever days are loaded together.

    Returns:
        The number of new events.
    """
    domain = load_domain(settings.domain)
    with closing(connect(settings)) as connection:
        missing = sorted(set(days) - ingest.history_days(connection, settings.domain))
        batch_log.note_history(settings, missing, per_day=per_day)
        ends = (datetime.combine(day + timedelta(days=1), time(), UTC) for day in missing)
        drawn = (history(domain, seed=settings.seed, until=end, days=1, per_day=per_day) for end in ends)
        events = (event for day in drawn for event in day)
        return ingest.backfill(connection, events, domain=settings.domain)
