"""The alerting service on a real Kafka, a real warehouse and the receiver: killed, refused, and never twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from kafka import KafkaProducer

from rtlib.broker.client import client_options
from rtlib.broker.topics import ensure_topics
from rtlib.config import Settings, load_settings
from rtlib.domains import load_domain
from rtlib.pipeline.workers.receiver import receiver_address
from support.stack import Stack, ask, clean_environment, until

pytestmark = pytest.mark.integration

CALM, BAD = 40.0, 7_000.0  # ms: of latency in one domain, of a page's load in another


def of_domain(stack: Stack, domain: str) -> Settings:
    """Settings for a domain that the stack does not run, so that its simulator says nothing of it."""
    chosen = load_settings(home=stack.home, domain=domain)
    ensure_topics(chosen)
    return chosen


@contextmanager
def service(settings: Settings, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """The service as the supervisor runs it, for the other domain."""
    environment = clean_environment(settings.home, RTLIB_DOMAIN=settings.domain, **variables)
    with subprocess.Popen([sys.executable, "-m", "rtlib", "run", "alerts"], env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=30)


def notify(settings: Settings, kpi: str, values: list[float], *, first: datetime) -> None:
    """Write a KPI record of the domain's first site for each minute, as Spark does."""
    domain = load_domain(settings.domain)
    site, names = domain.sites[0].id, [kpi.name for kpi in domain.kpis]
    producer = KafkaProducer(**client_options(settings))
    for minute, value in enumerate(values):
        begin = first + timedelta(minutes=minute)
        kpis = {
            "domain": settings.domain, "site": site, "window_start": begin.isoformat(),
            "window_end": (begin + timedelta(minutes=1)).isoformat(),
            "measures": {name: value if name == kpi else None for name in names}, "events": 100, "late": 0,
            "first_event_at": begin.isoformat(), "last_event_at": (begin + timedelta(seconds=59)).isoformat(),
        }  # fmt: skip
        producer.send(
            settings.topic("kpis"), key=f"{begin:%Y-%m-%dT%H:%M:%SZ}|{site}".encode(), value=json.dumps(kpis).encode()
        )
    producer.close()


def cards(settings: Settings) -> list[str]:
    """The titles of this domain's cards that the receiver took."""
    address = receiver_address(settings)
    titles = [card["body"][0] for card in requests.get(address.cards, headers=address.headers(), timeout=5).json()]
    return [title["text"] for title in titles if title["id"].startswith(settings.domain)]


def outbox(settings: Settings) -> list[dict[str, Any]]:
    return ask(
        settings,
        f"select change, status, reason, attempts from OPS.ALERTS where domain = '{settings.domain}' "
        "order by judged_at",
    )


def test_a_surge_is_one_card_and_one_recovery_though_the_service_is_killed_in_between(stack: Stack) -> None:
    settings = of_domain(stack, "gaming")
    first = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=9)
    with service(settings) as process:
        notify(settings, "latency", [CALM, BAD, BAD, BAD], first=first)
        until(lambda: cards(settings), seconds=60)
        os.kill(process.pid, signal.SIGKILL)
    with service(settings):
        notify(settings, "latency", [BAD, CALM, CALM, CALM], first=first + timedelta(minutes=4))
        until(lambda: len(cards(settings)) > 1, seconds=60)
        until(lambda: all(row["status"] == "delivered" for row in outbox(settings)), seconds=30)
    raised, over = cards(settings)
    assert raised.startswith("Act now: Mean latency")
    assert over.startswith("Over: Mean latency")
    assert [row["change"] for row in outbox(settings)] == ["raised", "recovered"]


def test_where_nobody_takes_the_card_it_is_kept_with_the_reason(stack: Stack) -> None:
    settings = of_domain(stack, "ecommerce")
    first = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    nowhere = receiver_address(settings).cards  # takes no POST
    with service(settings, RTLIB_TEAMS_WEBHOOK_URL=nowhere):
        notify(settings, "page_load", [BAD] * 4, first=first)
        until(lambda: any(row["status"] == "undelivered" for row in outbox(settings)), seconds=60)
    (undelivered,) = outbox(settings)
    assert (undelivered["change"], undelivered["reason"], int(undelivered["attempts"])) == ("raised", "HTTP 401", 1)
