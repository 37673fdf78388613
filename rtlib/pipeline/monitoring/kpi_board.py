"""KPI board: rows of the speed layer as the KPI cards above the graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from rtlib.domains import Domain, KpiSpec
from rtlib.graph import KpiBoard, KpiCard, SiteBoard
from rtlib.records import Kpi


class NewestBoard:
    """The newest board: published by the probe that reads the speed layer, read by the monitor.

    Args:
        title: Title of the empty board that is returned before the first one is published.
    """

    def __init__(self, title: str) -> None:
        self._board = KpiBoard(title=title)

    def publish(self, board: KpiBoard) -> None:
        """Replace the board."""
        self._board = board

    def newest(self) -> KpiBoard:
        """The board published last."""
        return self._board


def kpi_board(domain: Domain, rows: Sequence[Kpi], *, events: int | None) -> KpiBoard:
    """Combine all sites window by window, and show the newest window.

    Args:
        domain: Its KPIs and their thresholds.
        rows: Rows of the speed layer, of any windows.
        events: Number of events in the warehouse; None if unknown.
    """
    by_site: dict[str, list[Kpi]] = defaultdict(list)
    for row in rows:
        by_site[row.site].append(row)
    sites = tuple(
        SiteBoard(site.title, _cards(domain, by_site[site.id])) for site in domain.sites if site.id in by_site
    )
    return KpiBoard(title=domain.title, cards=_cards(domain, rows), events=events, sites=sites)


def _cards(domain: Domain, rows: Sequence[Kpi]) -> tuple[KpiCard, ...]:
    by_window: dict[datetime, list[Kpi]] = defaultdict(list)
    for row in rows:
        by_window[row.window_start].append(row)
    windows = [by_window[start] for start in sorted(by_window)]
    return tuple(_card(spec, windows) for spec in domain.kpis)


def _card(spec: KpiSpec, windows: Sequence[Sequence[Kpi]]) -> KpiCard:
    value = together(spec, windows[-1]) if windows else None
    history = tuple(together(spec, window) for window in windows[:-1])
    at = max((row.last_event_at for row in windows[-1]), default=None) if windows else None
    return KpiCard(spec.name, spec.title, spec.unit, value, spec.severity(value), at, history)


def together(spec: KpiSpec, rows: Sequence[Kpi]) -> float | None:
    """A KPI over all sites of a window; None if no site measured anything.

    Counts and sums are added, extremes are taken again. Means and shares are weighted by the sites' events: an
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
