"""HTTP guard: ASGI middleware for local servers; refuses web pages, foreign host names and huge bodies."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
MAX_BODY_BYTES = 1_048_576
MAX_JSON_DEPTH = 64  # Python's parser fails somewhere below 1,000
HOST = re.compile(rb"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
# Skips whole strings, even unfinished ones, because brackets inside a string do not nest.
STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Refused(Exception):
    """A request that the guard refuses: the status code, and the reason for the client."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Guard:
    """Passes a request on only if it cannot come from a web page and its size is limited.

    A request needs exactly one ``Host`` header that names this machine, and no ``Origin``, which browsers send with
    every request that changes something. The body of a POST, PUT or PATCH must be JSON, which a foreign page cannot
    send without a CORS preflight. The application receives the complete, decompressed body.

    Args:
        app: The application.
        hosts: Accepted host names, with any port; an IPv6 address in brackets.
        max_body_bytes: Limit of a body, in bytes, before and after decompression.
        max_json_depth: Nesting limit of objects and arrays.
        max_upload_bytes: Limit of a PUT, in bytes; its body may then have any type and is passed on as a stream.
            0 means that a PUT is treated like a POST.
    """

    def __init__(
        self,
        app: App,
        *,
        hosts: Collection[str] = LOOPBACK_HOSTS,
        max_body_bytes: int = MAX_BODY_BYTES,
        max_json_depth: int = MAX_JSON_DEPTH,
        max_upload_bytes: int = 0,
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._max_body_bytes = max_body_bytes
        self._max_json_depth = max_json_depth
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass one request on, or answer it with 400, 403, 411, 413 or 415 and the reason as JSON."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        try:
            self._check_source(scope)
            scope, receive = await self._checked_body(scope, receive)
        except Refused as refused:
            await _refuse(scope, send, refused)
            return
        await self._app(scope, receive, send)

    def _check_source(self, scope: Message) -> None:
        hosts = _values(scope, b"host")
        host = HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if host is None or host[1].decode().lower() not in self._hosts:
            raise Refused(403, "the Host header does not name this machine")
        if _values(scope, b"origin"):
            raise Refused(403, "requests from web pages are refused: there is an Origin header")

    async def _checked_body(self, scope: Message, receive: Receive) -> tuple[Message, Receive]:
        if scope["type"] != "http":
            return scope, receive
        upload = scope["method"] == "PUT" and self._max_upload_bytes > 0
        _check_length(scope, self._max_upload_bytes if upload else self._max_body_bytes)
        if upload or scope["method"] not in {"POST", "PUT", "PATCH"}:
            return scope, receive
        kinds = [value.split(b";")[0].strip().lower() for value in _values(scope, b"content-type")]
        if kinds != [b"application/json"]:
            raise Refused(415, "the Content-Type must be application/json")
        body = _unzipped(scope, await _read(receive, self._max_body_bytes), self._max_body_bytes)
        _check_depth(body, self._max_json_depth)
        replaced = (b"content-encoding", b"content-length")
        headers = [(name, value) for name, value in scope["headers"] if name not in replaced]
        headers.append((b"content-length", str(len(body)).encode()))
        return {**scope, "headers": headers}, _replayed(body, receive)


def _values(scope: Message, name: bytes) -> list[bytes]:
    return [value for key, value in scope.get("headers", ()) if key == name]


def _check_length(scope: Message, limit: int) -> None:
    """Check the declared length; the server enforces that the body has it."""
    if _values(scope, b"transfer-encoding"):
        raise Refused(411, "the length of the body is required")
    for length in _values(scope, b"content-length"):
        if not re.fullmatch(rb"[0-9]{1,18}", length) or int(length) > limit:
            raise Refused(413, f"the body may have at most {limit:,} bytes")


async def _read(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, "the client disconnected")
        body += message.get("body", b"")
        if len(body) > limit:
            raise Refused(413, f"the body may have at most {limit:,} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def _unzipped(scope: Message, body: bytes, limit: int) -> bytes:
    encodings = [value.strip().lower() for value in _values(scope, b"content-encoding")]
    if encodings in ([], [b"identity"]):
        return body
    if encodings != [b"gzip"]:
        raise Refused(415, "the only Content-Encoding accepted is gzip")
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unzip.decompress(body, limit + 1)
    except zlib.error as error:
        raise Refused(400, f"the body is not gzip: {error}") from None
    if len(plain) > limit:
        raise Refused(413, f"the decompressed body may have at most {limit:,} bytes")
    if not unzip.eof or unzip.unused_data:
        raise Refused(400, "the gzip body is truncated, or followed by other data")
    return plain


def _check_depth(body: bytes, limit: int) -> None:
    """Count brackets, because a parser would fail on deep nesting."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return
    depth = 0
    for match in STRING_OR_BRACKET.finditer(body):
        token = match[0]
        depth += (token in b"[{") - (token in b"]}") if len(token) == 1 and token != b'"' else 0
        if depth > limit:
            raise Refused(400, f"the JSON may nest at most {limit} levels")


def _replayed(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


async def _refuse(scope: Message, send: Send, refused: Refused) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})  # the server turns it into a 403
        return
    body = json.dumps({"success": False, "code": None, "message": str(refused), "data": None}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # the rest of the body, if any, is not read
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
