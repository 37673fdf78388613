"""Versions: the schemas of the events topic while it is in use; somebody may register another at any time."""

from __future__ import annotations

import logging
import time

from rtlib.broker.registry import schema_ids
from rtlib.broker.subjects import events_subject
from rtlib.config import Settings
from rtlib.errors import RtlibError

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0  # how often the registry is asked


class SchemaIds:
    """The ids that a record of the events topic may carry.

    Attributes:
        known: The ids, as the registry last told them.

    Raises:
        ConfigError: There is no such subject.
        ServiceError: The registry does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.known = schema_ids(settings, events_subject(settings))
        self._looked = time.monotonic()

    def changed(self) -> bool:
        """True once when there are others by now. It looks now and then; a registry that is away changes nothing."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        try:
            told = schema_ids(self._settings, events_subject(self._settings))
        except RtlibError as error:
            log.warning("the schemas are as they were known: %s", error)
            return False
        before, self.known = self.known, told
        if told != before:
            log.info("schemas of the events topic: %s, before: %s", sorted(told), sorted(before))
        return told != before
