"""Table: validation of the table of series that a user passes in.

No row is dropped silently: an unusable row is refused with its series, its value and the cure. The only exception is a
missing ``y``, which means that nothing was counted; a series without any value is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from rtlib.errors import ConfigError
from rtlib.forecast.clock import zone_name
from rtlib.forecast.layout import laid_out

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("unique_id", "ds", "y")
DAY_MINUTES = 24 * 60
YEARS = range(1900, 2201)
MOST = 1e12  # largest count; sums of such numbers are exact
SHOWN = 60  # characters of a value in an error message


def checked(frame: Any, interval_minutes: Any) -> pd.DataFrame:
    """Validate a table of series.

    Args:
        frame: Columns ``unique_id``, ``ds`` and ``y``; see ``grids``.
        interval_minutes: Length of an interval.

    Returns:
        The rows with a value: ``unique_id`` as text, ``ds`` in UTC without a time zone, ``y``, and the columns of
        ``laid_out``.

    Raises:
        ConfigError: A row cannot be used; with its series, its value and the cure.
    """
    import pandas as pd

    _check_form(frame, interval_minutes)
    names = _names(frame)
    moments, zones = _moments(frame)
    rows = pd.DataFrame({"unique_id": names, "ds": moments, "y": _counts(frame), "time_zone": zones})
    rows = rows.reset_index(drop=True)
    years = rows["ds"].dt.year
    far = ~years.between(YEARS[0], YEARS[-1])
    _refuse(rows, far, f"is not between {YEARS[0]} and {YEARS[-1]}", "correct the year, or leave the row out")
    _refuse_empty_series(rows)
    rows = rows[rows["y"].notna()]
    _refuse(rows, rows.duplicated(["unique_id", "ds"]), "is there twice", "add up the rows of an interval first")
    _refuse(rows, ~np.isfinite(rows["y"]) | (rows["y"] < 0), "is negative or infinite", "counts are 0 or more")
    _refuse(rows, rows["y"] > MOST, "is too large for a count", f"counts are at most {MOST:g}")
    rows = laid_out(rows, interval_minutes)
    off = f"does not begin an interval of {interval_minutes} minutes"
    _refuse(rows, ~rows["begins"], off, "round ds down to its interval")
    return rows


def _check_form(frame: Any, interval_minutes: Any) -> None:
    import pandas as pd

    whole = isinstance(interval_minutes, int | np.integer) and not isinstance(interval_minutes, bool)
    if not whole or interval_minutes <= 0 or DAY_MINUTES % interval_minutes:
        raise ConfigError(f"an interval of {interval_minutes} minutes", cure="give one that divides a day, as 30")
    if not isinstance(frame, pd.DataFrame):
        raise ConfigError(f"the series come as {type(frame).__name__}", cure="give a pandas.DataFrame")
    for name in COLUMNS:
        times = list(frame.columns).count(name)
        if times == 0:
            raise ConfigError(f"the table has no column {name!r}", cure=f"give the columns {', '.join(COLUMNS)}")
        if times > 1:
            raise ConfigError(f"the table has {times} columns {name!r}", cure="drop or rename all but one")
    if frame.empty:
        raise ConfigError("the table has no rows: there is nothing to forecast from", cure="rtlib backfill")


def _names(frame: pd.DataFrame) -> pd.Series:
    nameless = [_is_missing(name) for name in frame["unique_id"]]
    if any(nameless):
        index = nameless.index(True)
        row = frame.iloc[index]
        raise ConfigError(
            f"row {index} has no unique_id ({row['unique_id']}): ds = {_shown(row['ds'])}, y = {_shown(row['y'])}",
            cure="name its series, or leave the row out: frame.dropna(subset=['unique_id'])",
        )
    return frame["unique_id"].astype(object).map(str)


def _counts(frame: pd.DataFrame) -> pd.Series:
    """Counts as float, NaN if missing; text and booleans are refused."""
    import pandas as pd

    y = frame["y"]
    if pd.api.types.is_numeric_dtype(y) and not pd.api.types.is_bool_dtype(y) and not np.iscomplexobj(y):
        return pd.Series(y.to_numpy(dtype="float64", na_value=np.nan), index=y.index)
    values = list(y)
    for index, value in enumerate(values):
        if not (_is_missing(value) or _is_number(value)):
            raise ConfigError(
                f"{_where(frame, index)}: y = {_shown(value)} is {type(value).__name__}, and not a count",
                cure="give numbers; pandas.to_numeric(frame['y']) converts text",
            )
    return pd.Series([np.nan if _is_missing(value) else float(value) for value in values], index=frame.index)


def _moments(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Moments in UTC without a time zone, and the name of the time zone of each, None without one.

    Text in ISO 8601 and dates are parsed, numbers are refused.
    """
    import pandas as pd

    ds = frame["ds"]
    if pd.api.types.is_datetime64_any_dtype(ds):
        zones = [zone_name(ds.dt.tz)] * len(ds)
    else:
        given = [_moment(frame, index, value) for index, value in enumerate(ds)]
        _refuse_mixture(frame, given)
        zones = _zone_names(given)
        ds = pd.to_datetime(pd.Series([moment.isoformat() for moment in given]), utc=True, format="ISO8601")
        ds = ds.set_axis(frame.index)
    if ds.isna().any():
        index = int(np.argmax(ds.isna()))
        raise ConfigError(f"{_where(frame, index)}: ds is missing", cure="give the moment, or leave the row out")
    ds = ds.dt.tz_convert("UTC").dt.tz_localize(None) if ds.dt.tz is not None else ds
    return ds, pd.Series(zones, index=frame.index, dtype=object)


