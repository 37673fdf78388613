"""Alerting: the supervised service that watches the KPI stream and sends a card when somebody is needed.

What is found goes into OPS.ALERTS in the transaction that notes how far the service has judged, and is sent from
there. A crash at any moment therefore loses no alert and raises none twice; one that was sent and not yet noted as
sent goes out again (at least once).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from rtlib.alerts import Alert, Change, EvaluatorState, RuleEvaluator, Teams, card, message, rules_of
from rtlib.config import Settings
from rtlib.domains import Domain, load_domain
from rtlib.pipeline.telemetry.heartbeat import HeartbeatEmitter, Skipped, wait_for_topics
from rtlib.pipeline.workers.receiver import receiver_address
from rtlib.pipeline.workers.refusals import kpi_rules
from rtlib.warehouse import alert_outbox as table
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.plan_status import Shortage, load_of_forecast, shortage

if TYPE_CHECKING:
    from rtlib.broker.librdkafka_reader import Partition, Reader

log = logging.getLogger(__name__)
LOOK_SECONDS = 60.0  # forecast and plan are looked at once a minute
LISTEN_SECONDS = 0.2  # how long it waits for records before it looks at what is due
MANY = 20_000  # records in one look, at the most
BACK = timedelta(minutes=10)  # how far back it begins where nothing was judged yet
SEND_SECONDS = 10.0  # how soon the outbox is looked at though nobody said that it holds something
COUNT_SECONDS = 5.0  # what a heartbeat tells of the outbox may be so old: the warehouse has better to do
NODES = {"people_short": "staffing", "load_of_forecast": "forecast"}  # what a card's link opens; else the KPI query


def webhook(settings: Settings) -> SecretStr:
    """Where cards go: to Teams if a webhook is set, else to the receiver of this stack."""
    return settings.teams_webhook_url or receiver_address(settings).webhook


def run_alerts(settings: Settings, stop: threading.Event) -> None:
    """Judge every finished window of the KPI stream, and call people."""
    wait_for_topics(settings)
    wake = threading.Event()
    watch = AlertService(settings, wake)
    sign = HeartbeatEmitter("alerts", settings)
    sender = threading.Thread(target=send_pending, args=(settings, stop, wake), name="sender")
    sender.start()
    try:
        while not stop.is_set():
            watch.step()
            if not sender.is_alive():
                raise RuntimeError("the sender has ended; the supervisor starts this part again")
            if sign.due():
                sign.emit(f"judged until {watch.said}", watch.numbers())
    finally:
        stop.set()
        wake.set()
        sender.join(timeout=15)
        sign.close()
        watch.close()


class AlertService:
    """Reads KPI records, judges, and writes what came of it; ``wake`` is set when the outbox holds something new."""

    def __init__(self, settings: Settings, wake: threading.Event) -> None:
        self._settings, self._domain, self._wake = settings, load_domain(settings.domain), wake
        self._warehouse = Warehouse(settings)
        told = self._warehouse.run(lambda connection: table.memory(connection, settings.domain))
        self.memory = EvaluatorState.from_json(told) if told else EvaluatorState()
        self._judge = RuleEvaluator(settings.domain, rules_of(self._domain), self.memory)
        self._reader = _reader(settings, self.memory.until)
        self._next_look = datetime.now(UTC)
        self._ends: Mapping[Partition, int] | None = None
        self._held: Mapping[str, float] = {}
        self._counted_at = float("-inf")
        self._skipped = Skipped(log)
        self._rules = kpi_rules(settings)

    @property
    def said(self) -> str:
        """How far it has judged, for people."""
        until = f"{self.memory.until:%H:%M:%S} UTC" if self.memory.until else "nothing yet"
        return f"{until}{self._skipped.said}"

    def numbers(self) -> dict[str, float]:
        """What its heartbeat carries: alerts that are up, records refused, and what became of the outbox."""
        if time.monotonic() - self._counted_at > COUNT_SECONDS:
            self._held = self._warehouse.run(lambda connection: table.counts(connection, self._domain.name))
            self._counted_at = time.monotonic()
        up = sum(state.raised_at is not None for state in self.memory.states.values())
        return {**self._held, "up": up, "skipped": self._skipped.count}

    def step(self) -> None:
        """Read for a moment, judge what is over, and write it down.

        Raises:
            WarehouseError: It could not be written; after a new start it goes on where it was.
        """
        from rtlib.broker.kpi_records import newest_kpis

        before = self.memory.until
        self._ends = self._ends or self._reader.ends()
        newest, refused = newest_kpis(self._reader.poll(seconds=LISTEN_SECONDS, most=MANY), self._rules)
        self._skipped.add(refused)
        for kpi in newest:
            self._judge.take(kpi)
        # Partitions come one after another while it catches up: it must have read all of what was there.
        if not self._reader.has_reached(self._ends):
            return
        self._ends = None
        found = [*self._judge.judge(), *self._outside()]
        if found or self.memory.until != before:
            self._write(found)

    def close(self) -> None:
        """Give connections back."""
        self._reader.close()
        self._warehouse.close()

    def _outside(self) -> list[Alert]:
        """What forecast and plan say, once a minute."""
        now = datetime.now(UTC)
        if now < self._next_look:
            return []
        self._next_look = now + timedelta(seconds=LOOK_SECONDS)
        kinds = self._domain.staffing.kinds
        load = self._warehouse.run(partial(load_of_forecast, domain=self._domain.name, kinds=kinds, now=now))
        short = self._warehouse.run(lambda connection: shortage(connection, self._domain.name, now=now))
        worst = {"people_short": short.people, "interval": _minute(short.interval) if short.interval else ""}
        came = {"events": load.events, "upper_80": load.upper_80, "interval": _minute(load.interval)} if load else {}
        return [
            *self._judge.measured("people_short", short.people, at=now, evidence=worst),
            *self._judge.measured("load_of_forecast", load.percent if load else None, at=now, evidence=came),
        ]

    def _write(self, found: list[Alert]) -> None:
        rows = list(self._rows(found))
        told = self.memory.to_json()
        self._warehouse.run(lambda connection: table.record(connection, self._domain.name, rows, told))
        if rows:
            self._wake.set()

    def _rows(self, found: list[Alert]) -> Iterator[dict[str, Any]]:
        if not found:
            return
        now = datetime.now(UTC)
        short = self._warehouse.run(lambda connection: shortage(connection, self._domain.name, now=now))
        for one in found:
            site = titled(self._domain, one.site)
            link = f"{self._settings.app_link}?node={NODES.get(one.rule.measure, 'kpis')}"
            body = card(one, site=site, advice=advice(one, self._domain, short), link=link)
            yield _row(one, site, body)


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}Z"


def titled(domain: Domain, site: str) -> str:
    """A site's title; that of the domain for what is measured as a whole."""
    return next((one.title for one in domain.sites if one.id == site), domain.title)


