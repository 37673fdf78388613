"""Broker files: what a power cut tore in Kafka's folder, mended before Kafka reads it.

Kafka itself rebuilds the indexes, and cuts a torn segment behind its last whole record. It stops at the small files
below when they are torn, and deletes a partition whose topic it does not find.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from rtlib import private
from rtlib.errors import ServiceError

log = logging.getLogger(__name__)

# Kafka rebuilds each of these from its segments when it is missing.
OFFSETS = ("recovery-point-offset-checkpoint", "replication-offset-checkpoint", "log-start-offset-checkpoint")
CLEANED = "cleaner-offset-checkpoint"  # likewise; empty until something has been compacted
EPOCHS = "leader-epoch-checkpoint"  # in the folder of each partition; likewise
# With it Kafka takes its newest segments for whole and does not start on a torn one; without it it examines them.
MARK = ".kafka_cleanshutdown"
METADATA = "__cluster_metadata"
METADATA_ID = "AAAAAAAAAAAAAAAAAAAAAQ"  # the topic id of Kafka's own metadata, the same everywhere
QUORUM = "quorum-state"  # a single node elects itself again without it
TOPIC_ID = "partition.metadata"
TOPIC_ID_LINES = re.compile(r"version: 0\ntopic_id: [\w-]{22}\s*")
TOPIC_RECORD = b"\x01\x02\x00"  # how Kafka begins the record of a topic: frame version, kind, version
ID_BYTES = 16


def mend(data: Path) -> None:
    """Remove the mark of a clean stop and the torn files that Kafka rebuilds, and write torn topic ids again.

    Args:
        data: Kafka's formatted folder.

    Raises:
        ServiceError: Kafka's metadata has lost a topic that still has records; Kafka would delete them.
    """
    (data / MARK).unlink(missing_ok=True)
    for path in _torn_files(data):
        path.unlink()
        log.warning("%s was torn; Kafka builds it again", path)
    metadata = data / f"{METADATA}-0"
    topics = b"".join(_whole_batches(metadata))
    for folder, topic in _partitions(data):
        topic_id = METADATA_ID if topic == METADATA else _newest_id(topics, topic)
        if topic_id is None:
            raise ServiceError(
                f"Kafka's metadata in {metadata} is damaged: it has lost the topic {topic}, "
                f"so Kafka would delete the records in {folder}",
                cure="rtlib reset, then rtlib up",
            )
        path = folder / TOPIC_ID
        if not path.exists() or not TOPIC_ID_LINES.fullmatch(path.read_text(errors="replace")):
            private.write(path, f"version: 0\ntopic_id: {topic_id}")
            log.warning("%s was torn; it is written again from Kafka's metadata", path)


def _torn_files(data: Path) -> Iterator[Path]:
    """The torn files that Kafka starts without."""
    for path in (data / name for name in OFFSETS):
        if path.exists() and not _is_whole(path, words=3):
            yield path
    cleaned = data / CLEANED
    if cleaned.exists() and cleaned.stat().st_size and not _is_whole(cleaned, words=3):
        yield cleaned
    for path in sorted(data.glob(f"*/{EPOCHS}")):
        if not _is_whole(path, words=2):
            yield path
    quorum = data / f"{METADATA}-0" / QUORUM
    if quorum.exists() and not _is_object(quorum):
        yield quorum


def _is_whole(path: Path, *, words: int) -> bool:
    """True when a checkpoint has its version, its count, and as many lines of words, the last two of them numbers."""
    version, count, *entries = [*path.read_text(errors="replace").splitlines(), "", ""]
    lines = [line.split() for line in entries if line]
    return version == "0" and count == str(len(lines)) and all(_is_entry(line, words) for line in lines)


def _is_entry(line: list[str], words: int) -> bool:
    return len(line) == words and all(word.isdigit() for word in line[-2:])


def _is_object(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text()), dict)
    except ValueError:
        return False


def _partitions(data: Path) -> Iterator[tuple[Path, str]]:
    """The folder and the topic of each partition; those that Kafka is deleting have longer names."""
    for folder in sorted(data.iterdir()):
        topic, _, number = folder.name.rpartition("-")
        if topic and number.isdigit() and folder.is_dir():
            yield folder, topic


def _whole_batches(metadata: Path) -> Iterator[bytes]:
    """The metadata that Kafka will still find: its snapshots, then its log as far as that is whole."""
    for snapshot in sorted(metadata.glob("*.checkpoint")):
        yield from _batches(snapshot)[0]
    for segment in sorted(metadata.glob("*.log")):
        batches, whole = _batches(segment)
        yield from batches
        if not whole:  # Kafka drops whatever comes after
            return


def _batches(path: Path) -> tuple[list[bytes], bool]:
    """The batches before the first that is torn, and whether none is."""
    from kafka.record.default_records import DefaultRecordBatch

    content, batches, at = path.read_bytes(), list[bytes](), 0
    head, overhead = DefaultRecordBatch.HEADER_STRUCT.size, 12  # of a batch; its length counts from behind itself
    while at < len(content):
        end = at + overhead + int.from_bytes(content[at + 8 : at + overhead], "big", signed=True)
        batch = content[at:end]
        if not at + head <= end <= len(content) or not DefaultRecordBatch(batch).validate_crc():
            return batches, False
        batches.append(batch)
        at = end
    return batches, True


def _newest_id(metadata: bytes, topic: str) -> str | None:
    """The id that the newest record of a topic gives it; None when there is no such record."""
    name = topic.encode()
    begins = TOPIC_RECORD + _unsigned_varint(len(name) + 1) + name
    at = metadata.rfind(begins)
    if at < 0:
        return None
    found = metadata[at + len(begins) : at + len(begins) + ID_BYTES]
    return base64.urlsafe_b64encode(found).decode().rstrip("=")


def _unsigned_varint(number: int) -> bytes:
    """A number in Kafka's encoding; the name of a topic has at most 249 characters, so two bytes are enough."""
    return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7])
