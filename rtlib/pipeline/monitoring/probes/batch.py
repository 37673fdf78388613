"""Batch probes: what dbt, the forecasts and the plan have left behind; asked for now and then, not every second."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from rtlib.config import Settings
from rtlib.pipeline import dbt
from rtlib.records import Observation, Reading, Status
from rtlib.warehouse.connection import Warehouse
from rtlib.warehouse.plan_status import Outcome, outcome

ASK_SECONDS = 10.0


class BatchProbe:
    """Reads dbt's last report and the newest rows of ML and OPS."""

    names: tuple[str, ...] = ("dbt", "forecast", "staffing")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._warehouse = Warehouse(settings, ride_out_seconds=2)
        self._asked = float("-inf")
        self._seen: Mapping[str, Observation] = {}

    def look(self) -> Mapping[str, Observation]:
        """What each step left when it ran last; between two questions the last answer."""
        if time.monotonic() - self._asked >= ASK_SECONDS:
            now = datetime.now(UTC)
            told = self._warehouse.run(lambda connection: outcome(connection, self._settings.domain, now=now))
            self._asked = time.monotonic()
            self._seen = {
                "dbt": dbt.observation(self._settings),
                "forecast": forecast(told, now=now),
                "staffing": staffing(told, now=now),
            }
        return self._seen

    def close(self) -> None:
        """Give the connection back."""
        self._warehouse.close()


def forecast(told: Outcome, *, now: datetime) -> Observation:
    """The forecast's node: the error of the champions, how often their interval held, and which they are."""
    if told.forecast_at is None:
        return Observation(Status.IDLE, "no forecast was made yet; try: rtlib staffing forecast", now)
    readings = (
        Reading("error (WAPE)", _percent(told.wape), "%", told.forecast_at),
        Reading("interval held", _percent(told.coverage), "%", told.forecast_at),
        Reading("sites", told.sites, "sites", told.forecast_at),
        Reading("next day", told.next_day, "events", told.forecast_at),
    )
    if told.forecast_until is None or told.forecast_until <= now:
        reason = f"nothing is forecast from now on; {_ended(told.forecast_until)}; cure: rtlib staffing forecast"
        return Observation(Status.DEGRADED, reason, now, readings)
    return Observation(Status.HEALTHY, f"champions by backtest: {told.champions}", now, readings)


def staffing(told: Outcome, *, now: datetime) -> Observation:
    """The plan's node: who is needed now, at the next peak, and how many are missing at the worst moment to come."""
    if told.planned_at is None:
        return Observation(Status.IDLE, "no plan was made yet; try: rtlib staffing plan", now)
    readings = (
        Reading("needed now", told.needed_now, "people", told.planned_at),
        Reading("next peak", told.next_peak, "people", told.planned_at),
        Reading("largest gap", told.gap.people, "people", told.planned_at),
    )
    return Observation(*_verdict(told), now, readings)


def _verdict(told: Outcome) -> tuple[Status, str]:
    short = told.gap
    if short.people is None:
        return (
            Status.DEGRADED,
            f"nothing is planned from now on; {_ended(told.planned_until)}; cure: rtlib staffing plan",
        )
    if short.people > 0 and short.interval:
        return (
            Status.DEGRADED,
            f"{short.people:.0f} people too few at the worst moment, {short.interval:%a %d %b %H:%M} UTC",
        )
    return Status.HEALTHY, "the plan covers what it was asked for"


def _ended(until: datetime | None) -> str:
    return f"the last interval ended at {until:%a %d %b %H:%M} UTC" if until else "there is no interval"


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
