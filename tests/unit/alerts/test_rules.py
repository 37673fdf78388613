"""Rules: what raises an alert and what ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlib.alerts import QUIET, Change, Rule, State, rules_of, step
from rtlib.alerts.rules import GAP
from rtlib.domains import load_domain
from rtlib.errors import ConfigError
from support.alerts import DOMAINS, NOON, RULE, alert


def changes_of(values: Sequence[tuple[float, float | None]], rule: Rule = RULE) -> list[tuple[float, Change]]:
    """The changes caused by values at some seconds."""
    state, changes = QUIET, []
    for seconds, value in values:
        state, change = step(rule, state, at=NOON + timedelta(seconds=seconds), value=value)
        if change is not Change.NOTHING:
            changes.append((seconds, change))
    return changes


def test_a_surge_raises_an_alert_and_then_a_recovery() -> None:
    values = [(0.0, 5.0)] + [(float(second), 12.0) for second in range(10, 200, 10)]
    values += [(float(second), 5.0) for second in range(200, 400, 10)]
    assert changes_of(values) == [(70.0, Change.RAISED), (260.0, Change.RECOVERED)]


def test_a_single_bad_value_raises_no_alert() -> None:
    assert changes_of([(0, 12), (30, 12), (50, 5), (60, 12), (100, 12)]) == []


def test_a_value_that_fluctuates_around_the_threshold_raises_a_single_alert() -> None:
    values = [(float(second), 10.5 if second % 20 else 9.5) for second in range(100, 2000, 10)]
    assert changes_of([(0.0, 11.0), (60.0, 11.0), *values]) == [(60.0, Change.RAISED)]


def test_after_the_cooldown_a_value_that_is_still_bad_raises_the_next_alert() -> None:
    first = [(0.0, 12.0), (60.0, 12.0), (70.0, 1.0), (130.0, 1.0)]
    second = [(float(seconds), 12.0) for seconds in range(140, 1000, 10)]
    assert changes_of([*first, *second])[2:] == [(130.0 + RULE.cooldown.total_seconds(), Change.RAISED)]


def test_a_measure_whose_low_side_is_bad_raises_an_alert_when_it_falls() -> None:
    low = replace(RULE, direction="low", threshold=0.9, clear=0.95)
    values = [(0.0, 0.8), (60.0, 0.85), (120.0, 0.92), (300.0, 0.97), (360.0, 0.97)]
    assert changes_of(values, low) == [(60.0, Change.RAISED), (360.0, Change.RECOVERED)]


def test_a_missing_value_changes_nothing() -> None:
    state, _ = step(RULE, QUIET, at=NOON, value=12.0)
    assert step(RULE, state, at=NOON + timedelta(seconds=30), value=None) == (state, Change.NOTHING)


def test_an_alert_ends_when_its_values_stop_and_can_be_raised_again() -> None:
    gap = GAP.total_seconds()
    silence = [(60.0 + second, None) for second in range(60, 2_000, 60)]
    bad_again = [(float(second), 12.0) for second in range(3_000, 3_200, 60)]
    assert changes_of([(0.0, 12.0), (60.0, 12.0), *silence, *bad_again]) == [
        (60.0, Change.RAISED), (120.0 + gap, Change.RECOVERED), (3_060.0, Change.RAISED),
    ]  # fmt: skip
    assert changes_of([(0.0, 5.0), *silence]) == []


@given(st.lists(st.tuples(st.floats(1, 300), st.one_of(st.none(), st.floats(0, 20))), max_size=80))
def test_alerts_and_recoveries_alternate_for_any_values(steps: list[tuple[float, float | None]]) -> None:
    at, values = 0.0, []
    for pause, value in steps:
        at += pause
        values.append((at, value))
    changes = [change for _, change in changes_of(values)]
    assert changes == [Change.RAISED, Change.RECOVERED] * (len(changes) // 2) + [Change.RAISED] * (len(changes) % 2)


@pytest.mark.parametrize("name", DOMAINS)
def test_every_domain_has_rules_that_end_on_the_good_side_of_their_threshold(name: str) -> None:
    rules = rules_of(load_domain(name))
    assert rules
    for rule in rules:
        assert rule.is_bad(rule.threshold)
        assert not rule.is_good(rule.threshold)
        assert not rule.is_bad(rule.clear)


def test_a_rule_with_an_unknown_measure_is_named_in_the_error() -> None:
    domain = load_domain("curbside")
    misspelled = replace(domain, alerts=(replace(domain.alerts[0], measure="wait_minuts"),))
    with pytest.raises(ConfigError, match=r"long-wait.*wait_minuts"):
        rules_of(misspelled)


def test_the_two_messages_of_an_alert_have_different_and_stable_keys() -> None:
    raised, repeated = alert(), alert(at=NOON + timedelta(seconds=999), value=99.0)
    assert raised.key == repeated.key
    assert alert(Change.RECOVERED).key != raised.key


def test_a_state_can_be_stored_and_restored() -> None:
    state, _ = step(RULE, QUIET, at=NOON, value=12.0)
    restored = State(**{name: getattr(state, name) for name in State.__dataclass_fields__})
    assert step(RULE, restored, at=NOON + timedelta(seconds=60), value=12.0)[1] is Change.RAISED
