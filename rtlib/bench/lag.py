"""Lag: how far a path is behind the load in the course of a step, and whether it falls further behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC

from rtlib.config import Settings
from rtlib.warehouse.connection import connect, query

Point = tuple[float, float]  # seconds since 1970, seconds behind
Archived = tuple[float, int]  # seconds since 1970, how many records of the topic RAW had then
LOOK_SECONDS = 0.5
FEWEST = 5  # points that make a line


def archived(settings: Settings) -> list[Archived]:
    """How far RAW was after each of the archive's transactions, by the ledger of its batches."""
    sql = "select offsets_to, applied_at from RAW.BATCHES where domain = ? and query = 'archive' order by applied_at"
    connection = connect(settings)
    try:
        rows = query(connection, sql, (settings.domain,))
    finally:
        connection.close()
    return [(one["applied_at"].replace(tzinfo=UTC).timestamp(), _records(one["offsets_to"])) for one in rows]


def _records(offsets: str) -> int:
    return sum(json.loads(offsets).values())


def lags(sent_at: Sequence[float], archived: Sequence[Archived], *, before: int) -> list[Point]:
    """How old the oldest event was that RAW did not hold yet, each half second while events were sent. Pure.

    Args:
        sent_at: When each event was to be sent, in order.
        archived: How far RAW was when, in order.
        before: How many records the topic held before these events.
    """
    points, place, held, now = [], 0, 0, sent_at[0]
    while now <= sent_at[-1]:
        while place < len(archived) and archived[place][0] <= now:
            held, place = max(held, archived[place][1] - before), place + 1
        oldest = sent_at[held] if held < len(sent_at) else now
        points.append((now, max(0.0, now - oldest)))
        now += LOOK_SECONDS
    return points


def lag_trend(points: Sequence[Point]) -> float:
    """By how many seconds a lag rises over the second half of its points; not a number where they are too few. Pure.

    The slope is the median of the slopes between any two of them (Theil and Sen): what comes and goes, as batches do
    and a pause does, weighs little, and a path that takes less than it is given shows.
    """
    import numpy as np

    late = [one for one in points if one[0] >= (points[0][0] + points[-1][0]) / 2]
    if len(late) < FEWEST:
        return float("nan")
    times, behind = np.array(late).T
    one, other = np.triu_indices(len(times), 1)
    slope = np.median((behind[other] - behind[one]) / (times[other] - times[one]))
    return round(float(slope * (times[-1] - times[0])), 2)
