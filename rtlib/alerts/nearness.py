"""Nearness: how near each site is to each alert rule, by the last evaluated window. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from rtlib.alerts.evaluator import EvaluatorState
from rtlib.alerts.rules import Rule, rules_of
from rtlib.domains import ALL_SITES, Domain
from rtlib.domains.spec import OTHER_MEASURES


@dataclass(frozen=True, slots=True)
class SiteLevel:
    """A site beside a rule.

    Attributes:
        title: The site, or "All sites".
        value: The last value that was evaluated, in the rule's unit; None before the first.
        share: How far it is to the threshold; 1 has reached it, None if unknown.
        at: The time of the value (UTC).
        bad_since: Since when it has been beyond the threshold; None if it is not.
        raised_at: When the active alert was raised; None without one.
    """

    title: str
    value: float | None
    share: float | None
    at: datetime | None
    bad_since: datetime | None
    raised_at: datetime | None


@dataclass(frozen=True, slots=True)
class RuleLevel:
    """A rule, and its sites with the nearest to the threshold first."""

    rule: Rule
    sites: tuple[SiteLevel, ...]


def nearness(domain: Domain, memory: Mapping[str, object] | None) -> tuple[RuleLevel, ...]:
    """Every rule of a domain with its sites.

    Args:
        domain: Its rules and sites.
        memory: The stored state of the alert service (``EvaluatorState.to_json``); None before its first window.
    """
    state = EvaluatorState.from_json(memory) if memory else EvaluatorState()
    return tuple(RuleLevel(rule, _sites(domain, rule, state)) for rule in rules_of(domain))


def share_of(rule: Rule, value: float | None) -> float | None:
    """How far a value is to the threshold of a rule: 0.5 is half-way, 1 has reached it; None if that has no meaning."""
    if value is None or rule.threshold <= 0:
        return None
    if rule.direction == "high":
        return max(0.0, value / rule.threshold)
    return rule.threshold / value if value > 0 else 1.0


def _sites(domain: Domain, rule: Rule, state: EvaluatorState) -> tuple[SiteLevel, ...]:
    places = {ALL_SITES: "All sites"} if rule.measure in OTHER_MEASURES else {s.id: s.title for s in domain.sites}
    levels = [_level(title, rule, state, site) for site, title in places.items()]
    return tuple(sorted(levels, key=lambda level: -1.0 if level.share is None else level.share, reverse=True))


def _level(title: str, rule: Rule, state: EvaluatorState, site: str) -> SiteLevel:
    known = state.states.get((site, rule.name))
    if known is None:
        return SiteLevel(title, None, None, None, None, None)
    share = share_of(rule, known.value)
    return SiteLevel(title, known.value, share, known.seen, known.bad_since or known.began, known.raised_at)
