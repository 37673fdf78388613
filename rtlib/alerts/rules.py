"""Rules: what raises an alert and what ends it. Pure: time and value come in, a new state and a change go out."""

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
    """When a number of a site raises an alert.

    Attributes:
        name: The domain's name of the rule.
        measure: The number it watches.
        title, unit: Of the number, for people.
        direction: The side that is bad: ``high`` or ``low``.
        threshold: Reached for ``lasting``, it raises the alert; in ``unit``.
        clear: Left behind for ``lasting``, it ends the alert. It lies on the good side of ``threshold``, so that a
            value that trembles around the threshold raises one alert and not twenty (hysteresis).
        lasting: For how long; one bad moment is no alert.
        cooldown: After an alert has ended no other is raised for so long.
        severity: ``warning`` or ``critical``.
        advice: What to do.
        counts: True for a number that is 0, and not unknown, while nothing happens.
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
        """True when ``value`` has left ``clear`` behind."""
        return value < self.clear if self.direction == "high" else value > self.clear


def rules_of(domain: Domain) -> tuple[Rule, ...]:
    """The rules in the domain's data, with what they watch described for people.

    Raises:
        ConfigError: A rule watches what the domain does not measure.
    """
    return tuple(_rule(spec, domain) for spec in domain.alerts)


def _rule(spec: AlertSpec, domain: Domain) -> Rule:
    kpis = {one.name: (one.title, one.unit, one.direction) for one in domain.kpis}
    known = {**kpis, **OTHER_MEASURES}
    if spec.measure not in known:
        raise ConfigError(
            f"the alert {spec.name!r} of {domain.name} watches {spec.measure!r}, which is not measured",
            cure=f"use one of: {', '.join(known)}",
        )
    title, unit, direction = known[spec.measure]
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
        counts=any(one.name == spec.measure and one.aggregate == "count" for one in domain.kpis),
    )


class Change(StrEnum):
    """What a step came to."""

    NOTHING = "nothing"
    RAISED = "raised"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should know.

    Attributes:
        domain, site: Where.
        rule: What was broken.
        change: ``raised`` or ``recovered``.
        value: The KPI at that moment, in the rule's unit; of what is no longer measured, the last there was.
        since: When it first was bad.
        at: When the alert was raised, or was over.
        raised_at: When it was raised; the same for both messages.
        evidence: What it rests on, by name: the window, its events, the other measures.
        unmeasured_since: It is over because no value comes any more, and this is when the last came; None otherwise.
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
        """The same for the same message, however often it is made: what is not sent twice is known by it."""
        return f"{self.domain}|{self.site}|{self.rule.name}|{self.raised_at:%Y-%m-%dT%H:%M:%SZ}|{self.change}"


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of one rule at one site.

    Attributes:
        bad_since: Since when the value has been bad without a break; None when it is not.
        good_since: Since when it has been good again while an alert is up; None otherwise.
        raised_at: When the alert that is up was raised; None when there is none.
        began: When what led to it began.
        ended_at: When the last alert was over.
        seen: The moment of the last value.
        value: That value.
    """

    bad_since: datetime | None = None
    good_since: datetime | None = None
    raised_at: datetime | None = None
    began: datetime | None = None
    ended_at: datetime | None = None
    seen: datetime | None = None
    value: float | None = None


QUIET = State()
GAP = timedelta(minutes=5)  # after so long without a value nobody knows what was in between


def step(rule: Rule, state: State, *, at: datetime, value: float | None) -> tuple[State, Change]:
    """Go one value further; a value that was not measured (None) changes nothing at first.

    After ``GAP`` without a value, "for so long" begins anew: two bad minutes hours apart are no bad hours. An alert
    that is up ends then: nobody knows whether it still holds, and one that stays up for ever hides the next.

    Args:
        rule: The rule.
        state: What is remembered; ``QUIET`` at first.
        at: The moment of the value; not before that of the step before.
        value: In the rule's unit.
    """
    silent = state.seen is not None and at - state.seen > max(GAP, rule.lasting)
    if value is None:
        return (State(ended_at=at), Change.RECOVERED) if silent and state.raised_at else (state, Change.NOTHING)
    if silent:
        state = replace(state, bad_since=None, good_since=None)
    after, change = _while_up(rule, state, at, value) if state.raised_at else _while_quiet(rule, state, at, value)
    return replace(after, seen=at, value=value), change


def _while_quiet(rule: Rule, state: State, at: datetime, value: float) -> tuple[State, Change]:
    if not rule.is_bad(value):
        return replace(state, bad_since=None), Change.NOTHING
    since = state.bad_since or at
    rests = state.ended_at is not None and at < state.ended_at + rule.cooldown
    if at - since < rule.lasting or rests:
        return replace(state, bad_since=since), Change.NOTHING
    return State(raised_at=at, began=since, ended_at=state.ended_at), Change.RAISED


def _while_up(rule: Rule, state: State, at: datetime, value: float) -> tuple[State, Change]:
    if not rule.is_good(value):
        return replace(state, good_since=None), Change.NOTHING
    since = state.good_since or at
    if at - since < rule.lasting:
        return replace(state, good_since=since), Change.NOTHING
    return State(ended_at=at), Change.RECOVERED
