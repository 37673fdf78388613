"""The board: the sites of a window put together, the newest window shown, earlier ones as its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rtlib.domains import Domain, KpiSpec, Severity, load_domain
from rtlib.graph import KpiCard
from rtlib.pipeline.monitoring.kpi_board import kpi_board, together
from rtlib.records import Kpi

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
DOMAIN = load_domain("curbside")


def row(site: str = "a", *, minute: int = 0, events: int = 10, **measures: float | None) -> Kpi:
    start = START + timedelta(minutes=minute)
    return Kpi(
        domain="curbside",
        site=site,
        window_start=start,
        window_end=start + timedelta(minutes=1),
        measures=measures,
        events=events,
        late=0,
        first_event_at=start,
        last_event_at=start + timedelta(seconds=30 + len(site)),
        emitted_at=start + timedelta(seconds=31),
    )


def spec(aggregate: str, *, warn: float | None = None, critical: float | None = None) -> KpiSpec:
    return KpiSpec("m", "M", "min", aggregate, "plain", "high", warn=warn, critical=critical)  # type: ignore[arg-type]


def domain_of(one: KpiSpec) -> Domain:
    return Domain(**{**{name: getattr(DOMAIN, name) for name in Domain.__dataclass_fields__}, "kpis": (one,)})


def card(one: KpiSpec, *rows: Kpi) -> KpiCard:
    (made,) = kpi_board(domain_of(one), rows, events=None).cards
    return made


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("count", 8.0), ("sum", 8.0), ("max", 6.0), ("min", 2.0), ("mean", 5.0), ("share", 5.0)],
)
def test_the_sites_of_a_window_are_put_together_by_the_kind_of_kpi(aggregate: str, expected: float) -> None:
    assert together(spec(aggregate), [row("a", m=2.0, events=10), row("b", m=6.0, events=30)]) == expected


def test_a_site_that_measured_nothing_has_no_say() -> None:
    assert together(spec("mean"), [row("a", m=None, events=90), row("b", m=6.0, events=10)]) == 6.0
    assert together(spec("min"), [row("a", m=None), row("b")]) is None
    assert together(spec("mean"), []) is None


def test_a_mean_without_events_is_nothing_and_no_error() -> None:
    assert together(spec("mean"), [row("a", m=3.0, events=0)]) is None


def test_the_newest_window_is_the_value_and_earlier_ones_are_the_history() -> None:
    made = card(spec("sum"), row("b", minute=2, m=5.0), row(minute=0, m=1.0), row(minute=1), row(minute=2, m=4.0))
    assert (made.value, made.history) == (9.0, (1.0, None))
    assert made.at == START + timedelta(minutes=2, seconds=31)


def test_a_value_beyond_its_thresholds_is_marked() -> None:
    limits = spec("max", warn=5.0, critical=8.0)
    said = [card(limits, row(m=value)).severity for value in (4.9, 5.0, 8.0)]
    assert said == [Severity.GOOD, Severity.WATCH, Severity.ACT]


def test_a_value_without_thresholds_or_without_measurement_is_not_judged() -> None:
    assert card(spec("max"), row(m=99.0)).severity is Severity.NONE
    assert card(spec("max", warn=5.0), row(m=None)).severity is Severity.NONE


def test_an_empty_speed_layer_makes_cards_without_values() -> None:
    board = kpi_board(DOMAIN, [], events=None)
    assert board.title == DOMAIN.title
    assert [one.name for one in board.cards] == [one.name for one in DOMAIN.kpis]
    assert {(one.value, one.at, one.history, one.severity) for one in board.cards} == {(None, None, (), Severity.NONE)}


def test_the_number_of_events_is_passed_on() -> None:
    assert kpi_board(DOMAIN, [row()], events=1234).events == 1234
