"""Plan needs: the people that a new forecast needs in the intervals that are planned already.

A plan accepts gaps where whole shifts would cost more than the missing hours. So a gap alone is no reason to call
people; a need that has grown beyond what the plan knew is.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from rtlib.domains import Staffing
from rtlib.pipeline.planning.demand import INTERVAL_MINUTES
from rtlib.staffing import people_needed

Row = Mapping[str, Any]


def needs(role: Staffing, plan: Iterable[Row], forecasts: Iterable[Row]) -> list[dict[str, Any]]:
    """The people needed in each planned interval by new forecasts, with the quantile and the assumptions of the plan.

    An interval without a new forecast, or with one that has no quantiles, is left out.

    Args:
        role: The role of the domain.
        plan: Rows of the plan, as ``plan_store.read_staffing`` returns them.
        forecasts: Rows as for ``plan_store.write_forecasts``.

    Returns:
        Rows of ``site``, ``interval_start`` (UTC, without a time zone) and ``needed``.
    """
    quantiles = {(row["site"], row["interval_start"]): row["quantiles"] for row in forecasts if row["is_champion"]}
    by_assumptions: dict[str, list[tuple[Row, float]]] = defaultdict(list)
    for row in plan:
        contacts = _contacts(row["quantile"], quantiles.get((row["site"], row["interval_start"])))
        if contacts is not None:
            by_assumptions[row["assumptions"] or "{}"].append((row, contacts))
    return [row for text, rows in by_assumptions.items() for row in _needed(replace(role, **json.loads(text)), rows)]


def _contacts(level: float, quantiles: Mapping[str, float] | None) -> float | None:
    """The quantile ``level`` of an interval's events; None if it is not known."""
    known = {float(name): number for name, number in (quantiles or {}).items()}
    if not known or not all(isfinite(number) for number in known.values()):
        return None
    levels = sorted(known)
    return float(np.interp(level, levels, [known[each] for each in levels]))


def _needed(role: Staffing, rows: list[tuple[Row, float]]) -> list[dict[str, Any]]:
    contacts = [role.share * events for _, events in rows]
    people = people_needed(role, contacts, interval_minutes=INTERVAL_MINUTES)
    return [
        {"site": row["site"], "interval_start": row["interval_start"], "needed": count}
        for (row, _), count in zip(rows, people, strict=True)
    ]
