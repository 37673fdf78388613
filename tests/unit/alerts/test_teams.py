"""Delivery to a webhook: rate limit, retries, permanent refusals, and a secret that appears nowhere."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import uvicorn
from pydantic import SecretStr
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.alerts import Delivery, Teams, message
from rtlib.alerts.address import ReceiverAddress
from rtlib.alerts.receiver import Receiver
from rtlib.alerts.receiver_web import web_app
from rtlib.alerts.teams import ATTEMPTS, MAX_BACKOFF, MAX_WAIT, _seconds
from support.alerts import alert, card_of

BUSY = b"HTTP/1.1 503 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CARD = message(card_of())


class Clock:
    """Time that passes only during a sleep."""

    def __init__(self) -> None:
        self.now, self.sleeps = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


class FaultyReceiver(threading.Thread):
    """A receiver that keeps every card, but answers the first requests as its script says.

    Args:
        script: For each request ``"hang"`` (no answer), ``"die"`` (half an answer) or the bytes to answer; afterwards
            every request is accepted.
    """

    def __init__(self, *script: str | bytes) -> None:
        super().__init__(daemon=True)
        self._script, self.receiver, self._closed = list(script), Receiver(), threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = SecretStr(f"http://127.0.0.1:{self._socket.getsockname()[1]}/webhook?sig=top-secret")
        self.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            self.receiver.take(self._body(connection))
            answer = self._script.pop(0) if self._script else ACCEPTED
            if answer == "hang":
                self._closed.wait(5)
            else:
                connection.sendall(answer if isinstance(answer, bytes) else b"HTTP/1.1")

    @staticmethod
    def _body(connection: socket.socket) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65_536)
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        length = int(lengths[0].split(b":")[1])
        while len(body) < length:
            body += connection.recv(65_536)
        return body

    def close(self) -> None:
        self._closed.set()
        self._socket.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver(clock: Clock) -> Receiver:
    return Receiver(clock=clock)


@pytest.fixture
def address(receiver: Receiver) -> Iterator[ReceiverAddress]:
    """The address of a real server with the receiver behind it."""
    secret = SecretStr("top-secret")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(web_app(receiver, secret), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        wait_for_start: Callable[[], bool] = retry(
            retry=retry_if_result(lambda started: not started), wait=wait_fixed(0.02), stop=stop_after_delay(10)
        )(lambda: server.started)
        wait_for_start()
        yield ReceiverAddress(f"http://127.0.0.1:{listening.getsockname()[1]}", secret)
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def url(address: ReceiverAddress) -> SecretStr:
    return address.webhook


@pytest.fixture
def teams(url: SecretStr, clock: Clock) -> Teams:
    return Teams(url, sleep=clock.sleep, clock=clock)


def test_a_card_arrives_once(teams: Teams, receiver: Receiver) -> None:
    delivery = teams.post(CARD)
    assert (delivery.taken, delivery.attempts, delivery.reason) == (True, 1, "")
    assert list(receiver.cards) == [card_of()]


def test_a_hundred_cards_stay_within_the_rate_limit_and_none_is_lost(
    teams: Teams, receiver: Receiver, clock: Clock
) -> None:
    deliveries = [teams.post(message(card_of(alert(site=f"site-{number}")))) for number in range(100)]
    assert all(delivery.taken and delivery.attempts == 1 for delivery in deliveries)
    assert len({json.dumps(card) for card in receiver.cards}) == 100
    assert clock.now >= 99 / 4


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_temporary_failure_is_retried(teams: Teams, receiver: Receiver, status: int) -> None:
    receiver.answers.extend([status, status])
    delivery = teams.post(CARD)
    assert (delivery.taken, delivery.attempts) == (True, 3)
    assert len(receiver.cards) == 1


def test_retry_after_is_honoured(teams: Teams, receiver: Receiver, clock: Clock) -> None:
    receiver.answers.append(429)
    teams.post(CARD)
    assert max(clock.sleeps) >= 1.0


def test_after_the_request_for_a_long_pause_another_card_is_sent_first_and_this_one_later(clock: Clock) -> None:
    busy = FaultyReceiver(BUSY)
    teams = Teams(busy.url, sleep=clock.sleep, clock=clock)
    delivery = teams.post(CARD)
    assert (delivery.taken, delivery.again, delivery.attempts, clock.now) == (False, True, 1, 0.0)
    assert teams.post(message(card_of(alert(site="another")))).taken
    assert clock.now == 600.0  # the requested pause holds for every card of the channel
    delivery = teams.post(CARD, attempts=delivery.attempts)
    busy.close()
    assert (delivery.taken, delivery.attempts) == (True, 2)


def test_a_card_that_is_postponed_every_time_is_given_up_in_the_end(clock: Clock) -> None:
    busy = FaultyReceiver(*[BUSY] * ATTEMPTS)
    teams, delivery = Teams(busy.url, sleep=clock.sleep, clock=clock), Delivery(False, 0, again=True)
    while delivery.again:
        delivery = teams.post(CARD, attempts=delivery.attempts)
    busy.close()
    assert (delivery.taken, delivery.attempts, delivery.reason) == (False, ATTEMPTS, "HTTP 503")


@pytest.mark.parametrize(
    "address",
    ["teams.example.com/x", "ftp://127.0.0.1/x", "http://[::1/x", f"http://{'a' * 64}.example.com/?sig=top-secret"],
)
def test_an_address_that_cannot_be_called_is_refused_at_once_and_not_repeated_in_the_reason(
    clock: Clock, address: str
) -> None:
    delivery = Teams(SecretStr(address), sleep=clock.sleep, clock=clock).post(CARD)
    assert (delivery.taken, delivery.again, delivery.attempts, clock.sleeps) == (False, False, 1, [])
    assert delivery.reason.startswith("the webhook's address cannot be called")
    assert address not in delivery.reason


def test_the_local_receiver_is_called_without_a_proxy(
    teams: Teams, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    proxy = FaultyReceiver()
    host = proxy.url.get_secret_value().partition("/webhook")[0]
    monkeypatch.setenv("HTTP_PROXY", host)
    monkeypatch.setenv("http_proxy", host)
    assert teams.post(CARD).taken
    assert (len(receiver.cards), len(proxy.receiver.cards)) == (1, 0)
    remote = Teams(SecretStr("http://teams.example.com/webhook"), sleep=lambda _: None)
    assert remote.post(CARD).taken
    proxy.close()
    assert len(proxy.receiver.cards) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("9999999", MAX_WAIT),
        ("Mon, 02 Mar 2020 12:00:00 GMT", 0),
        ("-5", 0),
        ("soon", 0),
        ("nan", 0),
        (None, 0),
    ],
)
def test_retry_after_is_a_bounded_number_of_seconds(header: str | None, seconds: float) -> None:
    assert _seconds(header) == seconds


def test_retry_after_may_be_a_future_date() -> None:
    due = datetime.now(UTC) + timedelta(seconds=300)
    assert 200 <= _seconds(format_datetime(due, usegmt=True)) <= 300


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nthis is no header\r\n\r\n",
    ],
)
def test_any_other_answer_is_not_an_acceptance_and_the_secret_is_in_no_log(
    clock: Clock, caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    caplog.set_level("DEBUG")
    faulty = FaultyReceiver(answer)
    delivery = Teams(faulty.url, sleep=clock.sleep, clock=clock).post(CARD)
    faulty.close()
    assert (delivery.taken, delivery.attempts, delivery.reason[:5]) == (False, 1, "HTTP ")
    assert "top-secret" not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_a_permanent_refusal_is_not_retried(teams: Teams, receiver: Receiver, status: int) -> None:
    receiver.answers.append(status)
    delivery = teams.post(CARD)
    assert (delivery.taken, delivery.attempts, delivery.reason) == (False, 1, f"HTTP {status}")


def test_a_card_that_always_fails_is_given_up_with_the_reason_within_bounded_time(
    teams: Teams, receiver: Receiver, clock: Clock
) -> None:
    receiver.answers.extend([503] * ATTEMPTS)
    delivery = teams.post(CARD)
    assert (delivery.taken, delivery.attempts, delivery.reason) == (False, ATTEMPTS, "HTTP 503")
    assert clock.now <= ATTEMPTS * MAX_BACKOFF
    assert not receiver.cards


def test_an_unreachable_webhook_is_the_reason_and_the_secret_is_in_no_text(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        secret = SecretStr(f"http://127.0.0.1:{closed.getsockname()[1]}/webhook?sig=top-secret")
        teams = Teams(secret, sleep=clock.sleep, clock=clock)
        delivery = teams.post(CARD)
    assert not delivery.taken
    assert delivery.reason == "no answer (ConnectionError)"
    assert "top-secret" not in repr(teams) + repr(vars(teams)) + repr(delivery) + caplog.text


@pytest.mark.parametrize("failure", ["hang", "die"])
def test_a_receiver_that_fails_before_it_answers_gets_the_card_again_and_keeps_it_once(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    monkeypatch.setattr("rtlib.alerts.teams.TIMEOUT_SECONDS", (0.3, 0.3))
    faulty = FaultyReceiver(failure, failure)
    delivery = Teams(faulty.url, sleep=clock.sleep, clock=clock).post(CARD)
    faulty.close()
    assert (delivery.taken, delivery.attempts) == (True, 3)
    assert list(faulty.receiver.cards) == [card_of()]


@pytest.mark.parametrize("failure", ["hang", "die"])
def test_a_receiver_that_never_answers_is_given_up_with_the_reason(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, failure: str
) -> None:
    monkeypatch.setattr("rtlib.alerts.teams.TIMEOUT_SECONDS", (0.3, 0.3))
    faulty = FaultyReceiver(*[failure] * ATTEMPTS)
    delivery = Teams(faulty.url, sleep=clock.sleep, clock=clock).post(CARD)
    faulty.close()
    assert (delivery.taken, delivery.attempts) == (False, ATTEMPTS)
    assert delivery.reason.startswith("no answer (")


def test_a_debug_log_does_not_contain_the_secret(
    url: SecretStr, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        assert Teams(url, sleep=clock.sleep, clock=clock).post(CARD).taken
    assert "top-secret" not in caplog.text
