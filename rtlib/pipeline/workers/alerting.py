"""Alerting: the service that evaluates the KPI stream against the alert rules and queues cards.

Alerts go into OPS.ALERTS in the same transaction as the evaluator's state, and are sent from there. A crash at any
moment therefore loses no alert and raises none twice; a card that was sent but not yet recorded as sent goes out again
(at least once).
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rtlib.alerts import Alert, EvaluatorState, RuleEvaluator, card, rules_of
from rtlib.broker.kpi_records import newest_kpis
from rtlib.broker.librdkafka_reader import Partition, Reader
from rtlib.broker.topics import offsets_at
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.telemetry.heartbeat import HeartbeatEmitter
from rtlib.pipeline.workers.alert_text import advice, site_title, site_zone
from rtlib.pipeline.workers.delivery import send_pending
from rtlib.pipeline.workers.refusals import RefusalCount, kpi_rules
from rtlib.pipeline.workers.startup import wait_for_topics
from rtlib.warehouse import alert_outbox
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.plan_status import shortage
from rtlib.warehouse.recent_load import load_of_forecast

log = logging.getLogger(__name__)
PLAN_SECONDS = 60.0  # interval between evaluations of forecast and plan
POLL_SECONDS = 0.2
MAX_RECORDS = 20_000  # in a poll
LOOK_BACK = timedelta(minutes=10)  # the start of the first evaluation
COUNT_SECONDS = 5.0  # the maximum age of the outbox figures in a heartbeat: counting them costs the warehouse
NODES = {"people_short": "staffing", "load_of_forecast": "forecast"}  # the node a card links to; else the KPI query


def run_alerts(settings: Settings, stop: threading.Event) -> None:
    """Evaluate every finished window of the KPI stream, and send cards, until ``stop`` is set."""
    wait_for_topics(settings)
    wake, over = threading.Event(), threading.Event()
    service, heartbeat = AlertService(settings, wake), HeartbeatEmitter("alerts", settings)
    sender = threading.Thread(target=send_pending, args=(settings, over, wake), name="sender")
    sender.start()
    try:
        while not stop.is_set():
            service.step()
            if not sender.is_alive():
                raise RuntimeError("the sender thread has ended; the supervisor restarts this process")
            if heartbeat.due():
                heartbeat.emit(f"judged until {service.summary}", service.numbers())
    finally:
        over.set()
        wake.set()
        sender.join(timeout=15)
        heartbeat.close()
        service.close()


class AlertService:
    """Reads KPI records, evaluates the rules and writes alerts to the outbox.

    Attributes:
        state: The evaluator's state, saved with every alert.

    Args:
        settings: Which domain.
        wake: Is set when the outbox holds a new alert.
    """

    def __init__(self, settings: Settings, wake: threading.Event) -> None:
        self._settings, self._domain, self._wake = settings, load_domain(settings.domain), wake
        self._warehouse = Warehouse(settings)
        saved = self._warehouse.run(alert_outbox.memory, settings.domain)
        self.state = EvaluatorState.from_json(saved) if saved else EvaluatorState()
        self._evaluator = RuleEvaluator(settings.domain, rules_of(self._domain), self.state)
        self._reader = _reader(settings, self.state.until)
        self._next_plan = datetime.now(UTC)
        self._ends: Mapping[Partition, int] | None = None
        self._outbox: Mapping[str, float] = {}
        self._counted_at = float("-inf")
        self._refused = RefusalCount(log)
        self._rules = kpi_rules(settings)

    @property
    def summary(self) -> str:
        """The time until which windows are evaluated, and the refused records, as text."""
        until = f"{self.state.until:%H:%M:%S} UTC" if self.state.until else "nothing yet"
        return f"{until}{self._refused.summary}"

    def numbers(self) -> dict[str, float]:
        """The figures of the heartbeat: active alerts, refused records, and the outbox by state."""
        if time.monotonic() - self._counted_at > COUNT_SECONDS:
            self._outbox = self._warehouse.run(alert_outbox.counts, self._domain.name)
            self._counted_at = time.monotonic()
        active = sum(state.raised_at is not None for state in self.state.states.values())
        return {**self._outbox, "up": active, "skipped": self._refused.count}

    def step(self) -> None:
        """Poll once, evaluate the finished windows, and save the result.

        Raises:
            WarehouseError: The result could not be saved; after a restart the service continues from the saved state.
        """
        before = self.state.until
        self._ends = self._ends or self._reader.ends()
        kpis, refused = newest_kpis(self._reader.poll(seconds=POLL_SECONDS, limit=MAX_RECORDS), self._rules)
        self._refused.add(refused)
        for kpi in kpis:
            self._evaluator.take(kpi)
        # While the service catches up, partitions arrive in turn: evaluate once all of them have been read.
        if not self._reader.has_reached(self._ends):
            return
        self._ends = None
        alerts = [*self._evaluator.judge(), *self._evaluate_plan()]
        if alerts or self.state.until != before:
            self._save(alerts)

    def close(self) -> None:
        """Close all connections."""
        self._reader.close()
        self._warehouse.close()

    def _evaluate_plan(self) -> list[Alert]:
        """Alerts on the forecast and the staffing plan, once a minute."""
        now = datetime.now(UTC)
        if now < self._next_plan:
            return []
        self._next_plan = now + timedelta(seconds=PLAN_SECONDS)
        name, kinds = self._domain.name, self._domain.staffing.kinds
        load = self._warehouse.run(load_of_forecast, name, kinds=kinds, now=now)
        short = self._warehouse.run(shortage, name, now=now)
        worst = {"people_short": short.people, "interval": _minute(short.interval) if short.interval else ""}
        busy = {"events": load.events, "upper_80": load.upper_80, "since": _minute(load.begin)} if load else {}
        return [
            *self._evaluator.measured("people_short", short.people, at=now, evidence=worst),
            *self._evaluator.measured("load_of_forecast", load.percent if load else None, at=now, evidence=busy),
        ]

    def _save(self, alerts: list[Alert]) -> None:
        rows, state = list(self._rows(alerts)), self.state.to_json()
        self._warehouse.run(alert_outbox.record, self._domain.name, rows, state)
        if rows:
            self._wake.set()

    def _rows(self, alerts: list[Alert]) -> Iterator[dict[str, Any]]:
        if not alerts:
            return
        plan = self._warehouse.run(shortage, self._domain.name, now=datetime.now(UTC))
        for alert in alerts:
            site = site_title(self._domain, alert.site)
            link = f"{self._settings.app_link}?node={NODES.get(alert.rule.measure, 'kpis')}"
            words, zone = advice(alert, self._domain, plan), site_zone(self._domain, alert.site)
            yield _row(alert, site, card(alert, site=site, advice=words, link=link, zone=zone))


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}Z"


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
    """A reader that begins before the first window that is not yet evaluated."""
    topic = settings.topic("kpis")
    begin = (until or datetime.now(UTC) - LOOK_BACK) - timedelta(seconds=settings.window_seconds)
    starts = {(topic, number): offset for number, offset in offsets_at(settings, topic, begin).items()}
    # Windows last a minute: five answers of the broker per second are soon enough, and save it hundreds.
    group = f"rtlib.{settings.domain}.alerts"
    return Reader(settings, starts, group=group, min_bytes=1_000_000, max_wait_ms=round(1000 * POLL_SECONDS))
