"""Receiver web: sending needs the secret, reading needs the key, and the page may load only its own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from rtlib.alerts.address import ReceiverAddress, reading_key
from rtlib.alerts.card import CONTENT_TYPE, MAX_BYTES
from rtlib.alerts.receiver import MAX_CARDS, MAX_LINES, Receiver
from rtlib.alerts.receiver_web import web_app

BASE = "http://127.0.0.1:18867"
ADDRESS = ReceiverAddress(BASE, SecretStr("the-secret"))
WEBHOOK, PAGE = ADDRESS.webhook.get_secret_value(), ADDRESS.page.get_secret_value()
JSON = {"Content-Type": "application/json"}


class Clock:
    """Advances a second at each call, so that no request exceeds the rate."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(clock=Clock())


@pytest.fixture
def client(receiver: Receiver) -> TestClient:
    return TestClient(web_app(receiver, ADDRESS.secret), base_url=BASE)


def body(*elements: Any, key: str = "a") -> bytes:
    content = {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "id": key, "text": "Hello"}, *elements]}
    return json.dumps({"type": "message", "attachments": [{"contentType": CONTENT_TYPE, "content": content}]}).encode()


def test_a_card_is_accepted_at_the_address_with_the_secret(client: TestClient, receiver: Receiver) -> None:
    assert client.post(WEBHOOK, content=body(), headers=JSON).status_code == 202
    assert len(receiver.cards) == 1


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        (f"{BASE}/webhook", JSON, 401),
        (f"{BASE}/webhook/", JSON, 401),
        (f"{BASE}/webhook/wrong", JSON, 401),
        (f"{BASE}/webhook/{reading_key(ADDRESS.secret)}", JSON, 401),
        (f"{BASE}/webhook?sig=the-secret", JSON, 401),
        (WEBHOOK, {"Content-Type": "text/plain"}, 415),
        (WEBHOOK, {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (WEBHOOK, {"Content-Type": "multipart/form-data; boundary=x"}, 415),
        (WEBHOOK, {}, 415),
        (WEBHOOK, {**JSON, "Host": "evil.example:18867"}, 403),
        (WEBHOOK, {**JSON, "Origin": "http://127.0.0.1:9999"}, 403),
        (WEBHOOK, {**JSON, "Origin": "null"}, 403),
    ],
)
def test_a_card_sent_in_any_other_way_is_refused_and_not_kept(
    client: TestClient, receiver: Receiver, url: str, headers: dict[str, str], status: int
) -> None:
    assert client.post(url, content=body(), headers=headers).status_code == status
    assert not receiver.cards