def _zone_names(moments: Sequence[pd.Timestamp]) -> list[str | None]:
    places = {id(moment.tzinfo): moment.tzinfo for moment in moments}  # some time zones cannot be hashed
    names = {key: zone_name(place) for key, place in places.items()}
    return [names[id(moment.tzinfo)] for moment in moments]


def _moment(frame: pd.DataFrame, index: int, value: object) -> Any:
    """Parse a value of a column that is not of a datetime type."""
    import pandas as pd

    try:
        if _is_missing(value) or isinstance(value, Real | Decimal):
            raise ValueError("not a moment")
        moment: Any = pd.Timestamp(value)  # type: ignore[arg-type]
        if moment is pd.NaT or moment.year not in YEARS:
            raise ValueError("not a moment")
    except (ValueError, TypeError, OverflowError):  # pandas' own errors are among them
        raise ConfigError(
            f"{_where(frame, index)}: ds = {_shown(value)} is not a moment between {YEARS[0]} and {YEARS[-1]}",
            cure="give datetimes, or text as 2026-01-05T12:30; pandas.to_datetime(..., unit='s') converts numbers",
        ) from None
    return moment


def _refuse_mixture(frame: pd.DataFrame, moments: Sequence[pd.Timestamp]) -> None:
    """Several time zones are fine; a moment without a time zone among others with one is ambiguous."""
    naive = [moment.tzinfo is None for moment in moments]
    if any(naive) and not all(naive):
        index = naive.index(True)
        raise ConfigError(
            f"{_where(frame, index)}: ds = {moments[index]} has no time zone, and others have one",
            cure="give all of them a time zone (tz_localize), or none",
        )


def _refuse_empty_series(rows: pd.DataFrame) -> None:
    values = rows["y"].notna().groupby(rows["unique_id"]).agg(["sum", "size"])
    empty = values[values["sum"] == 0]
    if len(empty):
        more = f", and {len(empty) - 1} more series" if len(empty) > 1 else ""
        raise ConfigError(
            f"series {empty.index[0]!r} has no value: y is missing in all of its {empty['size'].iloc[0]} rows{more}",
            cure="leave the series out, or give 0 where nothing was counted",
        )


def _refuse(rows: pd.DataFrame, wrong: pd.Series, what: str, cure: str) -> None:
    if wrong.any():
        row = rows[wrong].iloc[0]
        ds = row["ds"].tz_localize("UTC").tz_convert(row["time_zone"]) if row["time_zone"] else row["ds"]
        raise ConfigError(f"series {row['unique_id']!r}, {ds}: y = {row['y']:g} {what}", cure=cure)


def _is_missing(value: object) -> bool:
    import pandas as pd

    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def _where(frame: pd.DataFrame, index: int) -> str:
    return f"series {frame['unique_id'].iloc[index]!r}, row {index}"


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
