"""Evaluator: applies the rules to every finished window, once, and keeps its position. Pure: rows in, alerts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from rtlib.alerts.rules import QUIET, Alert, Change, Rule, State, step
from rtlib.domains import ALL_SITES
from rtlib.records import Kpi

GRACE = timedelta(seconds=5)  # events arrive a few seconds out of order; later ones change no alert
UNMEASURED = "unmeasured_since"  # in the evidence of an alert that ended because its values stopped


@dataclass
class EvaluatorState:
    """The state to persist, so that the evaluation continues after a crash as if there had been none.

    Attributes:
        states: The state of each rule at each site, by (site, rule).
        until: The end of the newest evaluated window; None before the first.
    """

    states: dict[tuple[str, str], State] = field(default_factory=dict)
    until: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """A form for JSON; it includes sites without an alert, because a site may fall silent."""
        states = [
            {
                "site": site,
                "rule": rule,
                **{part.name: _json_value(getattr(state, part.name)) for part in fields(State)},
            }
            for (site, rule), state in sorted(self.states.items())
        ]
        return {"states": states, "until": _text(self.until)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EvaluatorState:
        """The state that ``to_json`` returned."""
        states = {
            (row["site"], row["rule"]): State(**{part.name: _from_json(row.get(part.name)) for part in fields(State)})
            for row in data["states"]
        }
        return cls(states, _moment(data["until"]))


class RuleEvaluator:
    """Takes KPI rows as they arrive and evaluates each window once, when it is over.

    A window is over when an event ``GRACE`` newer than its end has been counted at some site, and Kafka's clock has
    also reached that time. The first condition alone would trust a producer whose clock is fast; the second alone would
    evaluate half-counted windows while the stream catches up. A known site without a row in a window has 0 events.

    Args:
        domain: The domain of the rows.
        rules: The rules to apply.
        memory: The state to continue from; changed in place.
    """

    def __init__(self, domain: str, rules: Iterable[Rule], memory: EvaluatorState) -> None:
        self._domain, self._rules, self.memory = domain, tuple(rules), memory
        self._waiting: dict[datetime, dict[str, Kpi]] = {}
        self._sites: set[str] = {site for site, _ in memory.states}
        self._event_clock = self._kafka_clock = datetime.min.replace(tzinfo=UTC)

    def take(self, kpi: Kpi) -> None:
        """Store a row; the newest row of a site and window counts, and rows of evaluated windows are ignored."""
        self._event_clock = max(self._event_clock, kpi.last_event_at)
        self._kafka_clock = max(self._kafka_clock, kpi.emitted_at)
        if self.memory.until is None or kpi.window_end > self.memory.until:
            self._waiting.setdefault(kpi.window_end, {})[kpi.site] = kpi

    def judge(self) -> list[Alert]:
        """Evaluate the windows that are over, the oldest first; returns the alerts raised and ended."""
        now = min(self._event_clock, self._kafka_clock)
        alerts: list[Alert] = []
        for end in sorted(end for end in self._waiting if end + GRACE <= now):
            rows = self._waiting.pop(end)
            self._sites |= rows.keys() - {ALL_SITES}
            for site in sorted(self._sites - {ALL_SITES}):
                alerts += self._window(site, end, rows.get(site))
            self.memory.until = end
        return alerts

    def measured(
        self, measure: str, value: float | None, *, at: datetime, evidence: Mapping[str, object]
    ) -> list[Alert]:
        """Apply the rules of a measure of the whole domain; returns the alerts raised and ended.

        Args:
            measure: One of ``OTHER_MEASURES``.
            value: The value in the measure's unit; None if unknown.
            at: The time of the value; not before the time of the last call.
            evidence: The data behind the value.
        """
        rules = [rule for rule in self._rules if rule.measure == measure]
        steps = [self._step(rule, ALL_SITES, at, value, evidence) for rule in rules]
        return [alert for alert in steps if alert]

    def _window(self, site: str, end: datetime, row: Kpi | None) -> list[Alert]:
        steps = []
        for rule in self._rules:
            without_row = 0.0 if rule.counts else None
            value = row.measures.get(rule.measure) if row else without_row
            steps.append(self._step(rule, site, end, value, _evidence(row)))
        return [alert for alert in steps if alert]

    def _step(
        self, rule: Rule, site: str, at: datetime, value: float | None, evidence: Mapping[str, object]
    ) -> Alert | None:
        before = self.memory.states.get((site, rule.name), QUIET)
        state, change = step(rule, before, at=at, value=value)
        self.memory.states[site, rule.name] = state
        latest = before.value if value is None else value
        if change is Change.NOTHING or latest is None:
            return None
        active = state if change is Change.RAISED else before
        return Alert(
            self._domain, site, rule, change, latest, since=active.began or at, at=at, raised_at=active.raised_at or at,
            evidence=evidence if value is not None else {**evidence, UNMEASURED: _text(before.seen)},
            unmeasured_since=before.seen if value is None else None,
        )  # fmt: skip


def _evidence(row: Kpi | None) -> dict[str, object]:
    if row is None:
        return {"events": 0}
    return {
        "window_start": _text(row.window_start),
        "window_end": _text(row.window_end),
        "events": row.events,
        "late": row.late,
        "measures": dict(row.measures),
        "emitted_at": _text(row.emitted_at),
    }


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _json_value(value: datetime | float | None) -> str | float | None:
    return _text(value) if isinstance(value, datetime) else value


def _from_json(value: str | float | None) -> Any:
    return _moment(value) if isinstance(value, str) else value


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
