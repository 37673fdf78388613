"""Subjects: a KPI, an alert or a forecast as facts and as prose; explanations of what is not a node of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from rtlib import formatting
from rtlib.config import Settings
from rtlib.domains import Domain, Severity, load_domain
from rtlib.domains.spec import KpiSpec
from rtlib.errors import ConfigError
from rtlib.explain.facts import Fact, Facts
from rtlib.pipeline.monitoring.kpi_board import together
from rtlib.pipeline.workers.alert_text import site_zone
from rtlib.records import Kpi, Status
from rtlib.warehouse import alert_outbox
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.plan_store import read_backtests
from rtlib.warehouse.reads import latest_kpis

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

P = ParamSpec("P")
Result = TypeVar("Result")

KINDS = ("kpi", "alert", "forecast")


@dataclass(frozen=True, slots=True)
class Subject:
    """The facts of a subject, and its text without a model."""

    facts: Facts
    text: str


def is_subject(name: str) -> bool:
    """True for ``kpi:<name>``, ``alert:newest``, ``alert:<key>``, ``forecast:all`` and ``forecast:<site>``."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and kind in KINDS


def choices(domain: Domain, kind: str) -> list[tuple[str, str]]:
    """(title, name) of every KPI or forecast for a choice of subjects; alerts have a list of their own."""
    if kind == "kpi":
        return [(kpi.title, f"kpi:{kpi.name}") for kpi in domain.kpis]
    return [("All sites", "forecast:all"), *((site.title, f"forecast:{site.id}") for site in domain.sites)]


def subject(settings: Settings, name: str, *, utc: bool = False) -> Subject:
    """Gather the facts of a KPI, an alert or a forecast; see ``is_subject`` for their names.

    Times in the text are by the clocks of the site, or in UTC.

    Raises:
        ConfigError: There is no such subject, or nothing was measured for it yet.
        WarehouseError: The warehouse does not answer.
    """
    kind, _, which = name.partition(":")
    make: Mapping[str, Callable[[Settings, Domain, str], Subject]] = {
        "kpi": _kpi,
        "alert": _alert,
        "forecast": _forecast,
    }
    domain = load_domain(settings.domain)
    return make[kind](settings, _in_utc(domain) if utc else domain, which)


def _in_utc(domain: Domain) -> Domain:
    return replace(domain, time_zone="UTC", sites=tuple(replace(site, time_zone="UTC") for site in domain.sites))


def _kpi(settings: Settings, domain: Domain, name: str) -> Subject:
    spec = next((kpi for kpi in domain.kpis if kpi.name == name), None)
    if spec is None:
        names = ", ".join(f"kpi:{kpi.name}" for kpi in domain.kpis)
        raise ConfigError(f"{domain.name} has no KPI called {name!r}", cure=f"use one of: {names}")
    rows = _query(settings, latest_kpis, domain.name, minutes=1)
    value = together(spec, rows)
    if value is None:
        raise ConfigError(f"nothing was measured for {spec.title} yet", cure="rtlib status; the stack must be running")
    worst = _worst(spec, rows)
    titles = {site.id: site.title for site in domain.sites}
    bounds = [("watch from", spec.warn), ("act from", spec.critical)]
    numbers = (
        Fact("all sites", value, spec.unit),
        Fact(f"worst site, {titles[worst.site]}", float(worst.measures[spec.name] or 0.0), spec.unit),
        *(Fact(label, bound, spec.unit) for label, bound in bounds if bound is not None),
    )
    severity = spec.severity(value)
    words = {
        Severity.NONE: "as it should be",
        Severity.GOOD: "as it should be",
        Severity.WATCH: "to be watched",
        Severity.ACT: "bad: it needs action",
    }
    facts = _facts(
        spec.title, spec.plain, severity in (Severity.GOOD, Severity.NONE), words[severity], numbers, ("KPI query",)
    )
    facts = replace(facts, site=titles[worst.site])
    side = "falls to" if spec.direction == "low" else "reaches"
    bound = f" It is bad once it {side} {numbers[-1].text}." if spec.critical is not None else ""
    text = (
        f"{spec.plain} Right now it is {numbers[0].text} over all sites, which is {words[severity]}. "
        f"{titles[worst.site]} has {numbers[1].text}, the {'lowest' if spec.direction == 'low' else 'highest'}.{bound}"
    )
    return Subject(facts, text)


