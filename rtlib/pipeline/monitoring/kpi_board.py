"""KPI board: rows of the speed layer as the KPI cards above the graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rtlib.domains import ALL_SITES, Domain, KpiSpec, Severity
from rtlib.graph import KpiBoard, KpiCard, SiteBoard
from rtlib.records import Kpi

SPARK_WINDOWS = 30
# Events reach the speed layer within a second or two; the few that come later change a closed window a little.
SETTLED = timedelta(seconds=3)
SILENT = timedelta(seconds=15)  # while a site has no later event: the stream may be behind
BySite = Mapping[str, Mapping[str, float]]  # values by site (``ALL_SITES`` for all together) and KPI


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


@dataclass(frozen=True, slots=True)
class _Windows:
    """The windows of the board.

    Attributes:
        closed: Begin of the last closed window; None before the first.
        length: Of each window.
        measured: Begins of the windows in which any site has a row.
        newest_event_at: When the newest event happened; None before the first.
    """

    closed: datetime | None
    length: timedelta
    measured: frozenset[datetime]
    newest_event_at: datetime | None


def kpi_board(
    domain: Domain, rows: Sequence[Kpi], *, events: int | None, now: datetime, week_ago: BySite | None = None
) -> KpiBoard:
    """Combine all sites window by window, and show the last closed window.

    Args:
        domain: Its KPIs and their thresholds.
        rows: Rows of the speed layer, of any windows.
        events: Number of events in the warehouse; None if unknown.
        now: The time, which decides whether a window is closed.
        week_ago: The values of the same window of the week before.
    """
    by_site: dict[str, list[Kpi]] = defaultdict(list)
    for row in rows:
        by_site[row.site].append(row)
    length = rows[0].window_end - rows[0].window_start if rows else timedelta(minutes=1)
    newest = max((row.last_event_at for row in rows), default=None)
    windows = _Windows(last_closed(rows, now), length, frozenset(row.window_start for row in rows), newest)
    week = week_ago or {}
    sites = tuple(
        SiteBoard(site.title, _cards(domain, by_site[site.id], windows, week.get(site.id, {})))
        for site in domain.sites
        if site.id in by_site
    )
    cards = _cards(domain, rows, windows, week.get(ALL_SITES, {}))
    return KpiBoard(domain.title, cards, events=events, sites=sites, window_seconds=int(length.total_seconds()))


def last_closed(rows: Sequence[Kpi], now: datetime) -> datetime | None:
    """The begin of the newest window that is complete, but for events that come very late; None before the first.

    A window is closed ``SETTLED`` after its end if each of its sites has an event in a later window, because the events
    of a site arrive in order; otherwise ``SILENT`` after its end.
    """
    ends = {row.window_start: row.window_end for row in rows}
    newest: dict[str, datetime] = {}
    for row in rows:
        newest[row.site] = max(row.window_start, newest.get(row.site, row.window_start))
    waits_for = {row.window_start for row in rows if newest[row.site] == row.window_start}
    closed = (start for start, end in ends.items() if end + (SILENT if start in waits_for else SETTLED) <= now)
    return max(closed, default=None)


def _cards(domain: Domain, rows: Sequence[Kpi], windows: _Windows, week: Mapping[str, float]) -> tuple[KpiCard, ...]:
    by_window: dict[datetime, list[Kpi]] = defaultdict(list)
    for row in rows:
        by_window[row.window_start].append(row)
    return tuple(_card(spec, by_window, windows, week.get(spec.name)) for spec in domain.kpis)


def _card(
    spec: KpiSpec, by_window: Mapping[datetime, Sequence[Kpi]], windows: _Windows, last_week: float | None
) -> KpiCard:
    card = KpiCard(
        spec.name, spec.title, spec.unit, None, Severity.NONE, windows.newest_event_at,
        running=together(spec, by_window[min(by_window)]) if by_window else None,
        relative=spec.aggregate in ("count", "sum"),
    )  # fmt: skip
    if windows.closed is None:
        return card
    starts = [windows.closed - number * windows.length for number in reversed(range(SPARK_WINDOWS))]
    known = [start for start in starts if start in windows.measured and start >= min(by_window, default=start)]
    history = tuple(_in_window(spec, by_window.get(start, ())) if start in known else None for start in starts)
    end = windows.closed + windows.length
    return replace(
        card,
        value=history[-1],
        severity=spec.severity(history[-1]),
        history=history,
        closed_at=end,
        before=history[-2] if _is_whole(by_window, starts[-2], windows.length) else None,
        last_week=last_week,
        running=together(spec, by_window.get(end, ())),
    )


def _in_window(spec: KpiSpec, rows: Sequence[Kpi]) -> float | None:
    """A KPI in a measured window; a site without a row in it counted 0 events."""
    return 0.0 if not rows and spec.aggregate == "count" else together(spec, rows)


def _is_whole(by_window: Mapping[datetime, Sequence[Kpi]], start: datetime, length: timedelta) -> bool:
    """Whether a window was counted from its begin on; the first after a start of the stack is not."""
    if start - length in by_window:
        return True
    first = min((row.first_event_at for row in by_window.get(start, ())), default=None)
    return first is not None and first - start <= length / 10


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
