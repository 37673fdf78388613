"""Layout: the local day and slot of each row of a series.

Every series is laid out in one time zone: that of its moments, or UTC if they have several. Moments without a time zone
count as UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rtlib.forecast.clock import Clock, clock

if TYPE_CHECKING:
    import pandas as pd

MINUTE = 60  # seconds


def laid_out(rows: pd.DataFrame, interval_minutes: int) -> pd.DataFrame:
    """Add the local ``day`` and ``slot`` of each row, and the ``phase`` of its series.

    A moment begins an interval if the local clock shows a multiple of the interval, or if the clock skipped that time
    (then the interval begins at the change). In a zone whose change is no multiple of the interval, as the half hour of
    Lord Howe for intervals of an hour, a series may also continue in even steps over the change: then the clock shows
    another minute before and after it, and the series has a ``phase``.

    Args:
        rows: ``unique_id``, ``ds`` (UTC, without a time zone) and ``time_zone`` (a name, or None).
        interval_minutes: Length of an interval.

    Returns:
        The rows with ``time_zone`` (one in each series), ``day``, ``slot`` (minutes after midnight), ``phase``
        (minutes, NaN without one) and ``begins``: False for a row that does not begin an interval.
    """
    import pandas as pd

    zones = rows.groupby("unique_id")["time_zone"].agg(_one_zone).to_dict()
    rows = rows.assign(time_zone=rows["unique_id"].map(zones))
    parts = [_in_zone(part, interval_minutes) for _, part in rows.groupby("time_zone", dropna=False, sort=False)]
    return pd.concat(parts).sort_index()


def _one_zone(names: pd.Series) -> object:
    return names.iloc[0] if names.nunique(dropna=False) == 1 else "UTC"


def _in_zone(rows: pd.DataFrame, interval_minutes: int) -> pd.DataFrame:
    import pandas as pd

    place, wall = _clock(rows), rows["ds"]
    utc = rows["ds"].to_numpy(dtype="datetime64[s]").astype(np.int64)
    if place:
        wall = wall + pd.to_timedelta(place.wall(utc) - utc, unit="s")
    minutes = (wall - wall.dt.normalize()) / pd.Timedelta(minutes=1)
    off = minutes % interval_minutes
    slot = (minutes - off).astype(int)
    rows = rows.assign(day=wall.dt.date, slot=slot, phase=np.nan, begins=off == 0)
    if place and not rows["begins"].all():
        midnight = wall.dt.normalize().to_numpy(dtype="datetime64[s]").astype(np.int64)
        begins_late = place.first(midnight + slot.to_numpy(dtype=np.int64) * MINUTE) == utc
        rows["begins"] |= begins_late & (rows["ds"].dt.floor("s") == rows["ds"])
        return _with_phases(rows, place, interval_minutes)
    return rows


def _clock(rows: pd.DataFrame) -> Clock | None:
    """The clock of the rows' time zone; None for UTC, whose clock shows ``ds``."""
    name = rows["time_zone"].iloc[0]
    years = rows["ds"].dt.year
    return None if name is None or name == "UTC" else clock(str(name), (int(years.min()), int(years.max())))


def _with_phases(rows: pd.DataFrame, place: Clock, interval_minutes: int) -> pd.DataFrame:
    """Accept the series that continue in even steps, one of which the clock shows as a multiple of the interval."""
    import pandas as pd

    length = interval_minutes * MINUTE
    possible = set((-place.offsets % length).tolist())
    utc = rows["ds"].to_numpy(dtype="datetime64[us]").astype(np.int64)
    steps = pd.Series(utc % (length * 1_000_000) / 1_000_000, index=rows.index)
    for name in rows.loc[~rows["begins"], "unique_id"].unique():
        own = rows["unique_id"] == name
        (phase, *others) = steps[own].unique()
        if not others and phase in possible:
            rows.loc[own, "phase"], rows.loc[own, "begins"] = phase / MINUTE, True
    return rows
