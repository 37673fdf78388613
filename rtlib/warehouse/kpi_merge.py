"""KPI merge: KPIs into SPEED.KPIS by a single MERGE; the newest record of a site and window wins."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rtlib.records import Kpi
from rtlib.warehouse.connection import execute
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

MERGE_ROWS = 400
_TYPES = {
    "domain": "varchar", "site": "varchar", "window_start": "timestamp_ntz", "window_end": "timestamp_ntz",
    "measures": "variant", "events": "number(19, 0)", "late": "number(19, 0)", "first_event_at": "timestamp_ntz",
    "last_event_at": "timestamp_ntz", "emitted_at": "timestamp_ntz", "loaded_at": "timestamp_ntz",
}  # fmt: skip
_KEY = ("domain", "site", "window_start", "window_end")
# The rows travel as a single JSON text: the statement is the same for any number of rows, and cheap to parse.
_MERGE = (
    "merge into SPEED.KPIS t using (select "
    + ", ".join(f"f.value:{name}::{kind} as {name}" for name, kind in _TYPES.items())
    + " from (select parse_json(?) as rows_) d, lateral flatten(input => d.rows_) f) s "
    # The bound on the window is redundant, but lets the warehouse skip older windows.
    "on t.domain = s.domain and t.site = s.site and t.window_start = s.window_start "
    "and t.window_start >= cast(? as timestamp_ntz) "
    # Records of a single broker batch share a timestamp; of two with the same, the one with more events is newer.
    "when matched and (s.emitted_at > t.emitted_at or (s.emitted_at = t.emitted_at and s.events > t.events)) "
    "then update set "
    + ", ".join(f"{name} = s.{name}" for name in _TYPES if name not in _KEY)
    + f" when not matched then insert ({', '.join(_TYPES)}) values ("
    + ", ".join(f"s.{name}" for name in _TYPES)
    + ")"
)


def merge_kpis(connection: SnowflakeConnection, kpis: Sequence[Kpi]) -> int:
    """Write KPIs into SPEED.KPIS: the later ``emitted_at`` of a site and window wins; a replay changes nothing.

    Returns:
        How many rows were inserted or changed.

    Raises:
        WarehouseError: The warehouse refused the statement or did not answer.
    """
    newest: dict[tuple[str, str, datetime], Kpi] = {}
    for kpi in sorted(kpis, key=lambda kpi: (kpi.emitted_at, kpi.events)):
        newest[kpi.domain, kpi.site, kpi.window_start] = kpi
    rows, changed = [_row(kpi) for kpi in newest.values()], 0
    for start in range(0, len(rows), MERGE_ROWS):
        chunk = rows[start : start + MERGE_ROWS]
        oldest = min(str(row["window_start"]) for row in chunk)
        changed += execute(connection, _MERGE, (json.dumps(chunk, allow_nan=False), oldest))
    return changed


def _row(kpi: Kpi) -> dict[str, object]:
    return {
        "domain": kpi.domain,
        "site": kpi.site,
        "window_start": moment_text(kpi.window_start),
        "window_end": moment_text(kpi.window_end),
        # JSON has neither NaN nor infinity; such a measure counts as not measured.
        "measures": {
            name: value if value is not None and math.isfinite(value) else None for name, value in kpi.measures.items()
        },
        "events": kpi.events,
        "late": kpi.late,
        "first_event_at": moment_text(kpi.first_event_at),
        "last_event_at": moment_text(kpi.last_event_at),
        "emitted_at": moment_text(kpi.emitted_at),
        "loaded_at": moment_text(datetime.now(UTC)),
    }
