"""Query batches: offsets, watermark and state of each batch of the kpis query, in SPEED.BATCHES beside its KPIs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtlib.records import QueryProgress
from rtlib.warehouse.connection import execute, query
from rtlib.warehouse.staging import moment_text

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

INSERT_ROWS = 400
_TYPES = {
    "domain": "varchar", "batch_id": "number(19, 0)", "began_at": "timestamp_ntz", "kafka_partition": "number(10, 0)",
    "offset_from": "number(19, 0)", "offset_to": "number(19, 0)", "watermark": "timestamp_ntz",
    "state_rows": "number(19, 0)", "dropped_late": "number(19, 0)",
}  # fmt: skip
_INSERT = (
    f"insert into SPEED.BATCHES ({', '.join(_TYPES)}) select {', '.join(f's.{name}' for name in _TYPES)} from (select "
    + ", ".join(f"f.value:{name}::{kind} as {name}" for name, kind in _TYPES.items())
    + " from (select parse_json(?) as rows_) d, lateral flatten(input => d.rows_) f) s "
    "left join SPEED.BATCHES b on b.domain = s.domain and b.began_at = s.began_at and b.batch_id = s.batch_id "
    "and b.kafka_partition = s.kafka_partition where b.domain is null"
)


def note_batches(connection: SnowflakeConnection, domain: str, batches: Sequence[QueryProgress]) -> int:
    """Insert batches of the kpis query; those that are already there change nothing.

    Args:
        connection: An open connection.
        domain: The domain of the query.
        batches: Its progress.

    Returns:
        How many rows were new; a batch has a row for each partition.

    Raises:
        WarehouseError: The warehouse refused the statement or did not answer.
    """
    by_key = {(row["began_at"], row["kafka_partition"]): row for batch in batches for row in _rows(domain, batch)}
    rows = list(by_key.values())
    chunks = [rows[start : start + INSERT_ROWS] for start in range(0, len(rows), INSERT_ROWS)]
    return sum(execute(connection, _INSERT, (json.dumps(chunk),)) for chunk in chunks)


def dropped(connection: SnowflakeConnection, domain: str) -> int:
    """How many events the kpis query dropped because they were behind the watermark; each batch counts once."""
    sql = (
        "select coalesce(sum(dropped_late), 0) as n from (select began_at, batch_id, max(dropped_late) as dropped_late "
        "from SPEED.BATCHES where domain = ? group by began_at, batch_id)"
    )
    return int(query(connection, sql, (domain,))[0]["n"])


def _rows(domain: str, batch: QueryProgress) -> list[dict[str, object]]:
    return [
        {
            "domain": domain,
            "batch_id": batch.batch_id,
            "began_at": moment_text(batch.at),
            "kafka_partition": int(partition),
            "offset_from": batch.start_offsets.get(partition, 0),
            "offset_to": end,
            "watermark": None if batch.watermark is None else moment_text(batch.watermark),
            "state_rows": batch.state_rows,
            "dropped_late": batch.dropped_late,
        }
        for partition, end in batch.end_offsets.items()
    ]
