"""Rebuild: the local warehouse made anew, from what Kafka still holds, from history's seeds and from what is readable.

The archive query begins again at the oldest record, and so does the loader; both write what is there already a second
time without harm. What Kafka has deleted, and what people did in the app, is carried over from the old file if it can
still be read there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from rtlib import private
from rtlib.broker.topics import end_offsets, forget_groups
from rtlib.config import DOMAINS, Settings, load_settings
from rtlib.errors import ConfigError, ServiceError
from rtlib.notify import Notify
from rtlib.pipeline import batch_log, dbt
from rtlib.pipeline.audit.evidence import outstanding
from rtlib.pipeline.backfill import load_days
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.planning import forecasting, staff_plan
from rtlib.pipeline.provision import provision
from rtlib.pipeline.recovery.readiness import wait_until_merged
from rtlib.pipeline.workers.run import loader_group
from rtlib.services import stack, supervisor
from rtlib.services.warehouse_salvage import Salvage, replace_file
from rtlib.streaming.queries import ARCHIVE, checkpoint
from rtlib.warehouse import audit
from rtlib.warehouse.connection import connect, query

WRITERS = ("alerts", "loader", "stream")  # in the order in which they are stopped
KAFKA_KEEPS = timedelta(days=7)  # at least so long, of every topic but progress
MARGIN = timedelta(days=1)  # carried over though Kafka has it: it may be deleted before it is read again
INTERRUPTED = "rebuild.interrupted"  # in the state folder, from the new file until the loader has been set back
PATIENCE_SECONDS = 120.0
START_SECONDS = 120.0
LOOK_SECONDS, TELL_SECONDS = 1.0, 5.0


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of a table: in the old file (None: not readable), carried over from it, and in the new one."""

    table: str
    before: int | None
    carried: int
    after: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did.

    Attributes:
        kept: Where the old files are.
        tables: What came back.
        gone: What cannot come back, in words.
        seconds: How long it took.
    """

    kept: str
    tables: tuple[TableRows, ...]
    gone: tuple[str, ...]
    seconds: float


def rebuild_warehouse(settings: Settings, *, notify: Notify) -> Rebuilt:
    """Make the local warehouse anew; a stack that does not run is started, and runs on afterwards.

    Args:
        settings: Whose.
        notify: Receives a line for each step, and every few seconds of a long one.

    Raises:
        ConfigError: The warehouse is Snowflake.
        ServiceError: A part does not answer, or the archive does not move.
    """
    if not settings.local_warehouse:
        raise ConfigError("the warehouse is Snowflake, which has no file here", cure="ask its administrator, or UNDROP")
    began = time.monotonic()
    if supervisor.supervisor_pid(settings) is None:
        _forget_checkpoints(settings)
        private.write(settings.home / INTERRUPTED, "")
        found = _replace(settings, notify)
        settings = _started(settings, notify)
    else:
        with _writers_stopped(settings):
            # First of all: an attempt that is interrupted after it makes the readers begin anew, which does no harm;
            # one that is interrupted before it would leave them behind rows that are gone.
            _forget_checkpoints(settings)
            forget_groups(settings, *_groups(settings))
            (settings.home / INTERRUPTED).unlink(missing_ok=True)
            supervisor.stop_part(settings, "warehouse")
            try:
                found = _replace(settings, notify)
            finally:
                supervisor.start_part(settings, "warehouse", wait=False)
            until = time.monotonic() + START_SECONDS
            stack.wait_healthy(settings, "warehouse", health.warehouse, until=until, notify=notify)
            provision(settings)
    _wait_until_archived(settings, notify)
    days = _load_history(settings, notify)
    _make_again(settings, found, notify)
    _wait_until_merged(settings, notify)
    return Rebuilt(str(found.kept or ""), _tables(settings, found), tuple(_gone(found, days)), time.monotonic() - began)


def _replace(settings: Settings, notify: Notify) -> Salvage:
    found = replace_file(settings.home, _wanted())
    notify(f"the old file is kept in {found.kept}" if found.kept else "there was no file")
    return found


def _forget_checkpoints(settings: Settings) -> None:
    """Have the archive query of each domain begin at the start of its topic."""
    for domain in DOMAINS:
        archive = checkpoint(settings.model_copy(update={"domain": domain}), ARCHIVE)
        shutil.rmtree(archive, ignore_errors=True)


def _wanted() -> Mapping[str, str]:
    """What can be had from nowhere else: people's and rules' doings, and what Kafka has deleted."""
    old = f"timestamp '{datetime.now(UTC) - KAFKA_KEEPS + MARGIN:%Y-%m-%d %H:%M:%S}'"
    return {
        "OPS.ALERTS": "true",
        "OPS.ALERT_MEMORY": "true",
        "OPS.ALERT_MUTES": "true",
        "SPEED.BATCHES": "true",  # the progress topic keeps a day of them
        "SPEED.KPIS": f"emitted_at < {old}",
        "RAW.EVENTS": f"topic <> 'history' and received_at < {old}",
        "RAW.REJECTED": f"received_at < {old}",
    }


def _started(settings: Settings, notify: Notify) -> Settings:
    """Start the stack, but for those that read offsets, until these are forgotten."""
    later = ("loader", "alerts", "simulator")
    stack.up(settings, checks=health.checks(), prepare=provision, chosen={}, notify=notify, idle=later)
    settings = load_settings(home=settings.home)
    forget_groups(settings, *_groups(settings))
    (settings.home / INTERRUPTED).unlink(missing_ok=True)
    known = supervisor.states(settings)
    for name in (one for one in later if one in known):
        supervisor.start_part(settings, name)
    return settings


def _groups(settings: Settings) -> list[str]:
    return [loader_group(settings.model_copy(update={"domain": one})) for one in DOMAINS]


@contextmanager
def _writers_stopped(settings: Settings) -> Iterator[None]:
    """Those of the writers that run stand still within, and run again afterwards in any case."""
    known = supervisor.states(settings)
    ran = [name for name in WRITERS if name in known and known[name].state != "STOPPED"]
    try:
        for name in ran:
            _stop(settings, name)
        yield
    finally:
        for name in reversed(ran):
            supervisor.start_part(settings, name, wait=False)


def _stop(settings: Settings, name: str) -> None:
    """Stop a part that may be ending by itself this moment: the supervisor would start it again behind a single stop.

    Raises:
        ServiceError: It cannot be stopped.
    """

    def stopped() -> bool:
        supervisor.stop_part(settings, name)
        return supervisor.states(settings)[name].state in ("STOPPED", "FATAL")

    try:
        Retrying(retry=retry_if_result(lambda done: not done), wait=wait_fixed(0.3), stop=stop_after_delay(60))(stopped)
    except RetryError as error:
        raise ServiceError(f"{name} cannot be stopped", cure="rtlib down, then rtlib rebuild warehouse") from error


def _wait_until_archived(settings: Settings, notify: Notify) -> None:
    """Wait until RAW has all that Kafka holds now.

    Raises:
        ServiceError: Nothing has moved for two minutes.
    """
    ends = end_offsets(settings, settings.topic("events"))
    seen, moved, told = -1, time.monotonic(), 0.0
    while True:
        with closing(connect(settings)) as connection:
            reached = audit.archive_progress(connection, settings.domain).offsets
        left = sum(max(0, end - reached.get(one, 0)) for one, end in ends.items())
        if not left:
            return
        now = time.monotonic()
        if left != seen:
            seen, moved = left, now
        elif now - moved > PATIENCE_SECONDS:
            if "on the way" not in (outstanding(settings) or ""):  # what is left are marks of transactions
                return
            raise ServiceError(f"the archive stands still, {left:,} records before the end", cure="rtlib logs stream")
        if now - told > TELL_SECONDS:
            told = now
            notify(f"  {left:,} records of {settings.topic('events')} are still to be archived")
        time.sleep(LOOK_SECONDS)


def _wait_until_merged(settings: Settings, notify: Notify) -> None:
    try:
        wait_until_merged(settings)
    except ServiceError as error:  # a busy machine may take longer; what is not merged yet is not lost
        notify(f"{error.what}; it goes on")


def _load_history(settings: Settings, notify: Notify) -> int:
    """Load the noted days of every domain; returns how many days."""
    loaded = 0
    for domain in DOMAINS:
        mine = settings.model_copy(update={"domain": domain})
        for (per_day, seed), days in batch_log.history_of(mine).items():
            notify(f"{domain}: loading {len(days)} days of history of about {per_day:,} events, seed {seed}")
            load_days(mine.model_copy(update={"seed": seed}), days, per_day=per_day)
            loaded += len(days)
    return loaded


def _make_again(settings: Settings, found: Salvage, notify: Notify) -> None:
    """Marts, forecasts and plans, where they were there before."""
    had_marts = any(rows and name.startswith("MARTS.") for name, rows in found.rows.items())
    had_forecasts = any(
        batch_log.noted(settings.model_copy(update={"domain": name}), "forecast") is not None for name in DOMAINS
    )
    if had_marts or had_forecasts or (not found.rows and dbt.models(settings)[1] is not None):
        notify("building the marts")
        dbt.build(settings, unit_tests=False)
    for domain in DOMAINS:
        mine = settings.model_copy(update={"domain": domain})
        days = batch_log.noted(mine, "forecast")
        if days is not None:
            notify(f"{domain}: forecasting {days} days")
            forecasting.forecast(mine, days=days)
        if days is not None and batch_log.noted(mine, "plan") is not None:
            notify(f"{domain}: planning shifts")
            staff_plan.plan(mine)


def _tables(settings: Settings, found: Salvage) -> tuple[TableRows, ...]:
    sql = (
        "select table_schema as s, table_name as t from information_schema.tables "
        "where table_type = 'BASE TABLE' and table_schema not like 'INFORMATION%' order by 1, 2"
    )
    with closing(connect(settings)) as connection:
        names = [f"{row['s']}.{row['t']}" for row in query(connection, sql) if not row["s"].startswith("_FS")]
        after = {name: int(query(connection, f"select count(*) as n from {name}")[0]["n"]) for name in names}
    every = sorted(after.keys() | found.rows.keys())
    return tuple(
        TableRows(name, found.rows.get(name), found.carried.get(name, 0), after.get(name, 0)) for name in every
    )


def _gone(found: Salvage, days: int) -> Iterator[str]:
    what = {
        "OPS.ALERTS": "alerts, whether they were delivered, and who has acknowledged them",
        "OPS.ALERT_MEMORY": "where the alerting service was: it judges the last ten minutes anew",
        "OPS.ALERT_MUTES": "the mutes",
        "SPEED.BATCHES": "what the KPI query knew batch by batch, but for what the progress topic still holds",
        "SPEED.KPIS": "KPIs that are older than Kafka keeps them",
        "RAW.EVENTS": "events that are older than Kafka keeps them",
        "RAW.REJECTED": "rejected records that are older than Kafka keeps them",
    }
    for name, reason in found.lost.items():
        yield f"{name}: {what[name]} ({reason})"
    if found.kept and not days:
        yield "history that was loaded before its seed was noted, if there was any: rtlib backfill loads it"
