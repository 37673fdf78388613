"""Load: batches into RAW with their ledger row, in one transaction; KPIs into SPEED by one MERGE."""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from rtlib.errors import WarehouseError
from rtlib.records import Event, Kpi
from rtlib.warehouse.connection import execute, query

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.connector import SnowflakeConnection

EVENT_COLUMNS = (
    "event_id", "domain", "site", "kind", "occurred_at", "producer_id", "sequence", "value", "unit", "attributes",
    "topic", "kafka_partition", "kafka_offset", "received_at",
)  # fmt: skip
REJECTED_COLUMNS = ("payload", "reason", "field", "topic", "kafka_partition", "kafka_offset", "received_at")
TYPES = {
    "occurred_at": "timestamp_ntz", "received_at": "timestamp_ntz", "sequence": "number(19, 0)", "value": "float",
    "kafka_partition": "number(10, 0)", "kafka_offset": "number(19, 0)",
}  # fmt: skip
HISTORY = "history"
MERGE_ROWS = 400


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch of a query: its events (columns ``EVENT_COLUMNS``) and misfits (``REJECTED_COLUMNS``)."""

    query: str
    domain: str
    batch_id: int
    events: pd.DataFrame
    rejected: pd.DataFrame
    offsets_from: Mapping[str, int]
    offsets_to: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch changed; ``skipped`` when the ledger knew it already and nothing was changed."""

    new: int = 0
    duplicates: int = 0
    rejected: int = 0
    skipped: bool = False


def apply_batch(connection: SnowflakeConnection, batch: Batch) -> Applied:
    """Bring a batch into RAW once, however often it is tried.

    The rows go to staging tables first (a file, PUT, COPY INTO); then one transaction inserts what RAW does not hold
    yet and the ledger row. A crash before its commit leaves nothing, a crash after it leaves everything.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; RAW is as it was before.
    """
    if _is_applied(connection, batch):
        return Applied(skipped=True)
    events, rejected = f"RAW.STAGED_EVENTS_{batch.query}", f"RAW.STAGED_REJECTED_{batch.query}"
    _stage(connection, events, EVENT_COLUMNS, batch.events)
    _stage(connection, rejected, REJECTED_COLUMNS, _encoded(batch.rejected))
    with _transaction(connection):
        new = _insert_events(connection, events, batch) if len(batch.events) else 0
        refused = _insert_rejected(connection, rejected, batch) if len(batch.rejected) else 0
        duplicates = len(batch.events) - new
        _note(connection, batch, new=new, duplicates=duplicates, rejected=refused)
    return Applied(new=new, duplicates=duplicates, rejected=refused)


def backfill(connection: SnowflakeConnection, events: Iterable[Event], *, domain: str, chunk: int = 50_000) -> int:
    """Load past events straight into RAW, in batches of the ``history`` query; return how many were new.

    Raises:
        WarehouseError: The warehouse refused a statement or did not answer; whole batches before it stay.
    """
    import pandas as pd

    nothing = pd.DataFrame(columns=list(REJECTED_COLUMNS))
    began, new, stream = _next_batch_id(connection, HISTORY, domain), 0, iter(events)
    for number in range(1_000_000):
        rows = list(islice(stream, chunk))
        if not rows:
            break
        first = number * chunk
        frame = pd.DataFrame([_history_row(event, first + place) for place, event in enumerate(rows)])
        span = ({"0": first}, {"0": first + len(rows)})
        new += apply_batch(connection, Batch(HISTORY, domain, began + number, frame, nothing, *span)).new
    return new


def merge_kpis(connection: SnowflakeConnection, kpis: Sequence[Kpi]) -> int:
    """Write KPIs into SPEED.KPIS: the newer ``emitted_at`` of a site and window wins; a replay changes nothing.

    Args:
        connection: An open connection.
        kpis: Any number, at most one for each site and window.

    Returns:
        How many rows were inserted or changed.
    """
    touched = 0
    for start in range(0, len(kpis), MERGE_ROWS):
        rows = [_kpi_row(kpi) for kpi in kpis[start : start + MERGE_ROWS]]
        touched += execute(connection, _MERGE, (json.dumps(rows),))
    return touched


# The rows travel as one JSON text: the statement stays the same however many there are, and is parsed quickly.
_KPI_TYPES = {
    "domain": "varchar", "site": "varchar", "window_start": "timestamp_ntz", "window_end": "timestamp_ntz",
    "measures": "variant", "events": "number(19, 0)", "late": "number(19, 0)", "first_event_at": "timestamp_ntz",
    "last_event_at": "timestamp_ntz", "emitted_at": "timestamp_ntz", "loaded_at": "timestamp_ntz",
}  # fmt: skip
_KPI_KEY = ("domain", "site", "window_start", "window_end")
_MERGE = (
    "merge into SPEED.KPIS t using (select "
    + ", ".join(f"f.value:{name}::{kind} as {name}" for name, kind in _KPI_TYPES.items())
    + " from (select parse_json(%s) as rows_) d, lateral flatten(input => d.rows_) f) s "
    "on t.domain = s.domain and t.site = s.site and t.window_start = s.window_start "
    "when matched and s.emitted_at > t.emitted_at then update set "
    + ", ".join(f"t.{name} = s.{name}" for name in _KPI_TYPES if name not in _KPI_KEY)
    + f" when not matched then insert ({', '.join(_KPI_TYPES)}) values ("
    + ", ".join(f"s.{name}" for name in _KPI_TYPES)
    + ")"
)


