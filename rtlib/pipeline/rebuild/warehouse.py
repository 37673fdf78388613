"""Rebuild the local warehouse: from what Kafka still holds, from the seeds of history and from the old file.

The archive query starts again at the oldest record, and so does the loader; rows they write a second time change
nothing. What Kafka has deleted, and what people did in the app, is copied from the old file if it is readable there.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta

from rtlib import private
from rtlib.broker.topics import end_offsets, forget_groups
from rtlib.config import DOMAINS, Settings, load_settings
from rtlib.errors import ConfigError, ServiceError
from rtlib.notify import Notify
from rtlib.pipeline import batch_log, dbt
from rtlib.pipeline.audit.backlog import outstanding
from rtlib.pipeline.backfill import load_parts
from rtlib.pipeline.monitoring import health
from rtlib.pipeline.planning import forecasting, staff_plan
from rtlib.pipeline.provision import provision
from rtlib.pipeline.rebuild.result import Rebuilt, TableRows
from rtlib.pipeline.recovery.readiness import wait_until_merged
from rtlib.pipeline.runs import alone
from rtlib.services import stack, supervisor
from rtlib.services.health_wait import wait_healthy
from rtlib.services.parts import PARTS, consumer_groups
from rtlib.services.warehouse_salvage import INTERRUPTED, Salvage, replace_file
from rtlib.streaming.queries import ARCHIVE, checkpoint
from rtlib.wait import wait_until
from rtlib.warehouse import audit
from rtlib.warehouse.connection import connect, query

WRITERS = tuple(part.name for part in reversed(PARTS) if part.writes)  # in the order in which they are stopped
KAFKA_RETENTION = timedelta(days=7)  # at least, of every topic except progress
MARGIN = timedelta(days=1)  # copied although Kafka has it: it may expire before it is read again
ROLLED_UP = ("RAW.ROLLUPS", "RAW.ROLLED_SEQUENCES", "RAW.RETENTION")
PATIENCE_SECONDS = 120.0
START_SECONDS = 120.0
STOP_SECONDS = 60.0
LOOK_SECONDS, NOTIFY_SECONDS = 1.0, 5.0


def rebuild_warehouse(settings: Settings, *, notify: Notify) -> Rebuilt:
    """Rebuild the local warehouse; a stopped stack is started and keeps running afterwards.

    Args:
        settings: Which stack.
        notify: Receives a line for each step, and every few seconds of a long step.

    Raises:
        ConfigError: The warehouse is Snowflake.
        ServiceError: A part does not answer, or the archive makes no progress.
    """
    if not settings.local_warehouse:
        raise ConfigError("the warehouse is Snowflake, which has no file here", cure="ask its administrator, or UNDROP")
    with alone(settings, "the rebuild of the warehouse", notify=notify):
        return _rebuild(settings, notify)


def _rebuild(settings: Settings, notify: Notify) -> Rebuilt:
    began = time.monotonic()
    if supervisor.supervisor_pid(settings) is None:
        _delete_archive_checkpoints(settings)
        private.write(settings.home / INTERRUPTED, "")
        salvage = _replace(settings, notify)
        settings = _start_stack(settings, notify)
    else:
        salvage = _replace_while_running(settings, notify)
    _wait_until_archived(settings, notify)
    parts = _load_history(settings, notify)
    _rebuild_marts_and_plans(settings, salvage, notify)
    _wait_until_merged(settings, notify)
    return Rebuilt(
        str(salvage.kept or ""),
        _tables(settings, salvage),
        tuple(_gone(salvage, parts)),
        time.monotonic() - began,
    )


def _replace_while_running(settings: Settings, notify: Notify) -> Salvage:
    with _writers_stopped(settings):
        # Readers are reset first: an attempt interrupted afterwards makes them start again, which does no harm;
        # interrupted before, it would leave their offsets ahead of rows that are gone.
        _delete_archive_checkpoints(settings)
        forget_groups(settings, *_groups(settings))
        (settings.home / INTERRUPTED).unlink(missing_ok=True)
        supervisor.stop_part(settings, "warehouse")
        try:
            salvage = _replace(settings, notify)
        finally:
            supervisor.start_part(settings, "warehouse", wait=False)
        until = time.monotonic() + START_SECONDS
        wait_healthy(settings, "warehouse", health.warehouse, until=until, notify=notify)
        provision(settings)
    return salvage


def _replace(settings: Settings, notify: Notify) -> Salvage:
    salvage = replace_file(settings.home, _rows_to_copy(), together=ROLLED_UP)
    notify(f"the old file is kept in {salvage.kept}" if salvage.kept else "there was no file")
    return salvage


def _delete_archive_checkpoints(settings: Settings) -> None:
    """Make the archive query of each domain start at the beginning of its topic."""
    for domain in DOMAINS:
        folder = checkpoint(settings.model_copy(update={"domain": domain}), ARCHIVE)
        shutil.rmtree(folder, ignore_errors=True)


def _rows_to_copy() -> Mapping[str, str]:
    """Table to the condition of the rows that exist nowhere else: alerts and mutes, and what Kafka has deleted."""
    expired = f"timestamp '{datetime.now(UTC) - KAFKA_RETENTION + MARGIN:%Y-%m-%d %H:%M:%S}'"
    return {
        "OPS.ALERTS": "true",
        "OPS.ALERT_MEMORY": "true",
        "OPS.ALERT_MUTES": "true",
        "SPEED.BATCHES": "true",  # the progress topic keeps a day of them
        "SPEED.KPIS": f"emitted_at < {expired}",
        "RAW.EVENTS": f"topic <> 'history' and received_at < {expired}",
        "RAW.REJECTED": f"received_at < {expired}",
        # Events that Kafka still holds are recognised by their sequences, so they are not counted a second time.
        **dict.fromkeys(ROLLED_UP, "true"),
    }


def _start_stack(settings: Settings, notify: Notify) -> Settings:
    """Start the stack; the parts that read from offsets start only after these are reset."""
    later = [part.name for part in PARTS if not part.autostart]
    stack.up(settings, checks=health.checks(), prepare=provision, chosen={}, notify=notify, idle=later)
    settings = load_settings(home=settings.home)
    forget_groups(settings, *_groups(settings))
    (settings.home / INTERRUPTED).unlink(missing_ok=True)
    states = supervisor.states(settings)
    for name in (name for name in later if name in states):
        supervisor.start_part(settings, name)
    return settings


def _groups(settings: Settings) -> list[str]:
    return [group for name in DOMAINS for group in consumer_groups(settings.model_copy(update={"domain": name}))]


@contextmanager
def _writers_stopped(settings: Settings) -> Iterator[None]:
    """Stop the running writers for the block, and start them again afterwards in any case."""
    states = supervisor.states(settings)
    running = [name for name in WRITERS if name in states and states[name].state != "STOPPED"]
    try:
        for name in running:
            _stop(settings, name)
        yield
    finally:
        for name in reversed(running):
            supervisor.start_part(settings, name, wait=False)


def _stop(settings: Settings, name: str) -> None:
    """Stop a part, repeatedly if needed: one that just exits by itself is restarted despite a single stop.

    Raises:
        ServiceError: It cannot be stopped.
    """

    def stopped() -> bool:
        supervisor.stop_part(settings, name)
        return supervisor.states(settings)[name].state in ("STOPPED", "FATAL")

    if not wait_until(stopped, seconds=STOP_SECONDS, interval=0.3):
        raise ServiceError(f"{name} cannot be stopped", cure="rtlib down, then rtlib rebuild warehouse")


def _wait_until_archived(settings: Settings, notify: Notify) -> None:
    """Wait until RAW holds everything that Kafka holds now.

    Raises:
        ServiceError: There was no progress for two minutes.
    """
    ends = end_offsets(settings, settings.topic("events"))
    previous, changed_at, notified_at = -1, time.monotonic(), 0.0
    while missing := _records_to_archive(settings, ends):
        now = time.monotonic()
        if missing != previous:
            previous, changed_at = missing, now
        elif now - changed_at > PATIENCE_SECONDS:
            if "on the way" not in (outstanding(settings) or ""):  # only transaction markers are left
                return
            raise ServiceError(
                f"the archive has stopped {missing:,} records before the end of its topic", cure="rtlib logs stream"
            )
        if now - notified_at > NOTIFY_SECONDS:
            notified_at = now
            notify(f"  {missing:,} records of {settings.topic('events')} are still to be archived")
        time.sleep(LOOK_SECONDS)


def _records_to_archive(settings: Settings, ends: Mapping[int, int]) -> int:
    with closing(connect(settings)) as connection:
        reached = audit.archive_progress(connection, settings.domain).offsets
    return sum(max(0, end - reached.get(partition, 0)) for partition, end in ends.items())


def _wait_until_merged(settings: Settings, notify: Notify) -> None:
    try:
        wait_until_merged(settings)
    except ServiceError as error:  # a busy machine may take longer; what is not merged yet is not lost
        notify(f"{error.what}; it continues in the background")


def _load_history(settings: Settings, notify: Notify) -> int:
    """Load the recorded history of every domain again; returns the number of its parts."""
    loaded = 0
    for domain in DOMAINS:
        of_domain = settings.model_copy(update={"domain": domain})
        parts = batch_log.history_parts(of_domain)
        if parts:
            notify(f"{domain}: loading history from {min(part.start for part in parts):%d %B %Y}")
            load_parts(of_domain, parts)
            loaded += len(parts)
    return loaded


def _rebuild_marts_and_plans(settings: Settings, salvage: Salvage, notify: Notify) -> None:
    """Build marts, forecasts and plans that existed before."""
    had_marts = any(rows and name.startswith("MARTS.") for name, rows in salvage.rows.items())
    had_forecasts = any(
        batch_log.read_note(settings.model_copy(update={"domain": domain}), "forecast") is not None
        for domain in DOMAINS
    )
    if had_marts or had_forecasts or (not salvage.rows and dbt.models(settings)[1] is not None):
        notify("building the marts")
        dbt.build(settings, unit_tests=False)
    for domain in DOMAINS:
        of_domain = settings.model_copy(update={"domain": domain})
        days = batch_log.read_note(of_domain, "forecast")
        if days is not None:
            notify(f"{domain}: forecasting {days} days")
            forecasting.forecast(of_domain, days=days)
        if days is not None and batch_log.read_note(of_domain, "plan") is not None:
            notify(f"{domain}: planning shifts")
            staff_plan.plan(of_domain)


def _tables(settings: Settings, salvage: Salvage) -> tuple[TableRows, ...]:
    sql = (
        "select table_schema as s, table_name as t from information_schema.tables "
        "where table_type = 'BASE TABLE' and table_schema not like 'INFORMATION%' order by 1, 2"
    )
    with closing(connect(settings)) as connection:
        names = [f"{row['s']}.{row['t']}" for row in query(connection, sql) if not row["s"].startswith("_FS")]
        after = {name: int(query(connection, f"select count(*) as n from {name}")[0]["n"]) for name in names}
    return tuple(
        TableRows(name, salvage.rows.get(name), salvage.carried.get(name, 0), after.get(name, 0))
        for name in sorted(after.keys() | salvage.rows.keys())
    )


def _gone(salvage: Salvage, parts: int) -> Iterator[str]:
    contents = {
        "OPS.ALERTS": "alerts, their delivery status and acknowledgements",
        "OPS.ALERT_MEMORY": "the state of the alerting service: it evaluates the last ten minutes again",
        "OPS.ALERT_MUTES": "the mutes",
        "SPEED.BATCHES": "the KPI query's record of its batches, except what the progress topic still holds",
        "SPEED.KPIS": "KPIs older than Kafka's retention time",
        "RAW.EVENTS": "events older than Kafka's retention time",
        "RAW.REJECTED": "rejected records older than Kafka's retention time",
        "RAW.ROLLUPS": "live events that were rolled up and are older than Kafka's retention time",
        "RAW.ROLLED_SEQUENCES": "the sequences of those events",
        "RAW.RETENTION": "the times at which events were rolled up",
    }
    for name, reason in salvage.lost.items():
        yield f"{name}: {contents[name]} ({reason})"
    if salvage.kept and not parts:
        yield "history loaded before its seed was recorded, if there was any: rtlib backfill loads it"