def advice(alert: Alert, domain: Domain, plan: Shortage) -> str:
    """What to do: the rule's words, and what the staffing plan says of the next hours."""
    if alert.unmeasured_since:
        return "It is no longer measured, so nobody knows how it stands: see in the app what stopped."
    if alert.change is Change.RECOVERED:
        return "Nothing more to do. Thank you."
    if plan.people is None:
        return alert.rule.advice
    role = domain.staffing.title.lower()
    if plan.people > 0:
        worst = f"at {plan.interval:%H:%M} UTC" if plan.interval else "soon"
        return f"{alert.rule.advice} The plan is short of {plan.people:.0f} × {role} {worst}."
    return f"{alert.rule.advice} The plan has enough people for the next two hours."


def _row(alert: Alert, site: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "alert_key": alert.key,
        "domain": alert.domain,
        "site": alert.site,
        "rule": alert.rule.name,
        "severity": alert.rule.severity,
        "change": str(alert.change),
        "title": f"{alert.rule.title}, {site}",
        "value": alert.value,
        "unit": alert.rule.unit,
        "threshold": alert.rule.threshold,
        "began_at": alert.since,
        "raised_at": alert.raised_at,
        "judged_at": alert.at,
        "evidence": alert.evidence,
        "card": json.dumps(body, ensure_ascii=False),
    }


def _reader(settings: Settings, until: datetime | None) -> Reader:
    """A reader that begins before the first window that is still to be judged."""
    from rtlib.broker.librdkafka_reader import Reader
    from rtlib.broker.topics import offsets_at

    topic = settings.topic("kpis")
    begin = (until or datetime.now(UTC) - BACK) - timedelta(seconds=settings.window_seconds)
    starts = {(topic, number): offset for number, offset in offsets_at(settings, topic, begin).items()}
    # Windows are a minute long: five answers of the broker a second are soon enough, and spare it hundreds.
    group = f"rtlib.{settings.domain}.alerts"
    return Reader(settings, starts, group=group, together_bytes=1_000_000, together_ms=round(1000 * LISTEN_SECONDS))


def send_pending(settings: Settings, stop: threading.Event, wake: threading.Event) -> None:
    """Send what the outbox holds, the oldest first, whenever it is woken, until it is told to stop."""

    def sleep(seconds: float) -> None:
        stop.wait(seconds)

    warehouse, teams = Warehouse(settings), Teams(webhook(settings), sleep=sleep)
    try:
        while not stop.is_set():
            wake.clear()
            if not deliver(settings, warehouse, teams, stop):
                wake.wait(SEND_SECONDS)
    finally:
        warehouse.close()


def deliver(settings: Settings, warehouse: Warehouse, teams: Teams, stop: threading.Event) -> int:
    """Send each message of the outbox and note what became of it; one that must wait for long lets others go first.

    Returns:
        How many were taken: their recoveries may go out now.
    """
    taken = 0
    for row in warehouse.run(lambda connection: table.pending(connection, settings.domain)):
        if stop.is_set():
            return taken
        told = teams.post(message(json.loads(row["card"])), attempts=int(row["attempts"]))
        if not told.taken and stop.is_set():
            return taken  # it was cut short, not refused; the next start sends it
        log.info("card %s: %s after %d attempts", row["alert_key"], told.reason or "taken", told.attempts)
        noted = partial(
            table.note_delivery,
            key=row["alert_key"],
            taken=told.taken,
            attempts=told.attempts,
            reason=told.reason,
            again=told.again,
        )
        warehouse.run(noted)
        taken += told.taken
    return taken