def _worst(spec: KpiSpec, rows: list[Kpi]) -> Kpi:
    measured = [row for row in rows if row.measures.get(spec.name) is not None]
    sign = 1 if spec.direction == "high" else -1
    return max(measured, key=lambda row: sign * float(row.measures[spec.name] or 0.0))


def _alert(settings: Settings, domain: Domain, key: str) -> Subject:
    rows = _query(settings, alert_outbox.recent, domain.name, limit=200)
    row = next((row for row in rows if key in ("newest", row["alert_key"])), None)
    if row is None:
        raise ConfigError("there is no such alert", cure="rtlib explain alert:newest, once there is one")
    spec = next((rule for rule in domain.alerts if rule.name == row["rule"]), None)
    minutes = round((row["judged_at"] - row["began_at"]).total_seconds() / 60)
    events = row["evidence"].get("events")
    numbers = (
        Fact("value", float(row["value"]), row["unit"]),
        Fact("threshold", float(row["threshold"]), row["unit"]),
        Fact("lasted", float(minutes), "min"),
        *((Fact("events behind it", float(events), "events"),) if isinstance(events, int) else ()),
    )
    over = row["change"] == "recovered"
    advice = spec.advice if spec else ""
    state = "it is over" if over else "it is up"
    facts = _facts(row["title"], advice, over, state, numbers, ("KPI query",))
    verb, at = "is back to" if over else "was", row["judged_at"]
    if last := alert_outbox.unmeasured_since(row):
        verb, at = "is no longer measured; its last value was", last
    made = f" It rests on {numbers[3].text}." if len(numbers) > 3 else ""
    time = formatting.local_time(at, site_zone(domain, row["site"]))
    text = (
        f"{row['title']} {verb} {numbers[0].text} at {time}; the alert's threshold is "
        f"{numbers[1].text}, and it had lasted {numbers[2].text}.{made} The card was {row['status']}."
        f"{'' if over else ' ' + advice}"
    )
    return Subject(facts, text)


def _forecast(settings: Settings, domain: Domain, site: str) -> Subject:
    backtests = _query(settings, read_backtests, domain.name)
    rows = [row for row in backtests if row["site"] == site]
    champion = next((row for row in rows if row["is_champion"]), None)
    if champion is None:
        raise ConfigError(f"no forecast was made for {site!r}", cure="rtlib staffing forecast")
    numbers = (
        Fact("error (WAPE)", 100 * float(champion["wape"]), "%"),
        Fact("interval held", 100 * float(champion["coverage_80"]), "%"),
        Fact("tested on", float(champion["origins"]), "earlier days"),
        Fact("models tried", float(len(rows)), "models"),
    )
    facts = _facts("Forecast", str(champion["why"]), True, f"champion: {champion['model']}", numbers, ("dbt marts",))
    text = (
        f"{champion['why']} Of {formatting.format_number(numbers[3].value)} models that were tried it did best; "
        f"its error is "
        f"{numbers[0].text} of the load, and its 80% interval held {numbers[1].text} of the time."
    )
    return Subject(facts, text)


def _facts(
    title: str, plain: str, well: bool, reason: str, numbers: tuple[Fact, ...], sources: tuple[str, ...]
) -> Facts:
    status = Status.HEALTHY if well else Status.DEGRADED
    return Facts(title, plain, status, reason, numbers, "", False, sources, (), "")


def _query(
    settings: Settings,
    read: Callable[Concatenate[SnowflakeConnection, P], Result],
    *args: P.args,
    **kwargs: P.kwargs,
) -> Result:
    with closing(Warehouse(settings, ride_out_seconds=2)) as warehouse:
        return warehouse.run(read, *args, **kwargs)
