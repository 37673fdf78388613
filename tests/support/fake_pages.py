"""Data for the app's pages without a stack: forecast, plan, alerts and counts of a simulated day."""

from __future__ import annotations

import json
import math
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import SecretStr

from rtlib.alerts import Alert, Change, EvaluatorState, RuleLevel, State, card, message, nearness, rules_of
from rtlib.alerts.address import ReceiverAddress
from rtlib.alerts.receiver import Receiver
from rtlib.alerts.receiver_web import web_app
from rtlib.domains import load_domain
from rtlib.pipeline.batch_status import STEP_TITLES, JobStep
from rtlib.pipeline.explanations.fact_builders import choices
from rtlib.pipeline.page_data import PlanData, Quality
from rtlib.pipeline.planning.today import Today
from rtlib.records import Reading
from rtlib.transform.records import BuildReport, CheckResult, NodeResult

STEP = timedelta(minutes=30)


class FakePages:
    """Answers as ``rtlib.pipeline.page_data.PageData`` does.

    Args:
        script: A JSON file, read again each time: ``{"young": true}`` is a stack that has just been started.
    """

    def __init__(self, script: Path | None = None) -> None:
        self._script = script
        self._acknowledged: dict[str, datetime] = {}
        self._muted: dict[tuple[str, str], datetime] = {}
        self._sent: set[str] = set()
        self.receiver = receiver_with_two_cards()
        self.time_zone = load_domain("curbside").time_zone

    @property
    def _young(self) -> bool:
        return bool(self._script and json.loads(self._script.read_text()).get("young"))

    def jobs(self) -> tuple[JobStep, ...]:
        """All done; of a young stack, dbt is running."""
        titles = list(STEP_TITLES.items())
        if not self._young:
            return tuple(JobStep(job, title, "done", "3 min ago; 1,344 rows; next in 2 min") for job, title in titles)
        states = [
            ("done", "12 s ago; 26,880 rows", 0, 0),
            ("running", "40 of 124 models and tests", 40, 124),
            ("waiting", "follows after Marts (dbt)", 0, 0),
            ("waiting", "follows after Forecast", 0, 0),
        ]
        return tuple(JobStep(job, title, *state) for (job, title), state in zip(titles, states, strict=True))

    def nearness(self) -> tuple[RuleLevel, ...]:
        """Values at every site, two of them beyond a threshold."""
        domain, now = load_domain("curbside"), datetime.now(UTC)
        states = {
            (site.id, spec.name): State(seen=now, value=spec.threshold * (0.2 + 0.12 * place))
            for place, site in enumerate(domain.sites)
            for spec in domain.alerts
        }
        states |= {("all", spec.name): State(seen=now, value=0.4 * spec.threshold) for spec in domain.alerts}
        if not self._young:
            states[domain.sites[0].id, "long-wait"] = State(now, None, now, now, None, now, 12.5)
        return nearness(domain, EvaluatorState(states, now).to_json())

    def plan(self) -> PlanData:
        """Two days of load, two days of forecast, and the people for the forecast."""
        begin = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        before = [begin - 96 * STEP + place * STEP for place in range(110)]
        ahead = [begin + place * STEP for place in range(96)]
        if self._young:
            load = tuple((at, level(at)) for at in before)
            return PlanData("Curb-side runner", "America/Los_Angeles", load, (), (), (), "")
        people = [(at, math.ceil(level(at) / 3), math.ceil(level(at) / 3) + 1) for at in ahead]
        return PlanData(
            role="Curb-side runner",
            time_zone="America/Los_Angeles",
            today=Today(datetime.now(UTC), 26, 21, 412_300.0, 405_100.0),
            load=tuple((at, None if place == 40 else level(at) * (1 + 0.1 * math.sin(place)))
                       for place, at in enumerate(before)),
            forecast=tuple((at, level(at), 0.7 * level(at), 1.3 * level(at)) for at in ahead),
            staff=tuple((at, float(needed), float(planned)) for at, needed, planned in people),
            scores=(("ETS", 0.183, 0.81, True), ("Prophet", 0.192, 0.79, False), ("naive", 0.241, None, False)),
            why="ETS is chosen: it missed 18.3% of what happened, 9% less than the four-week mean.",
        )  # fmt: skip

    def quality(self) -> Quality:
        """Some of everything."""
        fresh = (Reading("newest of raw.events", 1.2, "s old", datetime.now(UTC)),)
        reasons = {"missing": 38, "not of the form that its schema asks for": 30, "not a JSON object": 23}
        report = None if self._young else a_report()
        return Quality(184_786, 306, 164, reasons, 86, 45, 0, 0, report, () if self._young else fresh)

    def alerts(self) -> list[dict[str, Any]]:
        """An active alert, its recovery, and an alert whose card was not delivered."""
        if self._young:
            return []
        noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
        return [
            self._message("c", noon, "raised", "warning", *self._delivery("c")),
            self._message("b", noon - STEP, "recovered", "critical", "delivered", ""),
            self._message("a", noon - 2 * STEP, "raised", "critical", "delivered", ""),
        ]

    def acknowledge(self, key: str) -> None:
        """Store the time."""
        self._acknowledged[key] = datetime.now(UTC)

    def choices(self, kind: str) -> list[tuple[str, str]]:
        """The KPIs or forecasts of the domain."""
        return choices(load_domain("curbside"), kind)

    def mute(self, site: str, rule: str, *, hours: float) -> None:
        """Store the end of the mute."""
        self._muted[site, rule] = datetime.now(UTC) + timedelta(hours=hours)

    def mutes(self) -> list[dict[str, Any]]:
        """The active mutes."""
        title = "Mean wait, Oakland, 3rd Street"
        return [{"site": site, "rule": rule, "title": title, "until": until}
                for (site, rule), until in self._muted.items()]  # fmt: skip

    def unmute(self, site: str, rule: str) -> None:
        """End the mute."""
        del self._muted[site, rule]

    def send_again(self, key: str) -> None:
        """Mark the card as delivered."""
        self._sent.add(key)

    def _delivery(self, key: str) -> tuple[str, str]:
        return ("delivered", "") if key in self._sent else ("undelivered", "no answer (ConnectionError)")

    def _message(self, key: str, at: datetime, change: str, severity: str, status: str, reason: str) -> dict[str, Any]:
        return {
            "alert_key": key, "domain": "curbside", "site": "oakland", "rule": "long-wait", "severity": severity,
            "change": change, "title": "Mean wait, Oakland, 3rd Street", "value": 12.5, "unit": "min",
            "threshold": 10.0, "began_at": at, "raised_at": at, "judged_at": at, "evidence": {}, "status": status,
            "attempts": 1, "reason": reason, "delivered_at": at, "acknowledged_at": self._acknowledged.get(key),
        }  # fmt: skip


