"""Table: a table of series as users have it, checked and brought into one form before anything is made of it.

Nothing is left out in silence: a row that cannot be used is refused with its series, its value and the cure. The one
exception is a missing ``y``, which means that nothing was counted there; a series of nothing else is refused too.
"""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from rtlib.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("unique_id", "ds", "y")
DAY_MINUTES = 24 * 60
YEARS = range(1900, 2201)
MOST = 1e12  # no interval counts more; sums of such numbers are still exact
SHOWN = 60  # characters of a wrong value in a message


def checked(frame: Any, interval_minutes: Any) -> pd.DataFrame:
    """The rows that have a value: ``unique_id`` as text, ``ds`` in UTC without a zone, ``y``, ``day`` and ``slot``.

    Args:
        frame: Columns ``unique_id``, ``ds`` and ``y``; see ``grids``.
        interval_minutes: How long an interval is.

    Raises:
        ConfigError: Something in it cannot be forecast from; with the series, the value and the cure.
    """
    import pandas as pd

    _check_form(frame, interval_minutes)
    told = pd.DataFrame({"unique_id": _names(frame), "ds": _moments(frame), "y": _counts(frame)}).reset_index(drop=True)
    years = told["ds"].dt.year
    far = ~years.between(YEARS[0], YEARS[-1])
    _refuse(told, far, f"is not between {YEARS[0]} and {YEARS[-1]}", "mend the year, or leave the row out")
    _refuse_empty_series(told)
    told = told[told["y"].notna()]
    _refuse(told, told.duplicated(["unique_id", "ds"]), "is there twice", "add the rows of an interval up first")
    _refuse(told, ~np.isfinite(told["y"]) | (told["y"] < 0), "is negative or infinite", "counts are 0 or more")
    _refuse(told, told["y"] > MOST, "is beyond every count", f"counts are at most {MOST:g}")
    minutes = (told["ds"] - told["ds"].dt.normalize()) / pd.Timedelta(minutes=1)
    off = minutes % interval_minutes != 0
    _refuse(told, off, f"does not begin an interval of {interval_minutes} minutes", "round ds down to its interval")
    return told.assign(day=told["ds"].dt.date, slot=minutes.astype(int))


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
    nameless = [_is_missing(one) for one in frame["unique_id"]]
    if any(nameless):
        place = nameless.index(True)
        row = frame.iloc[place]
        raise ConfigError(
            f"row {place} has no unique_id ({row['unique_id']}): ds = {_shown(row['ds'])}, y = {_shown(row['y'])}",
            cure="name its series, or leave the row out: frame.dropna(subset=['unique_id'])",
        )
    return frame["unique_id"].astype(object).map(str)


def _counts(frame: pd.DataFrame) -> pd.Series:
    """Counts as float, NaN where there is none; text, truth values and other things are no counts."""
    import pandas as pd

    y = frame["y"]
    if pd.api.types.is_numeric_dtype(y) and not pd.api.types.is_bool_dtype(y) and not np.iscomplexobj(y):
        return pd.Series(y.to_numpy(dtype="float64", na_value=np.nan), index=y.index)
    values = list(y)
    for place, value in enumerate(values):
        if not (_is_missing(value) or _is_number(value)):
            raise ConfigError(
                f"{_where(frame, place)}: y = {_shown(value)} is {type(value).__name__}, and no count",
                cure="give numbers; of text that holds numbers, pandas.to_numeric(frame['y']) makes them",
            )
    return pd.Series([np.nan if _is_missing(one) else float(one) for one in values], index=frame.index)


def _moments(frame: pd.DataFrame) -> pd.Series:
    """Moments in UTC without a zone; text in ISO 8601 and dates are read, numbers are not."""
    import pandas as pd

    ds = frame["ds"]
    if not pd.api.types.is_datetime64_any_dtype(ds):
        ds = pd.Series([_moment(frame, place, one) for place, one in enumerate(ds)], index=frame.index)
        _refuse_mixture(frame, ds)
        ds = pd.to_datetime(pd.Series([one.isoformat() for one in ds]), utc=True, format="ISO8601").set_axis(
            frame.index
        )
    if ds.isna().any():
        place = int(np.argmax(ds.isna()))
        raise ConfigError(f"{_where(frame, place)}: ds is missing", cure="give it its moment, or leave the row out")
    return ds.dt.tz_convert("UTC").dt.tz_localize(None) if ds.dt.tz is not None else ds


def _moment(frame: pd.DataFrame, place: int, value: object) -> Any:
    """One moment of a column that pandas does not know as moments."""
    import pandas as pd

    try:
        if _is_missing(value) or isinstance(value, Real | Decimal):
            raise ValueError("not a moment")
        told: Any = pd.Timestamp(value)  # type: ignore[arg-type]
        if told is pd.NaT or told.year not in YEARS:
            raise ValueError("not a moment")
    except (ValueError, TypeError, OverflowError):  # pandas' own errors are among them
        raise ConfigError(
            f"{_where(frame, place)}: ds = {_shown(value)} is no moment between {YEARS[0]} and {YEARS[-1]}",
            cure="give datetimes, or text as 2026-01-05T12:30; numbers by pandas.to_datetime(..., unit='s')",
        ) from None
    return told


def _refuse_mixture(frame: pd.DataFrame, moments: pd.Series) -> None:
    """Moments of several zones are clear; beside one without a zone nobody knows which zone that has."""
    naive = [one.tzinfo is None for one in moments]
    if any(naive) and not all(naive):
        place = naive.index(True)
        raise ConfigError(
            f"{_where(frame, place)}: ds = {moments.iloc[place]} has no time zone, and others have one",
            cure="give all of them a zone (tz_localize), or none",
        )


def _refuse_empty_series(told: pd.DataFrame) -> None:
    there = told["y"].notna().groupby(told["unique_id"]).agg(["sum", "size"])
    empty = there[there["sum"] == 0]
    if len(empty):
        more = f", and {len(empty) - 1} more series" if len(empty) > 1 else ""
        raise ConfigError(
            f"series {empty.index[0]!r} has no value: y is missing in all of its {empty['size'].iloc[0]} rows{more}",
            cure="leave the series out, or give 0 where nothing was counted",
        )


def _refuse(told: pd.DataFrame, wrong: pd.Series, what: str, cure: str) -> None:
    if wrong.any():
        row = told[wrong].iloc[0]
        raise ConfigError(f"series {row['unique_id']!r}, {row['ds']}: y = {row['y']:g} {what}", cure=cure)


def _is_missing(value: object) -> bool:
    import pandas as pd

    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


def _is_number(value: object) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def _where(frame: pd.DataFrame, place: int) -> str:
    return f"series {frame['unique_id'].iloc[place]!r}, row {place}"


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str | bytes) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
