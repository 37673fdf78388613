"""Trigger: how the kpis query runs, changed while the streaming application runs.

That is real-time mode or micro-batches, in real-time mode the checkpoint interval, and the rate for which the query
is prepared.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Literal

from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError, RtlibError, ServiceError
from rtlib.pipeline.telemetry.progress_topic import ProgressReader
from rtlib.run_state import load_options, save_options
from rtlib.streaming.queries import HIGH_RATE
from rtlib.wait import wait_until

log = logging.getLogger(__name__)
Trigger = Literal["real-time", "micro-batch"]
REAL_TIME = "real_time"  # a number of the kpis query's heartbeat: 1 in real-time mode, 0 with micro-batches
INTERVAL = "checkpoint_interval"  # another: in seconds, in real-time mode
HIGH = "high_rate"  # another: 1 if records are batched for a high rate
WATCHED = ("trigger", "real_time_interval_seconds", "rate")
SWITCH_SECONDS = 60.0  # limit for the application to restart its query


class TriggerWatch:
    """Watches the trigger, its interval and the rate, so that the application can restart its query after a change.

    Attributes:
        settings: The settings as last read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def numbers(self) -> Mapping[str, float]:
        """The trigger as a number for the query's heartbeat."""
        return _numbers(self.settings)

    def changed(self) -> bool:
        """True once after each change; settings that cannot be read count as unchanged."""
        try:
            read = load_settings(home=self.settings.home)
        except RtlibError as error:
            log.warning("the trigger stays as it was, because the settings cannot be read: %s", error)
            return False
        before = {name: getattr(self.settings, name) for name in WATCHED}
        now = {name: getattr(read, name) for name in WATCHED}
        if now == before:
            return False
        self.settings = self.settings.model_copy(update=now)
        log.info("the kpis query restarts with %s, before: %s", now, before)
        return True


def choose(
    settings: Settings, trigger: Trigger, *, interval_seconds: int | None = None, rate: float | None = None
) -> None:
    """Save the trigger of the kpis query; a running application follows, another takes it at its next start.

    Args:
        settings: Which stack.
        trigger: Real-time mode or micro-batches.
        interval_seconds: The checkpoint interval of real-time mode; None leaves it.
        rate: Events per second to expect; None leaves it.

    Raises:
        ConfigError: The environment sets something else.
    """
    wanted = dict(zip(WATCHED, (trigger, interval_seconds, rate), strict=True))
    chosen = {name: value for name, value in wanted.items() if value is not None}
    save_options(settings.home, {**load_options(settings.home), **chosen})
    effective = load_settings(home=settings.home)
    for name, value in chosen.items():
        if getattr(effective, name) != value:
            variable = f"RTLIB_{name.upper()}"
            raise ConfigError(
                f"{variable}={getattr(effective, name)} in the environment overrides {value}", cure=f"unset {variable}"
            )


def switch(
    settings: Settings, trigger: Trigger, *, interval_seconds: int | None = None, rate: float | None = None
) -> None:
    """Choose a trigger and wait until the running application has restarted its query with it.

    Args:
        settings: Which stack.
        trigger: Real-time mode or micro-batches.
        interval_seconds: The checkpoint interval of real-time mode; None leaves it.
        rate: Events per second to expect; None leaves it.

    Raises:
        ConfigError: The environment sets something else.
        ServiceError: The query did not restart with it.
    """
    since = datetime.now(UTC)
    choose(settings, trigger, interval_seconds=interval_seconds, rate=rate)
    wanted = _numbers(load_settings(home=settings.home))
    with closing(ProgressReader(settings)) as reader:
        if not wait_until(lambda: _runs_with(reader, wanted, since), seconds=SWITCH_SECONDS, interval=0.3):
            raise ServiceError(
                f"the kpis query did not restart with the trigger {trigger} within {SWITCH_SECONDS:.0f} s",
                cure="rtlib logs stream",
            )


def _runs_with(reader: ProgressReader, wanted: Mapping[str, float], since: datetime) -> bool:
    reader.catch_up()
    beat = reader.heartbeats.get("kpis")
    return beat is not None and beat.active and beat.at > since and beat.numbers == wanted


def _numbers(settings: Settings) -> dict[str, float]:
    if settings.trigger == "micro-batch":
        return {REAL_TIME: 0.0}
    high = float(settings.rate > HIGH_RATE)
    return {REAL_TIME: 1.0, INTERVAL: float(settings.real_time_interval_seconds), HIGH: high}
