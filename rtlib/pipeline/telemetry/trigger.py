"""Trigger: switch the kpis query between real-time mode and micro-batches while the streaming application runs."""

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
from rtlib.wait import wait_until

log = logging.getLogger(__name__)
Trigger = Literal["real-time", "micro-batch"]
REAL_TIME = "real_time"  # a number of the kpis query's heartbeat: 1 in real-time mode, 0 with micro-batches
SWITCH_SECONDS = 60.0  # limit for the application to restart its query


class TriggerWatch:
    """Watches the trigger in the settings, so that the application can restart its query after a change.

    Attributes:
        settings: The settings as last read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @property
    def numbers(self) -> Mapping[str, float]:
        """The trigger as a number for the query's heartbeat."""
        return _numbers(self.settings.trigger)

    def changed(self) -> bool:
        """True once after each change; settings that cannot be read count as unchanged."""
        try:
            trigger = load_settings(home=self.settings.home).trigger
        except RtlibError as error:
            log.warning("the trigger stays as it was, because the settings cannot be read: %s", error)
            return False
        before = self.settings.trigger
        if trigger == before:
            return False
        self.settings = self.settings.model_copy(update={"trigger": trigger})
        log.info("the kpis query now uses the trigger %s, before: %s", trigger, before)
        return True


def choose(settings: Settings, trigger: Trigger) -> None:
    """Save the trigger of the kpis query; a running application follows, another takes it at its next start.

    Raises:
        ConfigError: The environment sets another trigger.
    """
    save_options(settings.home, {**load_options(settings.home), "trigger": trigger})
    effective = load_settings(home=settings.home).trigger
    if effective != trigger:
        raise ConfigError(
            f"RTLIB_TRIGGER={effective} in the environment overrides {trigger}", cure="unset RTLIB_TRIGGER"
        )


def switch(settings: Settings, trigger: Trigger) -> None:
    """Choose a trigger and wait until the running application has restarted its query with it.

    Raises:
        ConfigError: The environment sets another trigger.
        ServiceError: The query did not restart with it.
    """
    since = datetime.now(UTC)
    choose(settings, trigger)
    with closing(ProgressReader(settings)) as reader:
        if not wait_until(lambda: _runs_with(reader, trigger, since), seconds=SWITCH_SECONDS, interval=0.3):
            raise ServiceError(
                f"the kpis query did not restart with the trigger {trigger} within {SWITCH_SECONDS:.0f} s",
                cure="rtlib logs stream",
            )


def _runs_with(reader: ProgressReader, trigger: Trigger, since: datetime) -> bool:
    reader.catch_up()
    beat = reader.heartbeats.get("kpis")
    return beat is not None and beat.active and beat.at > since and beat.numbers == _numbers(trigger)


def _numbers(trigger: Trigger) -> dict[str, float]:
    return {REAL_TIME: float(trigger == "real-time")}