def a_report() -> BuildReport:
    """A run of dbt with a failed test."""
    names = [f"{layer}_{name}" for layer in ("stg", "int", "mart") for name in ("events", "kpis", "batches", "load")]
    nodes = tuple(
        NodeResult(name, "model", "MARTS", "table", "success", 51_204, 51_204, 0.4, 3, 3 if place else 2)
        for place, name in enumerate(names)
    )
    checks = tuple(
        CheckResult(f"{rule}_{name}", "test", rule, name, "event_id", "pass", 0, 0.1)
        for name in names
        for rule in ("unique", "not_null")
    )
    failed = CheckResult("accepted_range", "test", "accepted_range", names[5], "value", "fail", 3, 0.1)
    return BuildReport("build", "a", datetime.now(UTC), 41.0, nodes, (*checks, failed))


def receiver_with_two_cards() -> str:
    """Start a real receiver in a thread, with the cards of an alert and its recovery; returns its address."""
    receiver, domain, now = Receiver(), load_domain("curbside"), datetime.now(UTC)
    for change, value in ((Change.RAISED, 12.5), (Change.RECOVERED, 5.0)):
        rule = rules_of(domain)[0]
        alert = Alert("curbside", domain.sites[0].id, rule, change, value, now, now, now, {"events": 240})
        advice = rule.advice if change is Change.RAISED else "Nothing more to do. Thank you."
        site = domain.sites[0]
        content = card(alert, site=site.title, advice=advice, link="http://127.0.0.1/", zone=site.time_zone)
        receiver.take(message(content))
    listening, secret = socket.create_server(("127.0.0.1", 0)), SecretStr("the receiver's secret")
    server = uvicorn.Server(uvicorn.Config(web_app(receiver, secret), log_level="error", lifespan="off"))
    threading.Thread(target=server.run, args=([listening],), daemon=True).start()
    address = ReceiverAddress(f"http://127.0.0.1:{listening.getsockname()[1]}", secret)
    return address.page.get_secret_value()


def level(at: datetime) -> float:
    """The load at a time of day; low at night."""
    return 30 - 20 * math.cos(2 * math.pi * (at.hour + at.minute / 60) / 24)
