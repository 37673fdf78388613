"""Subjects: the names under which the registry keeps the schemas of a domain's topics."""

from __future__ import annotations

from rtlib.config import Settings


def events_subject(settings: Settings) -> str:
    """The subject of the values of the events topic, by Confluent's TopicNameStrategy: ``<topic>-value``.

    Example:
        >>> events_subject(Settings(domain="iot"))
        'rtlib.iot.events-value'
    """
    return f"{settings.topic('events')}-value"
