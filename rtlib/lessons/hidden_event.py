"""Hidden event: the ledger with one event hidden from it, which shows that the ledger can fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtlib.config import Settings
from rtlib.errors import ConfigError

if TYPE_CHECKING:
    from rtlib.ledger import Ledger


def ledger_without_one_event(settings: Settings) -> Ledger:
    """Take the ledger as if the warehouse lacked one of its events.

    Nothing is deleted: the event is removed from the evidence before the ledger judges it.

    Raises:
        ConfigError: The warehouse holds no event yet.
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    from rtlib.ledger import judge
    from rtlib.pipeline.audit import evidence as audit

    evidence = audit.gather(settings)
    held = audit.held_sequences(settings, list(evidence.producers))
    if not any(held.values()):
        raise ConfigError("RAW.EVENTS holds no event that could be hidden", cure="wait a few seconds, then try again")
    busiest = max(held, key=lambda producer: len(held[producer]))
    return judge(evidence, held | {busiest: held[busiest] - {min(held[busiest])}})
