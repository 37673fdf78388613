"""Law: the expected events per second of each site at each instant, from which everything simulated is drawn.

In the site's local time, the rate is the product of the curve over the hours, the weekday, a holiday of its country,
the season, and the noise of the day, of the site's day, of the half-hour in all sites and of the site's half-hour. The
noise depends only on seed, domain, site and time, so it is the same for the live stream, for history and for scores.

Instants are seconds since 1970, UTC.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import pi, sin
from typing import Protocol

import numpy as np

from rtlib.domains.local_time import Floats, local_seconds
from rtlib.domains.seeded import generator
from rtlib.domains.spec import Domain
from rtlib.errors import ConfigError

AMPLITUDE = 0.15  # of demand over the year: in winter it grows by some 7 % within four weeks
RISING_MEAN, YEAR = date(2025, 12, 21).toordinal(), 365.2425  # a day at the year's mean while demand rises; in days
DAY_NOISE = 0.02  # deviation of a day from the curve: sigma of a lognormal factor
SITE_NOISE = 0.03  # the same for a site's day
# Most of what a forecast cannot know is over soon, like a shower or a campaign.
COMMON_NOISE = 0.08  # the same for a half-hour in all sites
SLOT_NOISE = 0.06  # the same for a half-hour of a site
DAY, HOUR, SLOT = 86_400, 3600, 1800
# The law is linear within a quarter of an hour: clocks today are ahead of UTC by a multiple of it, and change at one.
QUARTER = 900
ROUNDING = 1e-9  # relative


class Law(Protocol):
    """What events are drawn from."""

    def per_second(self, instants: Floats) -> Floats:
        """Expected events per second: a row for each instant, a column for each site."""

    def peak(self, start: float, end: float) -> float:
        """An upper bound of the events per second of all sites between two instants."""


@dataclass(frozen=True)
class SteadyLaw:
    """A constant rate: ``rate`` events per second, shared among the sites by their weights."""

    domain: Domain
    rate: float

    def per_second(self, instants: Floats) -> Floats:
        """Expected events per second: a row for each instant, a column for each site."""
        return np.tile(self.rate * _shares(self.domain), (len(instants), 1))

    def peak(self, start: float, end: float) -> float:
        """The rate, at all times."""
        return self.rate * (1 + ROUNDING)


@dataclass(frozen=True)
class DemandLaw:
    """The demand of a domain.

    Attributes:
        domain: Its sites with their time zones, and the curves of its demand.
        rate: Events per second of all sites: the mean over a year without holidays.
        seed: The same seed gives the same noise.
    """

    domain: Domain
    rate: float
    seed: int
    _zones: dict[str, list[int]] = field(init=False, repr=False, compare=False)
    _known: dict[int, Floats] = field(init=False, repr=False, compare=False, default_factory=dict)
    _common: dict[int, Floats] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        zones = defaultdict(list)
        for column, site in enumerate(self.domain.sites):
            zones[site.time_zone].append(column)
        object.__setattr__(self, "_zones", dict(zones))

    def per_second(self, instants: Floats) -> Floats:
        """Expected events per second: a row for each instant, a column for each site."""
        rates = np.empty((len(instants), len(self.domain.sites)))
        if not len(instants):  # a short time may have no event
            return rates
        for zone, columns in self._zones.items():
            clocks = local_seconds(zone, instants)
            days, place = np.unique(clocks // DAY, return_inverse=True)
            levels = np.array([self._levels(int(day)) for day in days])  # by day, slot and site
            hourly = self.domain.demand.at_hour(clocks % DAY / HOUR)
            slots = (clocks % DAY // SLOT).astype(int)
            rates[:, columns] = levels[place, slots][:, columns] * hourly[:, None]
        rates *= self._common_noise(instants)[:, None]
        return rates

    def peak(self, start: float, end: float) -> float:
        """An upper bound of the events per second of all sites between two instants; a tight one, for thinning."""
        points = _points(np.array([start, end], dtype=float))
        # The rate may jump at a point, so each line is extended to its ends from within.
        early, late = (self.per_second(points[:-1] + share * np.diff(points)).sum(axis=1) for share in (0.25, 0.75))
        return float(np.maximum(1.5 * early - 0.5 * late, 1.5 * late - 0.5 * early).max()) * (1 + ROUNDING)

    def between(self, edges: Floats) -> Floats:
        """Expected events between successive instants: a row for each interval, a column for each site.

        Exact, for the middle of a line times its length is its integral.

        Args:
            edges: The instants, in order.
        """
        points = _points(edges)
        middles = (points[:-1] + points[1:]) / 2
        amounts = self.per_second(middles) * np.diff(points)[:, None]
        totals = np.zeros((len(edges) - 1, len(self.domain.sites)))
        np.add.at(totals, np.searchsorted(edges[1:-1], middles, side="right"), amounts)
        return totals

    def expected(self, start: datetime, end: datetime, site: str | None = None) -> float:
        """Expected events in [start, end), both with a time zone; of all sites, or of the site with this id.

        Raises:
            ConfigError: The domain has no such site.
        """
        amounts = self.between(np.array([start.timestamp(), end.timestamp()]))[0]
        if site is None:
            return float(amounts.sum())
        names = [known.id for known in self.domain.sites]
        if site not in names:
            raise ConfigError(f"{self.domain.name} has no site {site!r}", cure=f"use one of: {', '.join(names)}")
        return float(amounts[names.index(site)])

    def _levels(self, day: int) -> Floats:
        """Events per second before the curve over the hours: a row for each half-hour of a day, a column for each site.

        The day is a local date, in days since 1970.
        """
        if day not in self._known:
            local = date(1970, 1, 1) + timedelta(days=day)
            demand = self.domain.demand
            whole = self.rate * demand.weekday[local.weekday()] * seasonality(local) * self._noise(DAY_NOISE, local)
            sites = [self._noise(SITE_NOISE, local, site.id) for site in self.domain.sites]
            daily = whole * _shares(self.domain) * self.domain.calendar(local) * sites
            self._known[day] = daily * self._slot_noise(local)
        return self._known[day]

    def _common_noise(self, instants: Floats) -> Floats:
        """A lognormal factor with a mean of 1 for the half-hour of each instant, by days in UTC."""
        days, place = np.unique(instants // DAY, return_inverse=True)
        for day in {int(day) for day in days} - self._common.keys():
            rng = generator(self.seed, self.domain.name, "half-hours", str(day))
            self._common[day] = rng.lognormal(-(COMMON_NOISE**2) / 2, COMMON_NOISE, DAY // SLOT)
        by_day = np.array([self._common[int(day)] for day in days]).reshape(-1, DAY // SLOT)
        noise: Floats = by_day[place, (instants % DAY // SLOT).astype(int)]
        return noise

    def _slot_noise(self, day: date) -> Floats:
        """Lognormal factors with a mean of 1, by half-hour and site."""
        names = (self.domain.name, "slots", day.isoformat())
        rngs = [generator(self.seed, *names, site.id) for site in self.domain.sites]
        return np.column_stack([rng.lognormal(-(SLOT_NOISE**2) / 2, SLOT_NOISE, DAY // SLOT) for rng in rngs])

    def _noise(self, sigma: float, day: date, *names: str) -> float:
        """A lognormal factor with a mean of 1."""
        rng = generator(self.seed, self.domain.name, "demand", day.isoformat(), *names)
        return float(rng.lognormal(-(sigma**2) / 2, sigma))


def seasonality(day: date) -> float:
    """The demand at that time of the year, as a multiple of the year's mean."""
    return 1 + AMPLITUDE * sin(2 * pi * (day.toordinal() - RISING_MEAN) / YEAR)


def _shares(domain: Domain) -> Floats:
    """The share of each site in the events of an ordinary day."""
    weights = np.array([site.weight for site in domain.sites])
    shares: Floats = weights / weights.sum()
    return shares


def _points(edges: Floats) -> Floats:
    """The edges, and every quarter of an hour between the first and the last."""
    quarters = np.arange(edges[0] // QUARTER + 1, np.ceil(edges[-1] / QUARTER)) * QUARTER
    return np.unique(np.concatenate([edges, quarters]))
