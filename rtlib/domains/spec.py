"""Spec: the parts of a domain, as frozen records loaded from its TOML file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from rtlib.domains.holidays import is_holiday

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Aggregate = Literal["count", "sum", "mean", "max", "min", "share"]
Direction = Literal["high", "low"]
Shape = Literal["none", "lognormal", "normal", "uniform"]
ALL_SITES = "all"  # in place of a site's id: the domain as a whole


class Severity(StrEnum):
    """How bad a KPI's value is; ``none`` without a value or without thresholds."""

    GOOD = "good"
    WATCH = "watch"
    ACT = "act"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Site:
    """A place where events happen; ``level`` scales its values, so that sites differ.

    ``country`` (ISO 3166) determines its holidays, ``time_zone`` (IANA) its dates and hours.
    """

    id: str
    title: str
    country: str
    time_zone: str
    weight: float
    level: float = 1.0


@dataclass(frozen=True, slots=True)
class Attribute:
    """An entry of an event's ``attributes``: a member of ``choices``, or an integer from ``low`` to ``high``."""

    name: str
    choices: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    low: int = 0
    high: int = 0


@dataclass(frozen=True, slots=True)
class ValueSpec:
    """The distribution of an event's ``value``, clipped to ``low`` and ``high``, in the unit of its kind.

    ``centre`` and ``spread`` are median and sigma (lognormal), or mean and standard deviation (normal).
    """

    shape: Shape = "none"
    centre: float = 0.0
    spread: float = 0.0
    low: float = 0.0
    high: float = 0.0
    decimals: int = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of event: its share of the traffic, the distribution and unit of its value, and its attributes."""

    name: str
    share: float
    unit: str
    value: ValueSpec = ValueSpec()
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class KpiSpec:
    """A measure of a site's window.

    Attributes:
        aggregate: ``count`` of events; ``sum``, ``mean``, ``max`` or ``min`` of their values; or ``share``:
            events of ``kinds`` per event of ``of``, a fraction.
        kinds: The kinds of events included; empty means all.
        direction: The bad side: ``high`` or ``low``.
        warn, critical: Thresholds in ``unit``, or None.
        plain: Its meaning, for a newcomer.
    """

    name: str
    title: str
    unit: str
    aggregate: Aggregate
    plain: str
    direction: Direction
    kinds: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    warn: float | None = None
    critical: float | None = None

    def severity(self, value: float | None) -> Severity:
        """How bad ``value`` is; a threshold counts as crossed once it is reached."""
        if value is None or (self.warn is None and self.critical is None):
            return Severity.NONE
        sign = 1 if self.direction == "high" else -1
        for threshold, severity in ((self.critical, Severity.ACT), (self.warn, Severity.WATCH)):
            if threshold is not None and sign * value >= sign * threshold:
                return severity
        return Severity.GOOD


@dataclass(frozen=True, slots=True)
class Demand:
    """The demand in each hour and on each weekday (Monday first) of a site's local time; the mean over a week is 1.

    ``holiday`` is a site's demand on a holiday of its country, as a multiple of an ordinary day of that weekday.
    """

    hourly: tuple[float, ...]
    weekday: tuple[float, ...]
    holiday: float = 1.0

    def at_hour(self, hours: NDArray[np.float64]) -> NDArray[np.float64]:
        """The demand at each time of day (hours since midnight, below 24), as a multiple of the day's mean.

        Linear between the middles of the hours, which keeps the mean at 1.
        """
        import numpy as np

        middles = np.arange(-0.5, 25)  # from the last hour of the day before to the first of the next
        demand: NDArray[np.float64] = np.interp(hours, middles, (self.hourly[-1], *self.hourly, self.hourly[0]))
        return demand


@dataclass(frozen=True, slots=True)
class Staffing:
    """The people a domain needs: each event of ``kinds`` leads to a contact with probability ``share``.

    ``aht_seconds`` is the mean handling time of a contact; ``service_level`` the target share of contacts answered
    within ``within_seconds``; ``shrinkage`` the share of paid time that is not spent on contacts.

    Attributes:
        patience_seconds: The mean waiting time before a contact is abandoned; 0 means never.
        pooled: True if the same people serve all sites, False if each site has its own.
        missing_cost: The cost of an hour in which a person is missing, in ``currency``; more than an hour of work.
        open_hour, close_hour: The hours of service, from 0 to 24, by the clock of the site, or of the domain if pooled.
        shift_hours: The allowed lengths of a shift; a shift of more than five hours has an unpaid break.
        break_minutes: The length of that break.
        least: The minimum number of people during the hours of service.
    """

    title: str
    kinds: tuple[str, ...]
    share: float
    aht_seconds: float
    service_level: float
    within_seconds: float
    shrinkage: float
    hourly_cost: float
    currency: str
    patience_seconds: float
    pooled: bool
    missing_cost: float
    open_hour: int
    close_hour: int
    shift_hours: tuple[int, ...]
    break_minutes: int
    least: int = 1


@dataclass(frozen=True, slots=True)
class AlertSpec:
    """A rule that raises an alert when a measure stays on the bad side of a threshold.

    Attributes:
        name: Unique within the domain.
        measure: A KPI's name, or a member of ``OTHER_MEASURES``.
        severity: The severity shown on the card.
        threshold: Raises the alert once it is reached for ``for_seconds``; in the measure's unit.
        clear: Ends the alert once the measure has been on its good side for ``for_seconds``.
        advice: What to do, in a sentence or two.
        for_seconds: The duration required.
        cooldown_seconds: The time after the end of an alert in which no new alert is raised.
    """

    name: str
    measure: str
    severity: Literal["warning", "critical"]
    threshold: float
    clear: float
    advice: str
    for_seconds: float = 60.0
    cooldown_seconds: float = 600.0


# Measures besides a domain's KPIs: title, unit and the bad side.
OTHER_MEASURES: Mapping[str, tuple[str, str, Direction]] = {
    "load_of_forecast": ("Load against the forecast's upper bound", "%", "high"),
    "people_short": ("People short in the next two hours", "people", "high"),
}


@dataclass(frozen=True, slots=True)
class Domain:
    """A world that produces events.

    Attributes:
        time_zone: IANA name of the zone in which the domain as a whole is forecast and planned.
        attributes: Those that every kind carries.
    """

    name: str
    title: str
    about: str
    time_zone: str
    sites: tuple[Site, ...]
    kinds: tuple[Kind, ...]
    attributes: tuple[Attribute, ...]
    kpis: tuple[KpiSpec, ...]
    demand: Demand
    staffing: Staffing
    alerts: tuple[AlertSpec, ...]
    schema_text: str = field(repr=False)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its events; a fresh copy each time."""
        schema: dict[str, Any] = json.loads(self.schema_text)
        return schema

    def time_zone_of(self, site: str) -> str:
        """The time zone of a site by its id; of the domain for ``ALL_SITES``.

        Raises:
            KeyError: The domain has no such site.
        """
        zones = {each.id: each.time_zone for each in self.sites} | {ALL_SITES: self.time_zone}
        return zones[site]

    def on_holiday(self, day: date) -> tuple[bool, ...]:
        """Whether each site's country has a holiday on that local date."""
        return tuple(is_holiday(site.country, day) for site in self.sites)

    def calendar(self, day: date) -> tuple[float, ...]:
        """Each site's demand factor for holidays on that local date; 1 on an ordinary day."""
        return tuple(self.demand.holiday if free else 1.0 for free in self.on_holiday(day))
