"""Prepare: topics, schema and tables of the chosen domain, made once and again without harm."""

from __future__ import annotations

from rtlib.broker.registry import register
from rtlib.broker.topics import ensure_topics
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.lost_records import refuse_lost_records
from rtlib.warehouse.connection import connect
from rtlib.warehouse.migrations import migrate


def provision(settings: Settings) -> None:
    """Make what the pipeline writes to.

    Raises:
        ServiceError: The broker or the registry does not answer, or Kafka has lost records that were read from it.
        SchemaRefused: The domain's schema is not compatible with the one registered before.
        WarehouseError: A migration failed.
    """
    register(settings, subject(settings), load_domain(settings.domain).schema)
    ensure_topics(settings)  # after the schema: who sees the topics may ask for it
    connection = connect(settings)
    try:
        migrate(connection)
        refuse_lost_records(settings, connection)
    finally:
        connection.close()


def subject(settings: Settings) -> str:
    """The registry's name for the schema of the events topic's values."""
    return f"{settings.topic('events')}-value"
