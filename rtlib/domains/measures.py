"""Measures: exact reference values of a domain's KPIs, to compare with the results of Spark and SQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum

from rtlib.domains.spec import Domain, KpiSpec
from rtlib.records import Event


def measures(domain: Domain, events: Iterable[Event]) -> dict[str, float | None]:
    """All KPIs of the domain over these events, by name.

    Duplicates must already be removed. As in SQL, a count of no events is 0; their sum, mean, maximum, minimum or share
    is None.

    Example:
        >>> from rtlib.domains import load_domain
        >>> measures(load_domain("curbside"), [])["orders"]
        0.0
    """
    window = list(events)
    return {kpi.name: _measure(kpi, window) for kpi in domain.kpis}


def _measure(kpi: KpiSpec, events: Sequence[Event]) -> float | None:
    chosen = _of_kinds(events, kpi.kinds)
    if kpi.aggregate == "count":
        return float(len(chosen))
    if kpi.aggregate == "share":
        total = len(_of_kinds(events, kpi.of))
        return len(chosen) / total if total else None
    values = [event.value for event in chosen if event.value is not None]
    if not values:
        return None
    if kpi.aggregate == "sum":
        return fsum(values)
    if kpi.aggregate == "mean":
        return fsum(values) / len(values)
    return max(values) if kpi.aggregate == "max" else min(values)


def _of_kinds(events: Sequence[Event], kinds: Sequence[str]) -> list[Event]:
    return [event for event in events if not kinds or event.kind in kinds]
