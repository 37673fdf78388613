"""KPI rules: the KPI records that a domain's query can produce; pure, shared by the loader and the alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rtlib.domains.spec import Domain, KpiSpec
from rtlib.errors import EventRefused
from rtlib.records import Kpi

MAX_EVENTS_PER_SECOND = 1_000_000  # of a site; a thousand times the capacity of this stack
ROUNDING = 1e-9  # relative: sums and means of floating-point numbers
CLOCK = timedelta(seconds=1)  # tolerance: Kafka's timestamps are in milliseconds, and clocks are adjusted
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Bounds = Callable[[int], tuple[float, float]]  # events of the window -> minimum and maximum of a measure


@dataclass(frozen=True, slots=True)
class KpiRules:
    """The limits of a domain's KPI records.

    Attributes:
        domain: The domain of the records.
        window_seconds: The length of its windows.
        future_seconds: How far ahead of Kafka's clock an event may be.
    """

    domain: Domain
    window_seconds: int
    future_seconds: int
    _sites: frozenset[str] = field(init=False, repr=False)
    _bounds: dict[str, Bounds] = field(init=False, repr=False)
    _length: timedelta = field(init=False, repr=False)
    _ahead: timedelta = field(init=False, repr=False)

    def __post_init__(self) -> None:
        derived = {
            "_sites": frozenset(site.id for site in self.domain.sites),
            "_bounds": {kpi.name: _bounds(kpi, *_value_limits(self.domain)) for kpi in self.domain.kpis},
            "_length": timedelta(seconds=self.window_seconds),
            "_ahead": timedelta(seconds=self.future_seconds) + CLOCK,
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def check(self, kpi: Kpi, key: bytes | None) -> None:
        """Check that the domain's query can produce a KPI record.

        Args:
            kpi: The value of the record.
            key: The key of the record.

        Raises:
            EventRefused: No events of the domain lead to this record; names the field at fault.
        """
        if kpi.domain != self.domain.name:
            raise EventRefused(f"not {self.domain.name!r}", field="domain")
        if kpi.site not in self._sites:
            raise EventRefused("not a site of the domain", field="site")
        if key != kpi.key.encode():
            raise EventRefused("not window_start|site of the value", field="key")
        self._check_window(kpi)
        self._check_counts(kpi)
        self._check_measures(kpi)

    def _check_window(self, kpi: Kpi) -> None:
        if kpi.window_end - kpi.window_start != self._length:
            raise EventRefused(f"not {self.window_seconds} s after window_start", field="window_end")
        if (kpi.window_start - EPOCH) % self._length:
            raise EventRefused(f"not a multiple of {self.window_seconds} s", field="window_start")
        if not kpi.window_start <= kpi.first_event_at <= kpi.last_event_at < kpi.window_end:
            raise EventRefused("events outside the window", field="first_event_at")
        if kpi.last_event_at > kpi.emitted_at + self._ahead:
            raise EventRefused(f"more than {self.future_seconds} s in the future", field="last_event_at")

    def _check_counts(self, kpi: Kpi) -> None:
        if not 0 < kpi.events <= MAX_EVENTS_PER_SECOND * self.window_seconds:
            raise EventRefused("not a number of events that a window can have", field="events")
        if not 0 <= kpi.late <= kpi.events:
            raise EventRefused("not between 0 and events", field="late")

    def _check_measures(self, kpi: Kpi) -> None:
        if kpi.measures.keys() != self._bounds.keys():
            raise EventRefused(f"not exactly: {', '.join(self._bounds)}", field="measures")
        for name, value in kpi.measures.items():
            if value is None:
                continue
            minimum, maximum = self._bounds[name](kpi.events)
            if not minimum <= value <= maximum:  # True for NaN too
                raise EventRefused(f"not between {minimum:g} and {maximum:g}", field=f"measures.{name}")


def _value_limits(domain: Domain) -> tuple[float, float]:
    """The minimum and maximum of an event's value by the domain's schema, which sets both."""
    value = domain.schema["properties"]["value"]
    return float(value["minimum"]), float(value["maximum"])


def _bounds(kpi: KpiSpec, low: float, high: float) -> Bounds:
    """The range of an aggregate over some of a window's events.

    A share is a number of events per event of other kinds; if those include the counted kinds, it is at most 1.
    """
    slack = ROUNDING * max(abs(low), abs(high))
    if kpi.aggregate == "share" and kpi.kinds and set(kpi.kinds) <= set(kpi.of or kpi.kinds):
        return lambda events: (0.0, 1.0)
    if kpi.aggregate in ("count", "share"):
        return lambda events: (0.0, float(events))
    if kpi.aggregate == "sum":
        return lambda events: (min(0.0, events * low) - events * slack, max(0.0, events * high) + events * slack)
    return lambda events: (low - slack, high + slack)
