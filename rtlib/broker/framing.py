"""Framing: Confluent's wire format, a zero byte and the schema's id (4 bytes, big-endian) before the payload."""

from __future__ import annotations

import struct

from rtlib.errors import EventRefused

MAGIC = 0
FRAME = struct.Struct(">BI")


def frame(schema_id: int, payload: bytes) -> bytes:
    """Prefix a payload with the schema's id.

    Example:
        >>> frame(7, b"{}")
        b'\\x00\\x00\\x00\\x00\\x07{}'
    """
    return FRAME.pack(MAGIC, schema_id) + payload


def unframe(record: bytes | None) -> tuple[int, bytes]:
    """Split a record into the schema's id and the payload.

    Example:
        >>> unframe(frame(7, b"{}"))
        (7, b'{}')

    Raises:
        EventRefused: The record is empty, shorter than a frame plus a payload, or not in this format.
    """
    if not record:
        raise EventRefused("empty: the record has no value")
    if len(record) <= FRAME.size:
        raise EventRefused(f"shorter than the {FRAME.size}-byte frame")
    magic, schema_id = FRAME.unpack_from(record)
    if magic != MAGIC:
        raise EventRefused("no Confluent frame: the first byte is not 0")
    return schema_id, record[FRAME.size :]
