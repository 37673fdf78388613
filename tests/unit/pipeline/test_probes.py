"""The probes, without a stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline.monitoring.probes import broker
from rtlib.pipeline.monitoring.probes.broker import BrokerProbe
from rtlib.pipeline.monitoring.probes.catalog import probe_factories


class EmptyBroker:
    """A consumer of a broker without topics."""

    closed = False

    def partitions_for_topic(self, topic: str) -> None:
        return None

    def close(self) -> None:
        self.closed = True


def test_a_topic_missing_in_the_broker_is_named_in_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = EmptyBroker()
    monkeypatch.setattr(broker, "consumer", lambda settings: empty)
    with pytest.raises(ServiceError, match=r"the broker has no topic 'rtlib\.iot\.events'") as error:
        BrokerProbe(Settings(home=tmp_path, domain="iot"))
    assert error.value.cure == "rtlib up"
    assert empty.closed


def test_every_built_component_is_observed_by_exactly_one_probe() -> None:
    factories = probe_factories(lambda board: None)
    names = [name for factory in factories.values() for name in factory.names]
    assert sorted(names) == sorted({component.probe for component in ARCHITECTURE_COMPONENTS_LIST if component.probe})