def _kpi_row(kpi: Kpi) -> dict[str, object]:
    return {
        "domain": kpi.domain,
        "site": kpi.site,
        "window_start": _text(kpi.window_start),
        "window_end": _text(kpi.window_end),
        "measures": dict(kpi.measures),
        "events": kpi.events,
        "late": kpi.late,
        "first_event_at": _text(kpi.first_event_at),
        "last_event_at": _text(kpi.last_event_at),
        "emitted_at": _text(kpi.emitted_at),
        "loaded_at": _text(datetime.now(UTC)),
    }


def _is_applied(connection: SnowflakeConnection, batch: Batch) -> bool:
    sql = "select count(*) as n from RAW.BATCHES where query = %s and domain = %s and batch_id = %s"
    return bool(query(connection, sql, (batch.query, batch.domain, batch.batch_id))[0]["n"])


def _next_batch_id(connection: SnowflakeConnection, name: str, domain: str) -> int:
    sql = "select coalesce(max(batch_id) + 1, 0) as n from RAW.BATCHES where query = %s and domain = %s"
    return int(query(connection, sql, (name, domain))[0]["n"])


def _stage(connection: SnowflakeConnection, table: str, columns: Sequence[str], rows: pd.DataFrame) -> None:
    """Bring rows into an emptied table of their own by PUT and COPY INTO."""
    if not len(rows):
        return
    stage = table.replace("STAGED_", "FILES_")
    kinds = ", ".join(f"{name} {TYPES.get(name, 'varchar')}" for name in columns)
    execute(connection, f"create or replace table {table} ({kinds})")
    execute(connection, f"create stage if not exists {stage}")
    with tempfile.TemporaryDirectory(prefix="rtlib-") as folder:
        path = Path(folder) / "rows.csv"
        rows[list(columns)].to_csv(path, index=False, date_format="%Y-%m-%d %H:%M:%S.%f", na_rep="")
        execute(connection, f"put file://{path.as_posix()} @{stage} overwrite=true auto_compress=false")
    form = "type=csv skip_header=1 field_optionally_enclosed_by='\"' empty_field_as_null=true"
    execute(connection, f"copy into {table} from @{stage}/rows.csv file_format=({form})")
    staged = int(query(connection, f"select count(*) as n from {table}")[0]["n"])
    if staged != len(rows):
        raise WarehouseError(f"{len(rows)} rows were sent and {staged} arrived in {table}", cure="rtlib logs warehouse")


def _insert_events(connection: SnowflakeConnection, table: str, batch: Batch) -> int:
    """Insert the events that RAW does not hold, each once.

    The search for those it holds is bounded by the batch's own event times, so that it stays cheap as RAW grows.
    """
    selected = ", ".join("parse_json(s.attributes)" if name == "attributes" else f"s.{name}" for name in EVENT_COLUMNS)
    oldest, newest = batch.events["occurred_at"].min(), batch.events["occurred_at"].max()
    sql = (
        f"insert into RAW.EVENTS ({', '.join(EVENT_COLUMNS)}, batch_id) select {selected}, {batch.batch_id} "
        f"from {table} s where not exists (select 1 from RAW.EVENTS e where e.event_id = s.event_id "
        "and e.occurred_at between %s::timestamp_ntz and %s::timestamp_ntz) "
        "qualify row_number() over (partition by s.event_id order by s.kafka_partition, s.kafka_offset) = 1"
    )
    return execute(connection, sql, (_text(oldest), _text(newest)))


def _insert_rejected(connection: SnowflakeConnection, table: str, batch: Batch) -> int:
    sql = (
        "insert into RAW.REJECTED (domain, payload, reason, field, topic, kafka_partition, kafka_offset, received_at, "
        "batch_id) select %s, s.payload, s.reason, coalesce(s.field, ''), s.topic, s.kafka_partition, s.kafka_offset, "
        f"s.received_at, {batch.batch_id} from {table} s where not exists (select 1 from RAW.REJECTED r "
        "where r.topic = s.topic and r.kafka_partition = s.kafka_partition and r.kafka_offset = s.kafka_offset)"
    )
    return execute(connection, sql, (batch.domain,))


def _note(connection: SnowflakeConnection, batch: Batch, *, new: int, duplicates: int, rejected: int) -> None:
    execute(
        connection,
        "insert into RAW.BATCHES select %s, %s, %s, %s, %s, %s, %s, %s, %s, current_timestamp()::timestamp_ntz",
        (
            batch.query,
            batch.domain,
            batch.batch_id,
            json.dumps(dict(batch.offsets_from)),
            json.dumps(dict(batch.offsets_to)),
            len(batch.events) + len(batch.rejected),
            new,
            duplicates,
            rejected,
        ),
    )


@contextmanager
def _transaction(connection: SnowflakeConnection) -> Iterator[None]:
    execute(connection, "begin")
    try:
        yield
        execute(connection, "commit")
    except BaseException:
        with suppress(WarehouseError):  # when the session is gone, so is its transaction
            execute(connection, "rollback")
        raise


def _encoded(rejected: pd.DataFrame) -> pd.DataFrame:
    """The bytes in base64, and field names that are never empty text (a CSV cannot tell that from NULL)."""
    payloads = [base64.b64encode(bytes(one or b"")).decode() for one in rejected["payload"]]
    return rejected.assign(payload=payloads)


def _history_row(event: Event, place: int) -> dict[str, object]:
    told = event.to_json()
    moment = event.occurred_at.replace(tzinfo=None)
    return {
        **told,
        "occurred_at": moment,
        "attributes": json.dumps(told["attributes"]),
        "topic": HISTORY,
        "kafka_partition": 0,
        "kafka_offset": place,
        "received_at": moment,
    }


def _text(moment: datetime) -> str:
    """A moment as the warehouse reads it: UTC, without a zone."""
    naive = moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    return naive.strftime("%Y-%m-%d %H:%M:%S.%f")
