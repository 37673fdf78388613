"""Measures: a domain's KPIs computed exactly and plainly; what Spark and SQL say is held against this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

from rtlib.domains.spec import Domain, KpiSpec
from rtlib.records import Event


def measures(domain: Domain, events: Iterable[Event]) -> dict[str, float | None]:
    """All KPIs of the domain over these events, by name.

    The events are taken as they come: duplicates must be out already. A count of nothing is 0; a sum, mean, maximum,
    minimum or share of nothing is None, as in SQL.
    """
    window = list(events)
    return {kpi.name: _measure(kpi, window) for kpi in domain.kpis}


def _measure(kpi: KpiSpec, events: Sequence[Event]) -> float | None:
    chosen = _of_kinds(events, kpi.kinds)
    if kpi.aggregate == "count":
        return float(len(chosen))
    if kpi.aggregate == "share":
        whole = len(_of_kinds(events, kpi.of))
        return len(chosen) / whole if whole else None
    values = [one.value for one in chosen if one.value is not None]
    if not values:
        return None
    if kpi.aggregate == "sum":
        return fsum(values)
    if kpi.aggregate == "mean":
        return fsum(values) / len(values)
    return max(values) if kpi.aggregate == "max" else min(values)


def _of_kinds(events: Sequence[Event], kinds: Sequence[str]) -> list[Event]:
    return [one for one in events if not kinds or one.kind in kinds]