@pytest.mark.parametrize("path", ["/", "/cards", "/web/cards.js", "/web/adaptivecards.min.js", "/view/wrong/", "/x"])
@pytest.mark.parametrize("key", [None, "wrong", "the-secret"])
def test_reading_without_the_key_is_refused(client: TestClient, path: str, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {key}", "Cookie": f"rtlib-cards-18867={key}"} if key else {}
    answer = client.get(BASE + path, headers=headers)
    assert answer.status_code == 401
    assert "rtlib cards" in answer.text
    assert "AdaptiveCards" not in answer.text


@pytest.mark.parametrize("path", ["", "cards", "web/cards.js"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example:18867"}, {"Origin": "http://127.0.0.1:9999"}])
def test_a_foreign_host_or_page_does_not_read_even_with_the_key(
    client: TestClient, path: str, headers: dict[str, str]
) -> None:
    assert client.get(PAGE + path, headers=headers).status_code == 403


def test_a_program_reads_the_cards_with_a_header(client: TestClient) -> None:
    client.post(WEBHOOK, content=body(), headers=JSON)
    (card,) = client.get(ADDRESS.cards, headers=ADDRESS.headers()).json()
    assert card["body"][0]["text"] == "Hello"


def test_the_page_sets_a_cookie_with_which_addresses_without_the_key_work(client: TestClient) -> None:
    answer = client.get(PAGE)
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("rtlib-cards-18867=")
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert [client.get(f"{BASE}/{path}").status_code for path in ("", "cards", "web/cards.js")] == [200, 200, 200]


def test_an_embedded_page_without_cookies_reads_by_the_key_in_its_address(client: TestClient) -> None:
    assert [TestClient(client.app, base_url=BASE).get(PAGE + path).status_code for path in ("", "cards")] == [200, 200]


@pytest.mark.parametrize("by_cookie", [True, False])
def test_the_page_may_load_only_its_own_files(client: TestClient, by_cookie: bool) -> None:
    answer = client.get(PAGE)
    answer = client.get(f"{BASE}/") if by_cookie else answer
    directives = answer.headers["content-security-policy"].split(";")
    policy = dict(directive.strip().partition(" ")[::2] for directive in directives)
    framed_by = "'none'" if by_cookie else "http://127.0.0.1:* http://localhost:* vscode-webview:"
    assert policy == {
        "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'",
        "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": framed_by,
    }  # fmt: skip
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


def test_a_path_outside_the_folder_is_not_served(client: TestClient) -> None:
    for path in ("web/../cards.html", "web/%2e%2e/receiver.py", "web/..%2freceiver.py", "web//etc/passwd"):
        assert client.get(PAGE + path).status_code in (401, 404)


@pytest.mark.parametrize("deep", [b"[" * 20_000, b'{"a":' * 5_000, b"[" * 10_000 + b"]" * 10_000])
def test_deeply_nested_json_is_refused(client: TestClient, receiver: Receiver, deep: bytes) -> None:
    assert client.post(WEBHOOK, content=deep, headers=JSON).status_code == 400
    assert receiver.take(deep)[0] == 400


def test_a_body_too_large_for_teams_is_refused(client: TestClient, receiver: Receiver) -> None:
    assert client.post(WEBHOOK, content=b" " * (MAX_BYTES + 1), headers=JSON).status_code == 413
    assert not receiver.cards


@pytest.mark.parametrize(
    "element", [{"type": "TextBlock", "text": "\ud800"}, {"type": "TextBlock", "size": float("nan")}, [float("inf")]]
)
def test_no_accepted_card_breaks_the_list(client: TestClient, element: Any) -> None:
    assert client.post(WEBHOOK, content=body(element), headers=JSON).status_code == 202
    assert client.get(ADDRESS.cards, headers=ADDRESS.headers()).status_code == 200


def test_only_the_allowed_parts_of_a_card_are_kept(client: TestClient, receiver: Receiver) -> None:
    client.post(WEBHOOK, content=body({"type": "Input.Text", "id": "password"}), headers=JSON)
    assert "password" not in json.dumps(list(receiver.cards))


def test_an_id_of_the_wrong_type_does_not_stop_the_receiver(receiver: Receiver) -> None:
    assert receiver.take(body(key=["a"]))[0] == 202  # type: ignore[arg-type]
    assert receiver.take(body(key="b"))[0] == 202


def test_the_file_is_private_and_of_bounded_length(tmp_path: Path) -> None:
    file = tmp_path / "cards.jsonl"
    receiver = Receiver(file, clock=Clock())
    for number in range(MAX_LINES + 2 * MAX_CARDS + 5):
        assert receiver.take(body(key=str(number)))[0] == 202
        assert len(file.read_text().splitlines()) <= MAX_LINES
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(Receiver(file).cards) == list(receiver.cards)
    assert len(receiver.cards) == MAX_CARDS


def test_a_file_of_an_earlier_version_is_sanitized_when_it_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cards.jsonl"
    old = {"type": "AdaptiveCard", "body": [{"type": "Image", "url": "http://127.0.0.1:9/a"}]}
    file.write_text(json.dumps(old) + "\n[]\n" + "[" * 5_000 + "\n")
    assert "http" not in json.dumps(list(Receiver(file).cards))


def test_the_secret_is_in_no_repr() -> None:
    text = f"{ADDRESS!r} {ADDRESS} {ADDRESS.webhook} {ADDRESS.page!r} {ADDRESS.cards}"
    assert "the-secret" not in text
    assert reading_key(ADDRESS.secret) not in text
