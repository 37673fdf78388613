"""HTTP guard: the requests that may reach a local server."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlib.http_guard import Guard

JSON = {"content-type": "application/json"}


def send_request(
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    body: bytes = b"{}",
    *,
    method: str = "POST",
    kind: str = "http",
    host: str | None = "127.0.0.1:80",
    **options: Any,
) -> tuple[int, bytes | None]:
    """The status code, and the body that the application received; None if it received no request."""
    received: list[bytes] = []
    answers: list[dict[str, Any]] = []
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or JSON.items())
    pairs += [("host", host)] if host is not None else []
    scope = {
        "type": kind,
        "method": method,
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
    }
    parts = [body[: len(body) // 2], body[len(body) // 2 :]]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def send(message: Any) -> None:
        answers.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        content = b""
        while True:
            message = await receive()
            content += message["body"]
            if not message["more_body"]:
                break
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        assert lengths in ([], [str(len(content)).encode()])
        received.append(content)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    asyncio.run(Guard(app, **options)(scope, receive, send))
    return answers[0].get("status", answers[0].get("code")), received[0] if received else None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:18765", "localhost:1", "LOCALHOST", "[::1]:80", "[::1]"])
def test_a_host_that_is_this_machine_is_accepted(host: str) -> None:
    assert send_request(host=host) == (200, b"{}")


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "127.0.0.1.evil.example", "localhost.", "127.0.0.1@evil", "0.0.0.0", "::1",
     "localhost:80:80", "localhost:", " localhost", "127.1", "[::1]evil", "127.0.0.1:80\n", "\xff"],
)  # fmt: skip
def test_any_other_host_is_refused(host: str | None) -> None:
    assert send_request(host=host) == (403, None)
    assert send_request({}, b"", host=host, method="GET") == (403, None)


def test_two_hosts_are_refused_even_if_each_is_valid() -> None:
    assert send_request([("host", "localhost"), *JSON.items()]) == (403, None)


def test_other_hosts_can_be_allowed() -> None:
    assert send_request(host="Warehouse:1", hosts={"warehouse"})[0] == 200
    assert send_request(host="localhost:1", hosts={"warehouse"}) == (403, None)


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:80"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS"])
def test_any_origin_is_refused(origin: str, method: str) -> None:
    assert send_request({**JSON, "origin": origin}, method=method) == (403, None)
    assert send_request({**JSON, "origin": origin}, method=method, max_upload_bytes=10) == (403, None)


def test_a_web_socket_is_guarded_like_a_request() -> None:
    assert send_request({"origin": "http://evil.example"}, kind="websocket") == (1008, None)
    assert send_request({}, kind="websocket", host="evil.example") == (1008, None)
    assert send_request({}, kind="websocket")[0] == 200


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
def test_json_is_accepted(kind: str) -> None:
    assert send_request({"content-type": kind}) == (200, b"{}")


@pytest.mark.parametrize("headers", [
    {"x": "y"}, {"content-type": "text/plain"}, {"content-type": "text/plain; application/json"},
    {"content-type": "multipart/form-data; boundary=x"}, {"content-type": "application/x-www-form-urlencoded"},
    [("content-type", "application/json"), ("content-type", "text/plain")],
])  # fmt: skip
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_body_of_another_type_is_refused(headers: Any, method: str) -> None:
    assert send_request(headers, method=method) == (415, None)


def test_a_get_needs_no_content_type() -> None:
    assert send_request({"accept": "*/*"}, b"", method="GET") == (200, b"")


def test_a_body_over_the_limit_is_refused_by_its_header_or_while_it_is_read() -> None:
    body = b'"' + b"x" * 98 + b'"'
    assert send_request(body=body, max_body_bytes=100) == (200, body)
    assert send_request(body=body, max_body_bytes=99) == (413, None)
    assert send_request({**JSON, "content-length": "100"}, body, max_body_bytes=99) == (413, None)
    assert send_request({**JSON, "content-length": "-1"}, body) == (413, None)
    assert send_request({**JSON, "content-length": "9" * 5000}, b"", method="GET") == (413, None)


def test_a_body_of_unknown_length_is_refused() -> None:
    assert send_request({**JSON, "transfer-encoding": "chunked"}) == (411, None)


def test_an_upload_has_its_own_limit_and_may_have_any_type() -> None:
    options = {"method": "PUT", "max_body_bytes": 2, "max_upload_bytes": 4}
    assert send_request({"content-length": "4"}, b"\x00[[[", **options) == (200, b"\x00[[[")
    assert send_request({"content-length": "5"}, b"\x00[[[[", **options) == (413, None)


def test_a_compressed_body_arrives_decompressed() -> None:
    body = json.dumps({"sql": "select 1"}).encode()
    headers = {**JSON, "content-encoding": "gzip", "content-length": "77"}
    assert send_request(headers, gzip.compress(body)) == (200, body)


def test_a_zip_bomb_is_refused() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 60_000
    assert send_request({**JSON, "content-encoding": "gzip"}, bomb) == (413, None)


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"{}", 400),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-3], 400),
        ("gzip", gzip.compress(b"{}", mtime=0) * 2, 400),
        ("gzip", b"", 400),
        ("br", b"{}", 415),
        ("gzip, gzip", b"{}", 415),
    ],
)
def test_an_invalid_or_incomplete_gzip_body_is_refused(encoding: str, body: bytes, status: int) -> None:
    assert send_request({**JSON, "content-encoding": encoding}, body) == (status, None)


def test_json_may_be_wide_but_not_deep() -> None:
    wide = json.dumps([[]] * 1000).encode()
    brackets_in_text = json.dumps({"sql": '[{"\\' * 1000}).encode()
    assert send_request(body=wide) == (200, wide)
    assert send_request(body=brackets_in_text) == (200, brackets_in_text)
    assert send_request(body=b"[" * 64 + b"]" * 64)[0] == 200
    assert send_request(body=b"[" * 65 + b"]" * 65) == (400, None)
    assert send_request(body=b'{"a":' * 100_000) == (400, None)
    assert send_request(body=b'["' + b"\\" * 100_000) == (200, b'["' + b"\\" * 100_000)


@given(st.binary(max_size=40).map(lambda noise: noise * 20) | st.text('[]{}",:\\a', max_size=300).map(str.encode))
def test_an_accepted_body_can_be_parsed_without_exhausting_the_stack(body: bytes) -> None:
    status, received = send_request(body=body, max_json_depth=8)
    assert (status, received) in ((200, body), (400, None))
    depth, inside, escaped = 0, False, False
    deepest = 0
    for byte in body:
        if inside:
            inside, escaped = escaped or byte != ord('"'), not escaped and byte == ord("\\")
        else:
            inside = byte == ord('"')
            depth += (byte in b"[{") - (byte in b"]}")
            deepest = max(deepest, depth)
    assert (status == 200) == (deepest <= 8)


def test_a_client_that_disconnects_causes_no_exception() -> None:
    answers: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answers.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError

    headers = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    asyncio.run(Guard(app)({"type": "http", "method": "POST", "headers": headers}, receive, send))
    assert answers[0]["status"] == 400


def test_lifespan_events_are_passed_on() -> None:
    passed = []

    async def app(scope: Any, *_: Any) -> None:
        passed.append(scope["type"])

    asyncio.run(Guard(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert passed == ["lifespan"]
