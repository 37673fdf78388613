"""The judge: every finished window once, in order, also after a crash, and whatever the clocks say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rtlib.alerts import Alert, Change, Judge, Memory, Rule
from rtlib.records import Kpi

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WAIT = Rule("long-wait", "wait", "Mean wait", "min", "high", threshold=10.0, clear=7.0)
FEW = Rule("few", "orders", "Orders", "orders", "low", threshold=0.0, clear=5.0, counts=True)
SHORT = Rule("short", "people_short", "People short", "people", "high", 2.0, 1.0, lasting=timedelta(0))


def row(minute: int, value: float | None, *, site: str = "north", **fields: Any) -> Kpi:
    """The row of a minute, told at its end."""
    start = NOON + minute * MINUTE
    told = Kpi(
        domain="curbside", site=site, window_start=start, window_end=start + MINUTE,
        measures={"wait": value, "orders": 10.0}, events=20, late=0, first_event_at=start,
        last_event_at=start + timedelta(seconds=59), emitted_at=start + timedelta(seconds=59),
    )  # fmt: skip
    return replace(told, **fields)


def judged(rows: list[Kpi], *, rules: tuple[Rule, ...] = (WAIT,), memory: Memory | None = None) -> list[Alert]:
    judge = Judge("curbside", rules, memory or Memory())
    found = []
    for one in rows:
        judge.take(one)
        found += judge.judge()
    return found


def changes(alerts: list[Alert]) -> list[tuple[str, Change, int]]:
    """Site, change, and the minute at whose end it was."""
    return [(one.site, one.change, (one.at - NOON) // MINUTE) for one in alerts]


SURGE = [row(minute, 12.0 if 2 <= minute < 6 else 4.0) for minute in range(12)]


def test_a_surge_is_one_alert_and_one_recovery_with_the_evidence() -> None:
    raised, over = judged(SURGE)
    assert changes([raised, over]) == [("north", Change.RAISED, 4), ("north", Change.RECOVERED, 8)]
    assert (raised.since, raised.raised_at, over.raised_at) == (NOON + 3 * MINUTE, raised.at, raised.at)
    assert raised.evidence["events"] == 20
    assert raised.evidence["window_end"] == (NOON + 4 * MINUTE).isoformat()


def test_a_window_is_judged_by_its_newest_row_and_not_before_it_is_over() -> None:
    early = [row(0, 50.0, last_event_at=NOON, emitted_at=NOON), row(0, 4.0)]
    assert judged([*early, row(1, 4.0), row(2, 4.0), row(3, 4.0)]) == []


def test_a_producer_whose_clock_is_ahead_closes_no_window() -> None:
    judge = Judge("curbside", (WAIT,), Memory())
    judge.take(row(0, 50.0, last_event_at=NOON + 5 * MINUTE, emitted_at=NOON + timedelta(seconds=10)))
    assert (judge.judge(), judge.memory.until) == ([], None)


def test_while_the_stream_catches_up_no_window_is_judged_half_counted() -> None:
    judge = Judge("curbside", (WAIT,), Memory())
    judge.take(row(0, 50.0, last_event_at=NOON + timedelta(seconds=3), emitted_at=NOON + 30 * MINUTE))
    assert (judge.judge(), judge.memory.until) == ([], None)


def test_a_site_that_falls_silent_counts_nothing_and_is_told() -> None:
    heard = [row(0, 4.0), row(0, 4.0, site="south")]
    silent = [row(minute, 4.0) for minute in range(1, 6)]
    assert changes(judged([*heard, *silent], rules=(FEW,))) == [("south", Change.RAISED, 3)]


def test_what_is_measured_for_the_whole_domain_has_a_rule_of_its_own() -> None:
    judge = Judge("curbside", (WAIT, SHORT), Memory())
    assert judge.measured("people_short", None, at=NOON, evidence={}) == []
    (raised,) = judge.measured("people_short", 3.0, at=NOON, evidence={"interval": "12:30"})
    assert (raised.site, raised.rule, raised.evidence) == ("all", SHORT, {"interval": "12:30"})
    assert judge.measured("people_short", 3.0, at=NOON + MINUTE, evidence={}) == []
    (over,) = judge.measured("people_short", 0.0, at=NOON + 2 * MINUTE, evidence={})
    assert over.change is Change.RECOVERED


def test_an_alert_whose_plan_has_run_out_is_over_and_says_when_it_was_measured_last() -> None:
    judge = Judge("curbside", (SHORT,), Memory())
    judge.measured("people_short", 3.0, at=NOON, evidence={})
    told = [judge.measured("people_short", None, at=NOON + minute * MINUTE, evidence={}) for minute in range(1, 2_000)]
    (over,) = sum(told, [])
    assert (over.change, over.value, over.unmeasured_since, over.raised_at) == (Change.RECOVERED, 3.0, NOON, NOON)
    assert over.evidence == {"unmeasured_since": NOON.isoformat()}
    assert judge.memory.states["all", "short"].raised_at is None
    assert len(judge.measured("people_short", 3.0, at=NOON + 2_000 * MINUTE, evidence={})) == 1


values = st.lists(st.one_of(st.none(), st.floats(0, 20)), min_size=1, max_size=40)


@given(values, st.lists(st.booleans(), min_size=40, max_size=40), st.data())
def test_a_crash_at_any_moment_changes_no_alert(
    told: list[float | None], south: list[bool], data: st.DataObject
) -> None:
    minutes = [
        [row(minute, value), *([row(minute, value, site="south")] if speaks else [])]
        for minute, (value, speaks) in enumerate(zip(told, south, strict=False))
    ]
    whole = judged(sum(minutes, []), rules=(WAIT, FEW))
    crash = data.draw(st.integers(0, len(minutes)))
    memory = Memory()
    before = judged(sum(minutes[:crash], []), memory=memory, rules=(WAIT, FEW))
    kept = Memory.from_json(json.loads(json.dumps(memory.to_json())))
    # After the crash it reads again from some minutes before what it had judged.
    again = max(0, crash - data.draw(st.integers(1, 5)))
    assert [*before, *judged(sum(minutes[again:], []), rules=(WAIT, FEW), memory=kept)] == whole


def test_two_bad_minutes_hours_apart_are_no_bad_hours() -> None:
    assert judged([row(0, 12.0), row(180, 12.0), row(181, 4.0), row(182, 4.0)]) == []
    raised = judged([row(0, 12.0), row(2, 12.0), row(3, 4.0), row(4, 4.0)])
    assert changes(raised)[0] == ("north", Change.RAISED, 3)
