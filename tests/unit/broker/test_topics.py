"""What the topics are made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import OffsetSpec, TopicPartition

from rtlib.broker import topics
from rtlib.broker.topics import MAX_RECORD_BYTES, TopicSpec, end_offsets, first_offsets, topic_specs
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
    assert int(specs(tmp_path)["rejected"].configs["max.message.bytes"]) > 5 * MAX_RECORD_BYTES


def test_a_cluster_asks_for_two_replicas_in_sync_and_a_laptop_does_not(tmp_path: Path) -> None:
    assert all(spec.configs["min.insync.replicas"] == "2" for spec in specs(tmp_path, replicas=3).values())
    assert not any("min.insync.replicas" in spec.configs for spec in specs(tmp_path).values())


class OldLog:
    """An admin client of a broker that has deleted the first 40 of 100 records of partition 1."""

    def list_topics(self) -> list[str]:
        return ["events"]

    def describe_topics(self, names: list[str]) -> list[dict[str, list[dict[str, int]]]]:
        return [{"partitions": [{"partition_index": 1}, {"partition_index": 0}]} for _ in names]

    def list_partition_offsets(self, asked: Mapping[TopicPartition, OffsetSpec]) -> dict[TopicPartition, object]:
        held = {OffsetSpec.EARLIEST: {0: 0, 1: 40}, OffsetSpec.LATEST: {0: 30, 1: 100}}
        return {one: SimpleNamespace(offset=held[which][one.partition]) for one, which in asked.items()}


def test_a_log_whose_oldest_records_are_deleted_begins_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def admin(settings: Settings) -> Iterator[OldLog]:
        yield OldLog()

    monkeypatch.setattr(topics, "_admin", admin)
    assert first_offsets(Settings(home=tmp_path), "events") == {0: 0, 1: 40}
    assert end_offsets(Settings(home=tmp_path), "events") == {0: 30, 1: 100}
