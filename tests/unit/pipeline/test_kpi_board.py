"""The board combines the sites of a window, shows the last closed window, and keeps the windows before as history."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rtlib.domains import ALL_SITES, Domain, KpiSpec, Severity, load_domain
from rtlib.graph import KpiCard
from rtlib.pipeline.monitoring.kpi_board import SETTLED, SILENT, kpi_board, last_closed, together
from rtlib.records import Kpi

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
DOMAIN = load_domain("curbside")
MINUTE = timedelta(minutes=1)


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


def domain_of(kpi: KpiSpec) -> Domain:
    return Domain(**{**{name: getattr(DOMAIN, name) for name in Domain.__dataclass_fields__}, "kpis": (kpi,)})


def at(minute: int, second: float = 0) -> datetime:
    return START + timedelta(minutes=minute, seconds=second)


def card(kpi: KpiSpec, *rows: Kpi, now: datetime | None = None) -> KpiCard:
    """The card a minute after the newest window, or at another time."""
    newest = max((row.window_end for row in rows), default=START)
    (made,) = kpi_board(domain_of(kpi), rows, events=None, now=now or newest + timedelta(minutes=1)).cards
    return made


def rows_until(moment: datetime) -> list[Kpi]:
    """Rows of a stream of an event a second, as the speed layer has them at a moment, ten minutes after its begin."""
    minutes = range(int((moment - START) / MINUTE) + 1)
    seen = ((minute, min(60, (moment - at(minute)).total_seconds())) for minute in minutes)
    return [row(minute=minute, events=int(seconds), m=float(int(seconds))) for minute, seconds in seen if seconds >= 1]


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("count", 8.0), ("sum", 8.0), ("max", 6.0), ("min", 2.0), ("mean", 5.0), ("share", 5.0)],
)
def test_the_sites_of_a_window_are_combined_by_the_aggregate_of_the_kpi(aggregate: str, expected: float) -> None:
    assert together(spec(aggregate), [row("a", m=2.0, events=10), row("b", m=6.0, events=30)]) == expected


def test_a_site_without_a_measurement_is_left_out() -> None:
    assert together(spec("mean"), [row("a", m=None, events=90), row("b", m=6.0, events=10)]) == 6.0
    assert together(spec("min"), [row("a", m=None), row("b")]) is None
    assert together(spec("mean"), []) is None


def test_a_mean_without_events_is_none() -> None:
    assert together(spec("mean"), [row("a", m=3.0, events=0)]) is None


def test_the_last_closed_window_is_the_value_and_ends_the_history() -> None:
    made = card(spec("sum"), row("b", minute=2, m=5.0), row(minute=0, m=1.0), row(minute=1), row(minute=2, m=4.0))
    assert (made.value, made.history[-3:]) == (9.0, (1.0, None, 9.0))
    assert (made.closed_at, made.at) == (at(3), at(2, 31))


def test_the_history_has_a_place_for_each_of_thirty_windows_and_gaps_where_nothing_ran() -> None:
    made = card(spec("count"), row(minute=0, m=1.0), row(minute=3, m=4.0))
    assert made.history == (*(None,) * 26, 1.0, None, None, 4.0)


def test_a_site_without_a_row_in_a_closed_window_counted_nothing_in_it() -> None:
    rows = [row("oakland", minute=0, m=3.0), row("berkeley", minute=0, m=1.0), row("berkeley", minute=1, m=2.0)]
    names = [site.id for site in DOMAIN.sites[:2]]
    rows = [replace(each, site=names[each.site == "berkeley"]) for each in rows]
    board = kpi_board(domain_of(spec("count")), rows, events=None, now=at(3))
    assert [site.cards[0].value for site in board.sites] == [0.0, 2.0]


def test_over_the_turn_of_a_minute_the_headline_is_a_whole_minute_and_nothing_falls_to_zero() -> None:
    moments = [at(10) + timedelta(seconds=tenth / 10) for tenth in range(-300, 301)]
    shown = [card(spec("count"), *rows_until(moment), now=moment) for moment in moments]
    assert {made.value for made in shown} == {60.0}
    assert {made.before for made in shown} == {60.0}
    assert 0.0 not in {made.running for made in shown} and None not in {made.running for made in shown}
    turned = next(moment for moment, made in zip(moments, shown, strict=True) if made.closed_at == at(10))
    assert turned == at(10) + SETTLED


def test_until_the_next_window_is_shown_as_running_the_ended_window_completes() -> None:
    assert card(spec("count"), *rows_until(at(10, 2)), now=at(10, 2)).running == 60.0
    assert card(spec("count"), *rows_until(at(10, 4)), now=at(10, 4)).running == 4.0


def test_a_window_without_a_later_window_is_closed_once_the_stream_is_silent() -> None:
    rows = rows_until(at(9, 50))
    assert last_closed(rows, at(10, 14)) == at(8)
    assert last_closed(rows, at(10) + SILENT) == at(9)
    assert last_closed([], at(0)) is None


def test_a_window_waits_for_each_of_its_sites_as_long_as_the_stream_may_be_behind() -> None:
    rows = [*rows_until(at(10, 10)), row("behind", minute=9), row("behind", minute=8)]
    assert last_closed(rows, at(10, 10)) == at(8)
    assert last_closed([*rows, row("behind", minute=10)], at(10, 10)) == at(9)
    assert last_closed(rows, at(10) + SILENT) == at(9)


def test_before_the_end_of_the_first_window_there_is_only_the_running_value() -> None:
    made = card(spec("count", warn=1.0), row(m=7.0), now=at(0, 40))
    assert (made.value, made.closed_at, made.running, made.severity) == (None, None, 7.0, Severity.NONE)


def test_a_first_window_that_was_counted_in_part_is_not_compared_with() -> None:
    part = replace(row(minute=0, m=5.0), first_event_at=at(0, 40))
    assert card(spec("count"), part, row(minute=1, m=60.0)).before is None
    assert card(spec("count"), row(minute=0, m=55.0), row(minute=1, m=60.0)).before == 55.0


def test_the_week_before_is_shown_for_all_sites_and_for_each() -> None:
    site = DOMAIN.sites[0].id
    week = {ALL_SITES: {"m": 70.0}, site: {"m": 9.0}}
    board = kpi_board(domain_of(spec("count")), [row(site, m=5.0)], events=None, now=at(2), week_ago=week)
    assert (board.cards[0].last_week, board.sites[0].cards[0].last_week) == (70.0, 9.0)


def test_a_value_beyond_its_thresholds_is_marked() -> None:
    limits = spec("max", warn=5.0, critical=8.0)
    severities = [card(limits, row(m=value)).severity for value in (4.9, 5.0, 8.0)]
    assert severities == [Severity.GOOD, Severity.WATCH, Severity.ACT]


def test_a_kpi_without_thresholds_or_without_a_measurement_has_no_severity() -> None:
    assert card(spec("max"), row(m=99.0)).severity is Severity.NONE
    assert card(spec("max", warn=5.0), row(m=None)).severity is Severity.NONE


def test_an_empty_speed_layer_makes_cards_without_values() -> None:
    board = kpi_board(DOMAIN, [], events=None, now=START)
    assert board.title == DOMAIN.title
    assert [card.name for card in board.cards] == [kpi.name for kpi in DOMAIN.kpis]
    assert {(card.value, card.at, card.history, card.severity) for card in board.cards} == {
        (None, None, (), Severity.NONE)
    }


def test_the_number_of_events_is_passed_on() -> None:
    assert kpi_board(DOMAIN, [row()], events=1234, now=START).events == 1234
