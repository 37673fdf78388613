"""Alert text: the wording of a card, from the rule and the staffing plan."""

from __future__ import annotations

from rtlib import formatting
from rtlib.alerts import Alert, Change
from rtlib.domains import Domain
from rtlib.warehouse.plan_status import Shortage


def site_title(domain: Domain, site: str) -> str:
    """A site's title; the domain's title for a measure of all sites."""
    return next((candidate.title for candidate in domain.sites if candidate.id == site), domain.title)


def site_zone(domain: Domain, site: str) -> str:
    """A site's time zone; the domain's for a measure of all sites."""
    return next((candidate.time_zone for candidate in domain.sites if candidate.id == site), domain.time_zone)


def advice(alert: Alert, domain: Domain, plan: Shortage) -> str:
    """What to do: the rule's advice, and whether the need has grown beyond the staffing plan in the next hours."""
    if alert.unmeasured_since:
        return "It is no longer measured, so its present state is unknown: see in the app what stopped."
    if alert.change is Change.RECOVERED:
        return "Nothing more to do. Thank you."
    if plan.people is None:
        return alert.rule.advice
    role = domain.staffing.title.lower()
    if plan.people > 0:
        worst = f"at {formatting.local_time(plan.interval, domain.time_zone)}" if plan.interval else "soon"
        return (
            f"{alert.rule.advice} As now forecast, {plan.people:.0f} × {role} more than planned for are needed {worst}."
        )
    return f"{alert.rule.advice} The staffing plan holds for the next two hours."
