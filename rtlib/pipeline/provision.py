"""Provision: create the topics, the schema and the tables of the chosen domain; repeating it is harmless."""

from __future__ import annotations

from contextlib import closing

from rtlib.broker.registry import register
from rtlib.broker.subjects import events_subject
from rtlib.broker.topics import ensure_topics
from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.pipeline.lost_records import refuse_lost_records
from rtlib.warehouse.connection import connect
from rtlib.warehouse.migrations import migrate


def provision(settings: Settings) -> None:
    """Create everything that the pipeline writes to.

    Raises:
        ServiceError: The broker or the registry does not answer, or Kafka has lost records that were read from it.
        SchemaRefused: The domain's schema is not compatible with the registered one.
        WarehouseError: A migration failed.
    """
    register(settings, events_subject(settings), load_domain(settings.domain).schema)
    ensure_topics(settings)  # after the schema: a process that sees the topics may request the schema
    with closing(connect(settings)) as connection:
        migrate(connection)
        refuse_lost_records(settings, connection)
