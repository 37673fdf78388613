"""Rules: what raises an alert and what ends it. Pure: a time and a value in, a new state and a change out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from rtlib.domains import Domain
from rtlib.domains.spec import OTHER_MEASURES, AlertSpec, Direction
from rtlib.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Rule:
    """When a measure of a site raises an alert.

    Attributes:
        name: The name of the rule in the domain.
        measure: The measure that the rule watches.
        title, unit: Of the measure, for people.
        direction: The bad side: ``high`` or ``low``.
        threshold: The alert is raised when the value has reached it for ``lasting``; in ``unit``.
        clear: The alert ends when the value has been better for ``lasting``; in ``unit``. It is on the good side of
            ``threshold``, so that a value that fluctuates around the threshold raises a single alert (hysteresis).
        lasting: How long the value must stay bad or good; a single bad value raises no alert.
        cooldown: How long after the end of an alert no other is raised.
        severity: ``warning`` or ``critical``.
        advice: What to do.
        counts: Whether the measure is 0, and not unknown, when there are no events.
    """

    name: str
    measure: str
    title: str
    unit: str
    direction: Direction
    threshold: float
    clear: float
    lasting: timedelta = timedelta(seconds=60)
    cooldown: timedelta = timedelta(minutes=10)
    severity: str = "critical"
    advice: str = ""
    counts: bool = False

    def is_bad(self, value: float) -> bool:
        """True when ``value`` has reached the threshold."""
        return value >= self.threshold if self.direction == "high" else value <= self.threshold

    def is_good(self, value: float) -> bool:
        """True when ``value`` is better than ``clear``."""
        return value < self.clear if self.direction == "high" else value > self.clear


def rules_of(domain: Domain) -> tuple[Rule, ...]:
    """The alert rules of a domain, with the title and the unit of their measures.

    Raises:
        ConfigError: A rule watches a measure that the domain does not have.
    """
    return tuple(_rule(spec, domain) for spec in domain.alerts)


def _rule(spec: AlertSpec, domain: Domain) -> Rule:
    kpis = {kpi.name: (kpi.title, kpi.unit, kpi.direction) for kpi in domain.kpis}
    measures = {**kpis, **OTHER_MEASURES}
    if spec.measure not in measures:
        raise ConfigError(
            f"the alert {spec.name!r} of {domain.name} watches {spec.measure!r}, which is not measured",
            cure=f"use one of: {', '.join(measures)}",
        )
    title, unit, direction = measures[spec.measure]
    return Rule(
        name=spec.name,
        measure=spec.measure,
        title=title,
        unit=unit,
        direction=direction,
        threshold=spec.threshold,
        clear=spec.clear,
        lasting=timedelta(seconds=spec.for_seconds),
        cooldown=timedelta(seconds=spec.cooldown_seconds),
        severity=spec.severity,
        advice=spec.advice,
        counts=any(kpi.name == spec.measure and kpi.aggregate == "count" for kpi in domain.kpis),
    )


class Change(StrEnum):
    """The result of a step."""

    NOTHING = "nothing"
    RAISED = "raised"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Alert:
    """The start or the end of an alert.

    Attributes:
        domain, site: Where it happened.
        rule: The rule that raised the alert.
        change: ``raised`` or ``recovered``.
        value: The measure at that time, in the rule's unit; the last value if it is no longer measured.
        since: When the value became bad.
        at: When the alert was raised, or ended.
        raised_at: When the alert was raised; the same for both messages.
        evidence: The data behind the alert, by name: the window, its events, the other measures.
        unmeasured_since: The time of the last value, if the alert ended because the values stopped; None otherwise.
    """

    domain: str
    site: str
    rule: Rule
    change: Change
    value: float
    since: datetime
    at: datetime
    raised_at: datetime
    evidence: Mapping[str, object] = field(default_factory=dict)
    unmeasured_since: datetime | None = None

    @property
    def key(self) -> str:
        """The identity of the message, by which a repeated message is recognized."""
        return f"{self.domain}|{self.site}|{self.rule.name}|{self.raised_at:%Y-%m-%dT%H:%M:%SZ}|{self.change}"


@dataclass(frozen=True, slots=True)
class State:
    """The state of a rule at a site.

    Attributes:
        bad_since: Start of the current period of bad values; None if the value is not bad.
        good_since: Start of the current period of good values during an alert; None otherwise.
        raised_at: When the active alert was raised; None without an active alert.
        began: When the bad period of the active alert began.
        ended_at: When the last alert ended.
        seen: The time of the last value.
        value: The last value.
    """

    bad_since: datetime | None = None
    good_since: datetime | None = None
    raised_at: datetime | None = None
    began: datetime | None = None
    ended_at: datetime | None = None
    seen: datetime | None = None
    value: float | None = None


QUIET = State()
GAP = timedelta(minutes=5)  # after a longer gap the values in between are unknown


def step(rule: Rule, state: State, *, at: datetime, value: float | None) -> tuple[State, Change]:
    """Process the next value; a missing value (None) has no effect at first.

    After ``GAP`` without a value, ``lasting`` restarts: two bad minutes hours apart are not bad hours. An active alert
    ends then, because its condition is unknown, and an alert that never ends would hide the next.

    Args:
        rule: The rule.
        state: The state before; ``QUIET`` at first.
        at: The time of the value; not before the time of the previous step.
        value: The value in the rule's unit.

    Returns:
        The state after, and what has changed.
    """
    silent = state.seen is not None and at - state.seen > max(GAP, rule.lasting)
    if value is None:
        return (State(ended_at=at), Change.RECOVERED) if silent and state.raised_at else (state, Change.NOTHING)
    if silent:
        state = replace(state, bad_since=None, good_since=None)
    after, change = _while_raised(rule, state, at, value) if state.raised_at else _while_quiet(rule, state, at, value)
    return replace(after, seen=at, value=value), change


def _while_quiet(rule: Rule, state: State, at: datetime, value: float) -> tuple[State, Change]:
    if not rule.is_bad(value):
        return replace(state, bad_since=None), Change.NOTHING
    since = state.bad_since or at
    cools_down = state.ended_at is not None and at < state.ended_at + rule.cooldown
    if at - since < rule.lasting or cools_down:
        return replace(state, bad_since=since), Change.NOTHING
    return State(raised_at=at, began=since, ended_at=state.ended_at), Change.RAISED


def _while_raised(rule: Rule, state: State, at: datetime, value: float) -> tuple[State, Change]:
    if not rule.is_good(value):
        return replace(state, good_since=None), Change.NOTHING
    since = state.good_since or at
    if at - since < rule.lasting:
        return replace(state, good_since=since), Change.NOTHING
    return State(ended_at=at), Change.RECOVERED
