"""Lag: how far a path is behind the load during a step, and whether the lag grows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC

from rtlib.config import Settings
from rtlib.warehouse.connection import connect, query

Point = tuple[float, float]  # seconds since 1970, lag in seconds
Archived = tuple[float, int]  # seconds since 1970, records of the topic that RAW held
LOOK_SECONDS = 0.5
FEWEST = 5  # points needed for a trend


def archived(settings: Settings) -> list[Archived]:
    """The records that RAW held after each transaction of the archive query, by the ledger of its batches."""
    sql = "select offsets_to, applied_at from RAW.BATCHES where domain = ? and query = 'archive' order by applied_at"
    with closing(connect(settings)) as connection:
        rows = query(connection, sql, (settings.domain,))
    return [(row["applied_at"].replace(tzinfo=UTC).timestamp(), _records(row["offsets_to"])) for row in rows]


def _records(offsets: str) -> int:
    return sum(json.loads(offsets).values())


def lags(sent_at: Sequence[float], archived: Sequence[Archived], *, before: int) -> list[Point]:
    """The age of the oldest event that RAW did not hold yet, each half second while events were sent. Pure.

    Args:
        sent_at: Scheduled time of each event, rising.
        archived: Records that RAW held, by rising time.
        before: Number of records that the topic held before these events.
    """
    points, index, held, now = [], 0, 0, sent_at[0]
    while now <= sent_at[-1]:
        while index < len(archived) and archived[index][0] <= now:
            held, index = max(held, archived[index][1] - before), index + 1
        oldest = sent_at[held] if held < len(sent_at) else now
        points.append((now, max(0.0, now - oldest)))
        now += LOOK_SECONDS
    return points


def lag_trend(points: Sequence[Point]) -> float:
    """The rise of a lag over the second half of its points, in seconds; NaN for fewer than ``FEWEST`` points. Pure.

    The slope is that of Theil and Sen, the median of the slopes between any two points. Batches and pauses, which come
    and go, hardly change it; a path that is too slow for its load does.
    """
    from scipy.stats import theilslopes

    half = [point for point in points if point[0] >= (points[0][0] + points[-1][0]) / 2]
    if len(half) < FEWEST:
        return float("nan")
    times, behind = zip(*half, strict=True)
    return round(float(theilslopes(behind, times).slope * (times[-1] - times[0])), 2)
