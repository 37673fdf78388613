"""Schema watch: the schemas of the events topic, to which a new version may be added at any time."""

from __future__ import annotations

import logging
import time

from rtlib.broker.registry import schema_ids
from rtlib.broker.subjects import events_subject
from rtlib.config import Settings
from rtlib.errors import RtlibError

log = logging.getLogger(__name__)
LOOK_SECONDS = 5.0  # interval between requests to the registry


class SchemaIds:
    """The schema ids that a record of the events topic may carry.

    Attributes:
        known: The ids as last read from the registry.

    Raises:
        ConfigError: There is no such subject.
        ServiceError: The registry does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.known = schema_ids(settings, events_subject(settings))
        self._looked = time.monotonic()

    def changed(self) -> bool:
        """True once after each change, read from the registry at intervals; unchanged while that is unreachable."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        try:
            ids = schema_ids(self._settings, events_subject(self._settings))
        except RtlibError as error:
            log.warning("the schema ids stay as they were, because the registry cannot be read: %s", error)
            return False
        before, self.known = self.known, ids
        if ids != before:
            log.info("schemas of the events topic: %s, before: %s", sorted(ids), sorted(before))
        return ids != before
