"""The evaluator: every finished window once and in order, even after a crash or with wrong clocks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rtlib.alerts import Alert, Change, EvaluatorState, Rule, RuleEvaluator
from rtlib.records import Kpi

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WAIT = Rule("long-wait", "wait", "Mean wait", "min", "high", threshold=10.0, clear=7.0)
FEW = Rule("few", "orders", "Orders", "orders", "low", threshold=0.0, clear=5.0, counts=True)
SHORT = Rule("short", "people_short", "People short", "people", "high", 2.0, 1.0, lasting=timedelta(0))


def row(minute: int, value: float | None, *, site: str = "north", **fields: Any) -> Kpi:
    """The final row of a minute."""
    start = NOON + minute * MINUTE
    kpi = Kpi(
        domain="curbside", site=site, window_start=start, window_end=start + MINUTE,
        measures={"wait": value, "orders": 10.0}, events=20, late=0, first_event_at=start,
        last_event_at=start + timedelta(seconds=59), emitted_at=start + timedelta(seconds=59),
    )  # fmt: skip
    return replace(kpi, **fields)


def alerts_of(
    rows: list[Kpi], *, rules: tuple[Rule, ...] = (WAIT,), memory: EvaluatorState | None = None
) -> list[Alert]:
    evaluator = RuleEvaluator("curbside", rules, memory or EvaluatorState())
    alerts = []
    for kpi in rows:
        evaluator.take(kpi)
        alerts += evaluator.judge()
    return alerts


def changes(alerts: list[Alert]) -> list[tuple[str, Change, int]]:
    """The site, the change, and the minutes since noon."""
    return [(alert.site, alert.change, (alert.at - NOON) // MINUTE) for alert in alerts]


SURGE = [row(minute, 12.0 if 2 <= minute < 6 else 4.0) for minute in range(12)]


def test_a_surge_gives_an_alert_and_a_recovery_with_their_evidence() -> None:
    raised, over = alerts_of(SURGE)
    assert changes([raised, over]) == [("north", Change.RAISED, 4), ("north", Change.RECOVERED, 8)]
    assert (raised.since, raised.raised_at, over.raised_at) == (NOON + 3 * MINUTE, raised.at, raised.at)
    assert raised.evidence["events"] == 20
    assert raised.evidence["window_end"] == (NOON + 4 * MINUTE).isoformat()


def test_a_window_is_evaluated_when_it_is_over_by_its_newest_row() -> None:
    early = [row(0, 50.0, last_event_at=NOON, emitted_at=NOON), row(0, 4.0)]
    assert alerts_of([*early, row(1, 4.0), row(2, 4.0), row(3, 4.0)]) == []


def test_a_producer_with_a_fast_clock_closes_no_window() -> None:
    evaluator = RuleEvaluator("curbside", (WAIT,), EvaluatorState())
    evaluator.take(row(0, 50.0, last_event_at=NOON + 5 * MINUTE, emitted_at=NOON + timedelta(seconds=10)))
    assert (evaluator.judge(), evaluator.memory.until) == ([], None)


def test_no_half_counted_window_is_evaluated_while_the_stream_catches_up() -> None:
    evaluator = RuleEvaluator("curbside", (WAIT,), EvaluatorState())
    evaluator.take(row(0, 50.0, last_event_at=NOON + timedelta(seconds=3), emitted_at=NOON + 30 * MINUTE))
    assert (evaluator.judge(), evaluator.memory.until) == ([], None)


def test_a_silent_site_counts_as_zero_events() -> None:
    known = [row(0, 4.0), row(0, 4.0, site="south")]
    silent = [row(minute, 4.0) for minute in range(1, 6)]
    assert changes(alerts_of([*known, *silent], rules=(FEW,))) == [("south", Change.RAISED, 3)]


def test_a_measure_of_the_whole_domain_has_its_own_rule() -> None:
    evaluator = RuleEvaluator("curbside", (WAIT, SHORT), EvaluatorState())
    assert evaluator.measured("people_short", None, at=NOON, evidence={}) == []
    (raised,) = evaluator.measured("people_short", 3.0, at=NOON, evidence={"interval": "12:30"})
    assert (raised.site, raised.rule, raised.evidence) == ("all", SHORT, {"interval": "12:30"})
    assert evaluator.measured("people_short", 3.0, at=NOON + MINUTE, evidence={}) == []
    (over,) = evaluator.measured("people_short", 0.0, at=NOON + 2 * MINUTE, evidence={})
    assert over.change is Change.RECOVERED


def test_an_alert_whose_values_stop_ends_with_the_time_of_the_last_value() -> None:
    evaluator = RuleEvaluator("curbside", (SHORT,), EvaluatorState())
    evaluator.measured("people_short", 3.0, at=NOON, evidence={})
    times = [NOON + minute * MINUTE for minute in range(1, 2_000)]
    (over,) = sum([evaluator.measured("people_short", None, at=time, evidence={}) for time in times], [])
    assert (over.change, over.value, over.unmeasured_since, over.raised_at) == (Change.RECOVERED, 3.0, NOON, NOON)
    assert over.evidence == {"unmeasured_since": NOON.isoformat()}
    assert evaluator.memory.states["all", "short"].raised_at is None
    assert len(evaluator.measured("people_short", 3.0, at=NOON + 2_000 * MINUTE, evidence={})) == 1


values = st.lists(st.one_of(st.none(), st.floats(0, 20)), min_size=1, max_size=40)


@given(values, st.lists(st.booleans(), min_size=40, max_size=40), st.data())
def test_a_crash_at_any_moment_changes_no_alert(
    measured: list[float | None], south: list[bool], data: st.DataObject
) -> None:
    minutes = [
        [row(minute, value), *([row(minute, value, site="south")] if has_row else [])]
        for minute, (value, has_row) in enumerate(zip(measured, south, strict=False))
    ]
    whole = alerts_of(sum(minutes, []), rules=(WAIT, FEW))
    crash = data.draw(st.integers(0, len(minutes)))
    memory = EvaluatorState()
    before = alerts_of(sum(minutes[:crash], []), memory=memory, rules=(WAIT, FEW))
    restored = EvaluatorState.from_json(json.loads(json.dumps(memory.to_json())))
    # After the crash it reads again from a few minutes before its position.
    start = max(0, crash - data.draw(st.integers(1, 5)))
    assert [*before, *alerts_of(sum(minutes[start:], []), rules=(WAIT, FEW), memory=restored)] == whole


def test_two_bad_minutes_hours_apart_do_not_count_as_bad_hours() -> None:
    assert alerts_of([row(0, 12.0), row(180, 12.0), row(181, 4.0), row(182, 4.0)]) == []
    raised = alerts_of([row(0, 12.0), row(2, 12.0), row(3, 4.0), row(4, 4.0)])
    assert changes(raised)[0] == ("north", Change.RAISED, 3)
