"""A stranger's client of Spark's servers: its framing and messages, and no secret."""

from __future__ import annotations

import socket
import struct

# The first byte of a message, after the length of its frame (org.apache.spark.network.protocol.Message).
RPC_REQUEST, RPC_RESPONSE, STREAM_REQUEST, STREAM_RESPONSE, ONE_WAY = 3, 4, 6, 7, 9


def text(words: str) -> bytes:
    """A string as Spark encodes it."""
    return struct.pack(">i", len(words.encode())) + words.encode()


def framed(kind: int, body: bytes) -> bytes:
    """A message as it goes over the wire: the frame's length includes its own eight bytes."""
    return struct.pack(">qb", 9 + len(body), kind) + body


def stream_request(name: str) -> bytes:
    """Asks the driver for a file that executors download from it, such as ``/jars/<name>``."""
    return framed(STREAM_REQUEST, text(name))


def open_block(application: str, block: str) -> bytes:
    """Asks a block manager for a block that it holds."""
    body = b"\x00" + text(application) + text("driver") + struct.pack(">i", 1) + text(block)
    return framed(RPC_REQUEST, struct.pack(">qi", 7, len(body)) + body)


def reader_of_the_shuffle(reader: int) -> bytes:
    """Claims to be this reader of a streaming shuffle: from then on its records would come here."""
    body = struct.pack(">iqiii", 2, 0, 0, reader, 1)
    return framed(ONE_WAY, struct.pack(">i", len(body)) + body)


def answer(port: int, message: bytes, *, seconds: float = 10.0) -> int | None:
    """The kind of the first message that comes back on 127.0.0.1; None when the server hangs up instead.

    Raises:
        TimeoutError: The server keeps the connection and sends nothing.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
            line.sendall(message)
            head = line.recv(9, socket.MSG_WAITALL)
    except ConnectionError:  # real-time mode opens new servers for each batch
        return None
    return head[8] if len(head) == 9 else None
