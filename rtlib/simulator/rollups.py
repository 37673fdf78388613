"""Rollups: weeks of history as counts and aggregates of each interval, drawn without making the events.

The events of a domain are a Poisson process, so the counts of sites, kinds and intervals are independent Poisson
numbers. Count, sum, least and greatest value of a cell follow the distribution of its kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rtlib.domains import Domain, Kind, Site, ValueSpec
from rtlib.domains.law import DemandLaw
from rtlib.domains.seeded import generator
from rtlib.errors import ConfigError
from rtlib.simulator.interval_counts import INTERVAL_MINUTES
from rtlib.simulator.sampling import Floats, Integers, draw_values

if TYPE_CHECKING:
    import pandas as pd

Totals: TypeAlias = tuple[Floats, Floats, Floats]  # sum, least and greatest value of each cell
Cells: TypeAlias = tuple[NDArray[Any], ...]  # a column each, in the order of _COLUMNS

DAY = timedelta(days=1)
INTERVAL = timedelta(minutes=INTERVAL_MINUTES)
FEW = 30  # values of a cell drawn one by one; the sum of more is drawn from a normal distribution
GRID = 4096  # quantiles of which mean and deviation are computed


def rollups(domain: Domain, *, seed: int, rate: float, start: datetime, end: datetime) -> pd.DataFrame:
    """The history of [start, end) by site, kind and interval; cells without events are left out.

    It follows the law of the domain (``rtlib.domains.law``), as a live stream of the same seed and rate does. Each day
    (UTC) is drawn independently, so an interval is the same in every period.

    Args:
        domain: The kinds of events, the sites and the demand.
        seed: The same seed and rate give the same rows.
        rate: Events per second, on average over a year without holidays.
        start, end: Boundaries of intervals, with a time zone.

    Returns:
        ``site``, ``kind``, ``interval_start`` (UTC, without a time zone), ``events``, ``values_counted``, and
        ``value_sum``, ``value_min``, ``value_max`` in the kind's unit, NaN for kinds without a value.

    Raises:
        ConfigError: ``start`` or ``end`` is not the boundary of an interval.
    """
    import pandas as pd

    for moment in (start, end):
        if moment.tzinfo is None or moment.timestamp() % INTERVAL.total_seconds():
            raise ConfigError(
                f"{moment} does not begin an interval of {INTERVAL_MINUTES} minutes",
                cure="pass a whole or half hour with a time zone",
            )
    law = DemandLaw(domain, rate, seed)
    cells = [cells for day in _days(start, end) for cells in _day(law, day)]
    if not cells:
        return pd.DataFrame(columns=list(_COLUMNS))
    columns = map(np.concatenate, zip(*cells, strict=True))
    drawn = pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))
    begin, stop = (np.datetime64(moment.astimezone(UTC).replace(tzinfo=None)) for moment in (start, end))
    inside = (drawn["interval_start"] >= begin) & (drawn["interval_start"] < stop)
    return drawn[inside].reset_index(drop=True)


_COLUMNS = (
    "site", "kind", "interval_start", "events", "values_counted", "value_sum", "value_min", "value_max",
)  # fmt: skip


def value_totals(rng: np.random.Generator, spec: ValueSpec, level: float, counts: Integers) -> Totals:
    """Sum, least and greatest of ``counts`` values of a distribution, for each count; all counts are positive.

    With more than ``FEW`` values the extremes are exact in distribution, as order statistics of uniform numbers, and
    the sum of the others, which lie between them, is normal by the central limit theorem.
    """
    sums, least, greatest = (np.empty(len(counts)) for _ in range(3))
    few = counts <= FEW
    if few.any():
        starts = np.concatenate([[0], np.cumsum(counts[few])[:-1]])
        values = draw_values(rng, spec, np.full(int(counts[few].sum()), level))
        sums[few] = np.add.reduceat(values, starts)
        least[few], greatest[few] = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    many = counts[~few]
    high = rng.random(len(many)) ** (1 / many)
    low = high * (1 - rng.random(len(many)) ** (1 / (many - 1)))  # the others are uniform below the greatest
    least[~few], greatest[~few] = _quantile(spec, level, low), _quantile(spec, level, high)
    mean, deviation = _moments_between(spec, level, low, high)
    others = rng.normal((many - 2) * mean, np.sqrt(many - 2) * deviation)
    bounded = np.clip(others, (many - 2) * least[~few], (many - 2) * greatest[~few])
    sums[~few] = bounded + least[~few] + greatest[~few]
    return sums, least, greatest


def _moments_between(spec: ValueSpec, level: float, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the values between two quantiles."""
    shares, first, second = _integrals(spec, level)
    mean, square = (
        (np.interp(high, shares, integral) - np.interp(low, shares, integral)) / (high - low)
        for integral in (first, second)
    )
    return mean, np.sqrt(np.maximum(square - mean**2, 0))


@lru_cache(maxsize=1024)
def _integrals(spec: ValueSpec, level: float) -> tuple[Floats, Floats, Floats]:
    """Shares from 0 to 1, and the integrals of the quantile function and of its square up to each of them."""
    values = _quantile(spec, level, (np.arange(GRID) + 0.5) / GRID)
    first, second = (np.concatenate([[0.0], np.cumsum(values**power)]) / GRID for power in (1, 2))
    return np.linspace(0, 1, GRID + 1), first, second


def _quantile(spec: ValueSpec, level: float, shares: Floats) -> Floats:
    """The quantile function of a kind's values, clipped and rounded as its events are."""
    from scipy.special import ndtri

    if spec.shape == "lognormal":
        values = spec.centre * np.exp(spec.spread * ndtri(shares))
    elif spec.shape == "normal":
        values = spec.centre + spec.spread * ndtri(shares)
    else:
        values = spec.low + (spec.high - spec.low) * shares
    rounded: Floats = np.clip(values * level, spec.low, spec.high).round(spec.decimals)
    return rounded


def _days(start: datetime, end: datetime) -> Iterator[datetime]:
    day = start.astimezone(UTC).replace(hour=0, minute=0)
    while day < end:
        yield day
        day += DAY


def _day(law: DemandLaw, day: datetime) -> Iterator[Cells]:
    """The cells of each kind and site on a day (UTC)."""
    domain = law.domain
    rng = generator(law.seed, domain.name, "rollups", str(law.rate), day.date().isoformat())
    edges = day.timestamp() + np.arange(0, DAY.total_seconds() + 1, INTERVAL.total_seconds())
    expected = law.between(edges)
    starts = np.array(edges[:-1], dtype="datetime64[s]")
    shares = np.array([kind.share for kind in domain.kinds])
    for kind, share in zip(domain.kinds, shares / shares.sum(), strict=True):
        counts = rng.poisson(expected * share)
        for column, site in enumerate(domain.sites):
            yield _cells(rng, kind, site, starts, counts[:, column])


def _cells(rng: np.random.Generator, kind: Kind, site: Site, starts: NDArray[Any], counts: Integers) -> Cells:
    held = counts > 0
    events = counts[held]
    has_value = kind.value.shape != "none"
    nothing = np.full(len(events), np.nan)
    totals = value_totals(rng, kind.value, site.level, events) if has_value else (nothing,) * 3
    names = (np.full(len(events), name, dtype=object) for name in (site.id, kind.name))
    return (*names, starts[held], events, events * has_value, *totals)
