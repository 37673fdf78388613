"""What the topics are made of."""

from __future__ import annotations

from pathlib import Path

from rtlib.broker.topics import MAX_EVENT_BYTES, TopicSpec, topic_specs
from rtlib.config import Settings


def specs(tmp_path: Path, replicas: int = 1) -> dict[str, TopicSpec]:
    settings = Settings(home=tmp_path, domain="iot", kafka_replication_factor=replicas)
    return {spec.name.rpartition(".")[2]: spec for spec in topic_specs(settings)}


def test_a_domain_has_four_topics_in_its_name(tmp_path: Path) -> None:
    assert [spec.name for spec in specs(tmp_path).values()] == [
        "rtlib.iot.events",
        "rtlib.iot.kpis",
        "rtlib.iot.rejected",
        "rtlib.iot.progress",
    ]


def test_partitions_and_cleaning_are_as_the_contract_says(tmp_path: Path) -> None:
    told = specs(tmp_path)
    assert told["events"].partitions == 4
    assert told["progress"].partitions == 1
    assert "compact" in told["kpis"].configs["cleanup.policy"]
    assert all(int(spec.configs["retention.ms"]) > 0 for spec in told.values())


def test_an_event_that_is_too_large_fits_the_rejected_topic(tmp_path: Path) -> None:
    assert int(specs(tmp_path)["rejected"].configs["max.message.bytes"]) > 5 * MAX_EVENT_BYTES


def test_a_cluster_asks_for_two_replicas_in_sync_and_a_laptop_does_not(tmp_path: Path) -> None:
    assert all(spec.configs["min.insync.replicas"] == "2" for spec in specs(tmp_path, replicas=3).values())
    assert not any("min.insync.replicas" in spec.configs for spec in specs(tmp_path).values())
