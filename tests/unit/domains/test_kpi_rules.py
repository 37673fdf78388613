"""KPI rules: they accept every record of a domain's query, and refuse an impossible record by its field."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlib.domains import domain_names, load_domain, measures
from rtlib.domains.kpi_rules import KpiRules
from rtlib.errors import EventRefused
from rtlib.records import Event, Kpi
from rtlib.simulator import Simulator

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = {name: KpiRules(load_domain(name), 60, 60) for name in domain_names()}


def kpi_of(domain: str, site: str, begin: datetime, events: list[Event]) -> Kpi:
    """The query's KPI record for the events of a window."""
    moments = [event.occurred_at for event in events]
    values = measures(load_domain(domain), events)
    return Kpi(domain, site, begin, begin + MINUTE, values, len(events), 0, min(moments), max(moments), NOON)


GOOD = Kpi(
    "curbside", "oakland-3rd-st", NOON, NOON + MINUTE,
    {"orders": 3.0, "sales": 1_800.0, "wait_minutes": 600.0, "longest_wait": None, "cancelled_share": 0.5},
    events=3, late=1, first_event_at=NOON, last_event_at=NOON + timedelta(seconds=59.9), emitted_at=NOON + MINUTE,
)  # fmt: skip


def refused(kpi: Kpi, key: bytes | None = None) -> str:
    """The field at fault; empty if the record is accepted."""
    try:
        RULES["curbside"].check(kpi, key or kpi.key.encode())
    except EventRefused as error:
        assert error.reason
        return error.field
    return ""


def test_a_valid_record_is_accepted() -> None:
    assert refused(GOOD) == ""


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("domain", {"domain": "iot"}),
        ("site", {"site": "atlantis"}),
        ("site", {"site": ""}),
        ("window_end", {"window_end": NOON + timedelta(minutes=5)}),
        ("window_end", {"window_end": NOON}),
        ("window_start", {"window_start": NOON + timedelta(seconds=7), "window_end": NOON + timedelta(seconds=67)}),
        ("first_event_at", {"first_event_at": NOON - MINUTE}),
        ("first_event_at", {"last_event_at": NOON + MINUTE}),
        ("first_event_at", {"first_event_at": NOON + timedelta(seconds=30), "last_event_at": NOON}),
        ("last_event_at", {"emitted_at": NOON - MINUTE}),
        ("events", {"events": 0}),
        ("events", {"events": -1}),
        ("events", {"events": 10**9}),
        ("late", {"late": -1}),
        ("late", {"late": 4}),
        ("measures", {"measures": {}}),
        ("measures", {"measures": {**GOOD.measures, "magic": 1.0}}),
    ],
)
def test_what_no_query_of_the_domain_produces_is_refused_by_its_field(field: str, changes: dict[str, object]) -> None:
    assert refused(replace(GOOD, **changes)) == field


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 9e99, -1.0, 1801.0])
@pytest.mark.parametrize("name", list(GOOD.measures))
def test_a_measure_beyond_what_the_window_s_events_allow_is_refused(name: str, value: float) -> None:
    assert refused(replace(GOOD, measures={**GOOD.measures, name: value})) == f"measures.{name}"


@pytest.mark.parametrize(
    "key", [b"2026-03-02T12:00:00Z|berkeley-shattuck-ave", b"2026-03-02T12:01:00Z|oakland-3rd-st", b"x"]
)
def test_a_key_that_disagrees_with_the_value_is_refused(key: bytes) -> None:
    assert refused(GOOD, key) == "key"


def test_a_record_without_a_key_is_refused() -> None:
    with pytest.raises(EventRefused):
        RULES["curbside"].check(GOOD, None)


def test_an_event_may_be_as_far_ahead_of_kafkas_clock_as_the_stream_allows() -> None:
    assert refused(replace(GOOD, emitted_at=GOOD.last_event_at - timedelta(seconds=60))) == ""


@pytest.mark.parametrize("name", domain_names())
def test_every_window_of_simulated_events_is_accepted(name: str) -> None:
    world = Simulator(load_domain(name), seed=3, start=NOON - timedelta(hours=1), rate=40)
    windows: defaultdict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for sent in islice(world.records(), 8_000):
        if sent.event:
            windows[sent.event.site, sent.event.occurred_at.replace(second=0, microsecond=0)].append(sent.event)
    assert len(windows) > 10
    for (site, begin), events in windows.items():
        kpi = kpi_of(name, site, begin, events)
        RULES[name].check(kpi, kpi.key.encode())


@given(data=st.data(), name=st.sampled_from(domain_names()))
def test_every_window_of_events_that_fit_the_schema_is_accepted(data: st.DataObject, name: str) -> None:
    """Not only for the simulator's events."""
    domain = load_domain(name)
    rule = domain.schema["properties"]["value"]
    value = st.none() | st.floats(rule["minimum"], rule["maximum"])
    kind = st.sampled_from([kind.name for kind in domain.kinds])
    drawn = data.draw(st.lists(st.tuples(kind, value, st.floats(0, 59.9)), min_size=1, max_size=40))
    site = domain.sites[0].id
    events = [
        Event(f"{n}", name, site, kind, NOON - MINUTE + timedelta(seconds=at), "any", n, value, "")
        for n, (kind, value, at) in enumerate(drawn)
    ]
    kpi = kpi_of(name, site, NOON - MINUTE, events)
    RULES[name].check(kpi, kpi.key.encode())
