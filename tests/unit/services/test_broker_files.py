"""Broker files: what a power cut may leave of Kafka's folder, and what Kafka is given instead."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from kafka.record.default_records import DefaultRecordBatchBuilder

from rtlib.errors import ServiceError
from rtlib.services.broker_files import CLEANED, EPOCHS, MARK, METADATA_ID, QUORUM, TOPIC_ID, mend

EVENTS_ID, LONG_ID, OLD_ID = (base64.urlsafe_b64encode(bytes([number]) * 16).decode()[:22] for number in (1, 2, 3))
LONG_TOPIC = "rtlib." + "x" * 200  # its length takes two bytes in Kafka's encoding
TOPICS = {"events": EVENTS_ID, LONG_TOPIC: LONG_ID}
GARBAGE = bytes(range(128, 256))
Harm = Callable[[Path], object]


def batch(topics: Mapping[str, str]) -> bytes:
    """A batch of Kafka's metadata with a record for each topic, as Kafka 4.4 writes it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=False, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=100_000,
    )  # fmt: skip
    for number, (topic, topic_id) in enumerate(topics.items()):
        length = len(topic) + 1
        varint = bytes([length]) if length < 0x80 else bytes([length % 0x80 + 0x80, length // 0x80])
        value = b"\x01\x02\x00" + varint + topic.encode() + base64.urlsafe_b64decode(topic_id + "==") + b"\x00"
        builder.append(number, timestamp=0, key=None, value=value, headers=[])
    return bytes(builder.build())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Kafka's folder with two topics, one of which was deleted and made again."""
    metadata = tmp_path / "__cluster_metadata-0"
    for folder in ("__cluster_metadata-0", *(f"{topic}-0" for topic in TOPICS)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / EPOCHS).write_text("0\n1\n0 0\n")
        topic_id = TOPICS.get(folder.removesuffix("-0"), METADATA_ID)
        (tmp_path / folder / TOPIC_ID).write_text(f"version: 0\ntopic_id: {topic_id}")
    (metadata / "00000000000000000000-0000000000.checkpoint").write_bytes(batch({}))
    (metadata / "00000000000000000000.log").write_bytes(batch({"events": OLD_ID}) + batch(TOPICS) + batch({}))
    (metadata / QUORUM).write_text('{"leaderId":1,"leaderEpoch":1,"data_version":0}')
    (tmp_path / CLEANED).write_text("")
    return tmp_path


def contents(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


def test_a_whole_folder_is_left_as_it_is(data: Path) -> None:
    (data / CLEANED).write_text("0\n1\nevents 0 10\n")
    before = contents(data)
    mend(data)
    assert contents(data) == before


def test_the_empty_list_of_what_was_compacted_is_whole(data: Path) -> None:
    mend(data)
    assert (data / CLEANED).exists()


def test_the_mark_of_a_clean_stop_does_not_keep_kafka_from_examining_its_segments(data: Path) -> None:
    (data / MARK).write_text('{"version":0,"brokerEpoch":5}')
    mend(data)
    assert not (data / MARK).exists()


@pytest.mark.parametrize("left", [b"", b"0\n2\nev", b"0\n1\nevents 0\n", b'{"leaderId":1,"leader', GARBAGE])
@pytest.mark.parametrize(
    "name", [CLEANED, f"events-0/{EPOCHS}", f"__cluster_metadata-0/{EPOCHS}", f"__cluster_metadata-0/{QUORUM}"]
)
def test_a_torn_file_that_kafka_builds_again_is_removed(data: Path, name: str, left: bytes) -> None:
    (data / name).write_bytes(left)
    mend(data)
    assert (data / name).exists() == (name == CLEANED and not left)


@pytest.mark.parametrize("left", [b"", b"version: 0\ntopic_id: AQEB", GARBAGE, None])
@pytest.mark.parametrize("folder", ["events-0", f"{LONG_TOPIC}-0", "__cluster_metadata-0"])
def test_a_torn_topic_id_is_taken_from_the_metadata_and_no_partition_passes_for_a_stray_one(
    data: Path, folder: str, left: bytes | None
) -> None:
    path = data / folder / TOPIC_ID
    before = path.read_bytes()
    path.unlink() if left is None else path.write_bytes(left)
    mend(data)
    assert path.read_bytes().strip() == before


def cut(share: float) -> Harm:
    """Leaves this share of the metadata's log."""

    def harm(log: Path) -> None:
        whole = log.read_bytes()
        log.write_bytes(whole[: int(len(whole) * share)])

    return harm


def zeros_in_the_middle(log: Path) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole[:200] + bytes(200) + whole[400:])


@pytest.mark.parametrize("harm", [cut(0), cut(0.5), zeros_in_the_middle, lambda log: log.write_bytes(GARBAGE)])
def test_metadata_that_has_lost_a_topic_is_named_before_kafka_deletes_its_records(data: Path, harm: Harm) -> None:
    log = data / "__cluster_metadata-0" / "00000000000000000000.log"
    harm(log)
    with pytest.raises(ServiceError, match=f"{log.parent} is damaged: it has lost the topic") as damaged:
        mend(data)
    assert damaged.value.cure == "rtlib reset, then rtlib up"


@pytest.mark.parametrize("harm", [cut(0.99), lambda log: log.write_bytes(log.read_bytes() + GARBAGE)])
def test_a_torn_end_of_the_metadata_is_left_to_kafka_to_cut(data: Path, harm: Harm) -> None:
    harm(data / "__cluster_metadata-0" / "00000000000000000000.log")
    before = contents(data)
    mend(data)
    assert contents(data) == before


def test_a_topic_that_only_the_snapshot_names_is_found(data: Path) -> None:
    metadata = data / "__cluster_metadata-0"
    (metadata / "00000000000000000500-0000000001.checkpoint").write_bytes(batch(TOPICS))
    (metadata / "00000000000000000000.log").rename(metadata / "00000000000000000500.log").write_bytes(batch({}))
    mend(data)


def test_a_partition_that_kafka_is_deleting_needs_no_topic(data: Path) -> None:
    (data / f"gone-0.{EVENTS_ID}-delete").mkdir()
    mend(data)
