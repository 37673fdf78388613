"""Judge: holds every finished window against the rules, once, and remembers where it is. Pure: rows in, alerts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from rtlib.alerts.rules import QUIET, Alert, Change, Rule, State, step
from rtlib.records import Kpi

GRACE = timedelta(seconds=5)  # events come a few seconds out of order; what comes later changes no alert
EVERYWHERE = "all"  # the site of what is measured for a domain as a whole
UNMEASURED = "unmeasured_since"  # in the evidence of what is over because no value comes any more


@dataclass
class EvaluatorState:
    """All that has to be kept to go on after a crash as if there had been none.

    Attributes:
        states: What is remembered of each site and rule.
        until: The end of the newest window that was judged; None before the first.
    """

    states: dict[tuple[str, str], State] = field(default_factory=dict)
    until: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it; a site of which nothing is remembered but its name is kept: it may fall silent."""
        told = [
            {"site": site, "rule": rule, **{one.name: _kept(getattr(state, one.name)) for one in fields(State)}}
            for (site, rule), state in sorted(self.states.items())
        ]
        return {"states": told, "until": _text(self.until)}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> EvaluatorState:
        """The memory that ``to_json`` told."""
        states = {
            (one["site"], one["rule"]): State(**{part.name: _taken_up(one.get(part.name)) for part in fields(State)})
            for one in told["states"]
        }
        return cls(states, _moment(told["until"]))


class RuleEvaluator:
    """Takes KPI rows as they come and judges a window when it is over.

    A window is over when an event ``GRACE`` newer than its end has been counted somewhere, and Kafka's clock has gone
    as far: the first alone would believe a producer whose clock is ahead, the second alone would judge half-counted
    windows while the stream catches up. Each is judged once; by its rows a site that was heard of before and has none
    counts 0 events.

    Args:
        domain: Whose rows.
        rules: What to hold them against.
        memory: Where to go on; it is changed in place.
    """

    def __init__(self, domain: str, rules: Iterable[Rule], memory: EvaluatorState) -> None:
        self._domain, self._rules, self.memory = domain, tuple(rules), memory
        self._waiting: dict[datetime, dict[str, Kpi]] = {}
        self._sites: set[str] = {site for site, _ in memory.states}
        self._event_clock = self._kafka_clock = datetime.min.replace(tzinfo=UTC)

    def take(self, kpi: Kpi) -> None:
        """Note a row; the newest of a site and window counts, and rows of judged windows are passed over."""
        self._event_clock = max(self._event_clock, kpi.last_event_at)
        self._kafka_clock = max(self._kafka_clock, kpi.emitted_at)
        if self.memory.until is None or kpi.window_end > self.memory.until:
            self._waiting.setdefault(kpi.window_end, {})[kpi.site] = kpi

    def judge(self) -> list[Alert]:
        """Judge the windows that are over, the oldest first."""
        now = min(self._event_clock, self._kafka_clock)
        found: list[Alert] = []
        for end in sorted(one for one in self._waiting if one + GRACE <= now):
            rows = self._waiting.pop(end)
            self._sites |= rows.keys() - {EVERYWHERE}
            for site in sorted(self._sites - {EVERYWHERE}):
                found += self._window(site, end, rows.get(site))
            self.memory.until = end
        return found

    def measured(
        self, measure: str, value: float | None, *, at: datetime, evidence: Mapping[str, object]
    ) -> list[Alert]:
        """Hold a number of the whole domain against the rules that watch it.

        Args:
            measure: One of ``OTHER_MEASURES``.
            value: In its unit; None where it is not known.
            at: When it was true; not before that of the last call.
            evidence: What it rests on.
        """
        found = [self._step(rule, EVERYWHERE, at, value, evidence) for rule in self._rules if rule.measure == measure]
        return [one for one in found if one]

    def _window(self, site: str, end: datetime, row: Kpi | None) -> list[Alert]:
        found = []
        for rule in self._rules:
            nothing = 0.0 if rule.counts else None
            value = row.measures.get(rule.measure) if row else nothing
            found.append(self._step(rule, site, end, value, _evidence(row)))
        return [one for one in found if one]

    def _step(
        self, rule: Rule, site: str, at: datetime, value: float | None, evidence: Mapping[str, object]
    ) -> Alert | None:
        before = self.memory.states.get((site, rule.name), QUIET)
        state, change = step(rule, before, at=at, value=value)
        self.memory.states[site, rule.name] = state
        told = before.value if value is None else value
        if change is Change.NOTHING or told is None:
            return None
        up = state if change is Change.RAISED else before
        return Alert(
            self._domain, site, rule, change, told, since=up.began or at, at=at, raised_at=up.raised_at or at,
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


def _kept(value: datetime | float | None) -> str | float | None:
    return _text(value) if isinstance(value, datetime) else value


def _taken_up(told: str | float | None) -> Any:
    return _moment(told) if isinstance(told, str) else told


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
