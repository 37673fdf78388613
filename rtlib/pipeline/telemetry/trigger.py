"""Trigger: how the kpis query runs, chosen while the streaming application runs, which looks at it and follows."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError, RtlibError, ServiceError
from rtlib.pipeline.telemetry.progress_topic import ProgressReader
from rtlib.run_state import load_options, save_options

log = logging.getLogger(__name__)
Trigger = Literal["real-time", "micro-batch"]
REAL_TIME = "real_time"  # a number of the kpis query's heartbeat: 1 in real-time mode, 0 by micro-batches
SWITCH_SECONDS = 60.0  # how long the application may take to start its query again


class TriggerWatch:
    """The trigger that the settings tell, for who has to start a query again when it changes.

    Attributes:
        settings: As they were when they were last looked at.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def numbers(self) -> Mapping[str, float]:
        """What the query's heartbeat tells of it."""
        return _numbers(self.settings.trigger)

    def changed(self) -> bool:
        """True once when it is another one by now; settings that cannot be read change nothing."""
        try:
            told = load_settings(home=self.settings.home).trigger
        except RtlibError as error:
            log.warning("the trigger is as it was known: %s", error)
            return False
        before = self.settings.trigger
        if told == before:
            return False
        self.settings = self.settings.model_copy(update={"trigger": told})
        log.info("the kpis query runs by the trigger %s, before: %s", told, before)
        return True


def choose(settings: Settings, trigger: Trigger) -> None:
    """Write down which trigger the kpis query has from now on, or from the application's next start.

    Raises:
        ConfigError: It will have another one, because the environment says so.
    """
    save_options(settings.home, {**load_options(settings.home), "trigger": trigger})
    effective = load_settings(home=settings.home).trigger
    if effective != trigger:
        raise ConfigError(
            f"RTLIB_TRIGGER={effective} in the environment keeps {trigger} from being chosen",
            cure="unset RTLIB_TRIGGER",
        )


def switch(settings: Settings, trigger: Trigger) -> None:
    """Choose a trigger and wait until the running application has started its query with it.

    Raises:
        ConfigError: The environment chooses another one.
        ServiceError: The query does not run with it.
    """
    since = datetime.now(UTC)
    choose(settings, trigger)
    reader = ProgressReader(settings)
    patiently = Retrying(retry=retry_if_result(lambda runs: not runs), wait=wait_fixed(0.3))
    try:
        patiently.copy(stop=stop_after_delay(SWITCH_SECONDS))(_runs_by, reader, trigger, since)
    except RetryError as error:
        raise ServiceError(
            f"the kpis query does not run by the trigger {trigger} after {SWITCH_SECONDS:.0f} s",
            cure="rtlib logs stream",
        ) from error
    finally:
        reader.close()


def _runs_by(reader: ProgressReader, trigger: Trigger, since: datetime) -> bool:
    reader.catch_up()
    beat = reader.heartbeats.get("kpis")
    return beat is not None and beat.active and beat.at > since and beat.numbers == _numbers(trigger)


def _numbers(trigger: Trigger) -> dict[str, float]:
    return {REAL_TIME: float(trigger == "real-time")}
