"""Specs and offsets of the topics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import OffsetSpec, TopicPartition

from rtlib.broker import topics
from rtlib.broker.topic_specs import MAX_RECORD_BYTES, TopicSpec, topic_specs
from rtlib.broker.topics import end_offsets, first_offsets
from rtlib.config import Settings


def specs(tmp_path: Path, replicas: int = 1) -> dict[str, TopicSpec]:
    settings = Settings(home=tmp_path, domain="iot", kafka_replication_factor=replicas)
    return {spec.name.rpartition(".")[2]: spec for spec in topic_specs(settings)}


def test_a_domain_has_four_topics_that_carry_its_name(tmp_path: Path) -> None:
    assert [spec.name for spec in specs(tmp_path).values()] == [
        "rtlib.iot.events",
        "rtlib.iot.kpis",
        "rtlib.iot.rejected",
        "rtlib.iot.progress",
    ]


def test_partitions_and_cleanup_policies_are_as_documented(tmp_path: Path) -> None:
    by_name = specs(tmp_path)
    assert by_name["events"].partitions == 4
    assert by_name["progress"].partitions == 1
    assert "compact" in by_name["kpis"].configs["cleanup.policy"]
    assert all(int(spec.configs["retention.ms"]) > 0 for spec in by_name.values())


def test_an_event_beyond_the_limit_fits_the_rejected_topic(tmp_path: Path) -> None:
    assert int(specs(tmp_path)["rejected"].configs["max.message.bytes"]) > 5 * MAX_RECORD_BYTES


def test_a_cluster_requires_two_replicas_in_sync_and_a_laptop_does_not(tmp_path: Path) -> None:
    assert all(spec.configs["min.insync.replicas"] == "2" for spec in specs(tmp_path, replicas=3).values())
    assert not any("min.insync.replicas" in spec.configs for spec in specs(tmp_path).values())


class OldLog:
    """An admin client of a broker that has deleted the first 40 of 100 records of partition 1."""

    def list_topics(self) -> list[str]:
        return ["events"]

    def describe_topics(self, names: list[str]) -> list[dict[str, list[dict[str, int]]]]:
        return [{"partitions": [{"partition_index": 1}, {"partition_index": 0}]} for _ in names]

    def list_partition_offsets(self, request: Mapping[TopicPartition, OffsetSpec]) -> dict[TopicPartition, object]:
        offsets = {OffsetSpec.EARLIEST: {0: 0, 1: 40}, OffsetSpec.LATEST: {0: 30, 1: 100}}
        return {place: SimpleNamespace(offset=offsets[which][place.partition]) for place, which in request.items()}


def test_the_first_offset_is_that_of_the_oldest_record_that_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def admin(settings: Settings) -> Iterator[OldLog]:
        yield OldLog()

    monkeypatch.setattr(topics, "_admin", admin)
    assert first_offsets(Settings(home=tmp_path), "events") == {0: 0, 1: 40}
    assert end_offsets(Settings(home=tmp_path), "events") == {0: 30, 1: 100}
