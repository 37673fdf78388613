"""Board: the speed layer's rows as the KPI cards above the graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from rtlib import domains, graph
from rtlib.domains import Domain, KpiSpec
from rtlib.records import Kpi

CARD_SEVERITY = {
    domains.Severity.OK: graph.Severity.GOOD,
    domains.Severity.WARN: graph.Severity.WATCH,
    domains.Severity.CRITICAL: graph.Severity.ACT,
}


def kpi_board(domain: Domain, rows: Sequence[Kpi], *, events: int | None) -> graph.KpiBoard:
    """Put all sites of a window together, window by window, and show the newest.

    Args:
        domain: Its KPIs and their thresholds.
        rows: Rows of the speed layer, of any windows.
        events: How many events the warehouse holds.
    """
    by_site: dict[str, list[Kpi]] = defaultdict(list)
    for row in rows:
        by_site[row.site].append(row)
    sites = tuple(
        graph.SiteBoard(site.title, _cards(domain, by_site[site.id])) for site in domain.sites if site.id in by_site
    )
    return graph.KpiBoard(title=domain.title, cards=_cards(domain, rows), events=events, sites=sites)


def _cards(domain: Domain, rows: Sequence[Kpi]) -> tuple[graph.KpiCard, ...]:
    by_window: dict[datetime, list[Kpi]] = defaultdict(list)
    for row in rows:
        by_window[row.window_start].append(row)
    windows = [by_window[start] for start in sorted(by_window)]
    return tuple(_card(spec, windows) for spec in domain.kpis)


def _card(spec: KpiSpec, windows: Sequence[Sequence[Kpi]]) -> graph.KpiCard:
    value = together(spec, windows[-1]) if windows else None
    history = tuple(together(spec, window) for window in windows[:-1])
    measured = value is not None and (spec.warn is not None or spec.critical is not None)
    at = max((row.last_event_at for row in windows[-1]), default=None) if windows else None
    severity = CARD_SEVERITY[spec.severity(value)] if measured else graph.Severity.NONE
    return graph.KpiCard(spec.name, spec.title, spec.unit, value, severity, at, history)


def together(spec: KpiSpec, rows: Sequence[Kpi]) -> float | None:
    """One number for all sites of a window; None where no site measured anything.

    Counts and sums add up, extremes are taken again, and means and shares are weighted by the sites' events: an
    approximation, because a row keeps the mean and not the number of values behind it.
    """
    measured = [(value, row.events) for row in rows if (value := row.measures.get(spec.name)) is not None]
    if not measured:
        return None
    values = [value for value, _ in measured]
    if spec.aggregate in ("count", "sum"):
        return sum(values)
    if spec.aggregate in ("max", "min"):
        return max(values) if spec.aggregate == "max" else min(values)
    weight = sum(events for _, events in measured)
    return sum(value * events for value, events in measured) / weight if weight else None
