"""The probes, asked without a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline import broker_probe
from rtlib.pipeline.probes import PROBES


class EmptyBroker:
    """A consumer of a broker that has no topics, as kafka-python answers then."""

    closed = False

    def partitions_for_topic(self, topic: str) -> None:
        return None

    def close(self) -> None:
        self.closed = True


def test_a_broker_without_the_domains_topics_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = EmptyBroker()
    monkeypatch.setattr(broker_probe, "consumer", lambda settings: broker)
    with pytest.raises(ServiceError, match=r"the broker has no topic 'rtlib\.iot\.events'") as told:
        PROBES["broker"](Settings(home=tmp_path, domain="iot"))
    assert told.value.cure == "rtlib up"
    assert broker.closed
