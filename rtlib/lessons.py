"""Lessons: what a notebook asks for in one line, because how it is done would only distract there."""

from __future__ import annotations

from rtlib.config import Settings
from rtlib.errors import ConfigError
from rtlib.ledger import Ledger, judge
from rtlib.pipeline.evidence import gather, held_sequences


def ledger_without_one_event(settings: Settings) -> Ledger:
    """The ledger as it would be, did the warehouse lack one event that it holds: a proof must be able to fail.

    Nothing is changed anywhere: the event is hidden in the evidence, between the warehouse's answer and the judgement.

    Raises:
        ConfigError: The warehouse holds no event yet.
        ServiceError: The broker does not answer.
        WarehouseError: The warehouse does not answer.
    """
    evidence = gather(settings)
    held = held_sequences(settings, list(evidence.held))
    if not any(held.values()):
        raise ConfigError("RAW.EVENTS holds no event that could be hidden", cure="wait a few seconds, then try again")
    busiest = max(held, key=lambda name: len(held[name]))
    return judge(evidence, held | {busiest: held[busiest] - {min(held[busiest])}})
