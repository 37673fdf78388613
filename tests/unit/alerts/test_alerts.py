"""Alerts: what raises one and what ends it, the card, and its way to a webhook that has limits and bad days."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import SecretStr
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.alerts import QUIET, Alert, Change, Delivery, Rule, State, Teams, card, message, rules_of, step
from rtlib.alerts.address import ReceiverAddress
from rtlib.alerts.card import MAX_BYTES
from rtlib.alerts.receiver import Receiver
from rtlib.alerts.receiver_web import web_app
from rtlib.alerts.rules import GAP
from rtlib.alerts.teams import ATTEMPTS, LONGEST_BACKOFF, LONGEST_WAIT, _seconds
from rtlib.domains import load_domain
from rtlib.errors import ConfigError

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULE = Rule("wait-critical", "wait", "Mean wait", "min", "high", threshold=10.0, clear=7.0)
DOMAINS = ("curbside", "ecommerce", "gaming", "iot")
SCHEMA = json.loads((files("adaptive_cards") / "schemas" / "schema-1.5.json").read_text(encoding="utf-8"))


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def played(values: Sequence[tuple[float, float | None]], rule: Rule = RULE) -> list[tuple[float, Change]]:
    """The changes that values at some seconds make."""
    state, changes = QUIET, []
    for seconds, value in values:
        state, change = step(rule, state, at=after(seconds), value=value)
        if change is not Change.NOTHING:
            changes.append((seconds, change))
    return changes


def alert(change: Change = Change.RAISED, **fields: Any) -> Alert:
    told = Alert("curbside", "oakland-3rd-st", RULE, change, 12.5, NOON, after(120), after(60), {"events": 240})
    return replace(told, **fields)


# --- rules ----------------------------------------------------------------------------------------------------------


def test_a_surge_raises_one_alert_and_then_one_recovery() -> None:
    values = [(0.0, 5.0)] + [(float(second), 12.0) for second in range(10, 200, 10)]
    values += [(float(second), 5.0) for second in range(200, 400, 10)]
    assert played(values) == [(70.0, Change.RAISED), (260.0, Change.RECOVERED)]


def test_one_bad_moment_is_no_alert() -> None:
    assert played([(0, 12), (30, 12), (50, 5), (60, 12), (100, 12)]) == []


def test_a_value_that_trembles_around_the_threshold_raises_once() -> None:
    values = [(float(second), 10.5 if second % 20 else 9.5) for second in range(100, 2000, 10)]
    assert played([(0.0, 11.0), (60.0, 11.0), *values]) == [(60.0, Change.RAISED)]


def test_after_an_alert_it_is_quiet_for_the_cooldown_and_what_lasts_longer_is_told() -> None:
    first = [(0.0, 12.0), (60.0, 12.0), (70.0, 1.0), (130.0, 1.0)]
    again = [(float(second), 12.0) for second in range(140, 1000, 10)]
    assert played([*first, *again])[2:] == [(130.0 + RULE.cooldown.total_seconds(), Change.RAISED)]


def test_a_number_that_is_bad_when_it_is_low_raises_when_it_falls() -> None:
    low = replace(RULE, direction="low", threshold=0.9, clear=0.95)
    values = [(0.0, 0.8), (60.0, 0.85), (120.0, 0.92), (300.0, 0.97), (360.0, 0.97)]
    assert played(values, low) == [(60.0, Change.RAISED), (360.0, Change.RECOVERED)]


def test_what_was_not_measured_changes_nothing() -> None:
    state, _ = step(RULE, QUIET, at=NOON, value=12.0)
    assert step(RULE, state, at=after(30), value=None) == (state, Change.NOTHING)


def test_an_alert_whose_number_is_no_longer_measured_is_over_and_can_be_raised_again() -> None:
    gap = GAP.total_seconds()
    silent = [(60.0 + second, None) for second in range(60, 2_000, 60)]
    again = [(float(second), 12.0) for second in range(3_000, 3_200, 60)]
    assert played([(0.0, 12.0), (60.0, 12.0), *silent, *again]) == [
        (60.0, Change.RAISED), (120.0 + gap, Change.RECOVERED), (3_060.0, Change.RAISED),
    ]  # fmt: skip
    assert played([(0.0, 5.0), *silent]) == []


@given(st.lists(st.tuples(st.floats(1, 300), st.one_of(st.none(), st.floats(0, 20))), max_size=80))
def test_alerts_and_recoveries_alternate_whatever_comes(told: list[tuple[float, float | None]]) -> None:
    at, values = 0.0, []
    for pause, value in told:
        at += pause
        values.append((at, value))
    changes = [change for _, change in played(values)]
    assert changes == [Change.RAISED, Change.RECOVERED] * (len(changes) // 2) + [Change.RAISED] * (len(changes) % 2)


@pytest.mark.parametrize("name", DOMAINS)
def test_every_domain_has_rules_whose_end_is_on_the_good_side(name: str) -> None:
    rules = rules_of(load_domain(name))
    assert rules
    for rule in rules:
        assert rule.is_bad(rule.threshold)
        assert not rule.is_good(rule.threshold)
        assert not rule.is_bad(rule.clear)


def test_a_rule_that_watches_what_is_not_measured_is_named() -> None:
    domain = load_domain("curbside")
    wrong = replace(domain, alerts=(replace(domain.alerts[0], measure="wait_minuts"),))
    with pytest.raises(ConfigError, match=r"long-wait.*wait_minuts"):
        rules_of(wrong)


def test_the_two_messages_of_an_alert_have_keys_of_their_own_that_stay_the_same() -> None:
    raised, again = alert(), alert(at=after(999), value=99.0)
    assert raised.key == again.key
    assert alert(Change.RECOVERED).key != raised.key


# --- the card -------------------------------------------------------------------------------------------------------


def a_card(told: Alert | None = None, **fields: str) -> dict[str, Any]:
    chosen = {"site": "Oakland, 3rd Street", "advice": "Two more runners until 13:00.", "link": "http://localhost/"}
    return card(told or alert(), **{**chosen, **fields})


@pytest.mark.parametrize("name", DOMAINS)
def test_every_card_of_every_domain_is_valid_and_small(name: str) -> None:
    domain = load_domain(name)
    validator = Draft7Validator(SCHEMA)
    for rule in rules_of(domain):
        for site in domain.sites:
            for change in (Change.RAISED, Change.RECOVERED):
                content = a_card(alert(change, rule=rule, domain=name, site=site.id), site=site.title)
                assert list(validator.iter_errors(content)) == []
                assert len(message(content)) < MAX_BYTES / 4


def test_the_schema_would_find_a_wrong_card() -> None:
    broken = a_card() | {"body": [{"type": "TextBlock", "text": 5}]}
    assert list(Draft7Validator(SCHEMA).iter_errors(broken))


def test_a_card_says_what_since_when_and_what_to_do() -> None:
    text = json.dumps(a_card())
    for words in (
        "Act now: Mean wait, Oakland",
        "12.5 min, at or above 10",
        "12:00 UTC (2 min)",
        "240 events",
        "Two more runners",
    ):
        assert words in text
    assert "5 min, below 7" in json.dumps(a_card(alert(Change.RECOVERED, value=5.0)))


def test_a_card_of_what_is_no_longer_measured_says_so_and_does_not_call_it_good() -> None:
    content = a_card(alert(Change.RECOVERED, at=after(600), unmeasured_since=after(240)))
    assert list(Draft7Validator(SCHEMA).iter_errors(content)) == []
    assert content["body"][0]["color"] != "Good"
    text = json.dumps(content)
    for words in ("Over: Mean wait", "no longer measured", "12.5 min at 12:04 UTC"):
        assert words in text
    assert "below 7" not in text


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_whatever_others_wrote_the_card_stays_valid_small_and_without_links(site: str, advice: str) -> None:
    content = a_card(site=site, advice=advice)
    assert list(Draft7Validator(SCHEMA).iter_errors(content)) == []
    message(content)
    assert not set("[]<>") & set(content["body"][0]["text"] + content["body"][2]["text"])


def test_a_card_that_is_too_large_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ConfigError, match="too large for Teams"):
        message(a_card() | {"fallbackText": "x" * MAX_BYTES})


# --- the way to Teams -----------------------------------------------------------------------------------------------


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver(clock: Clock) -> Receiver:
    return Receiver(clock=clock)


@pytest.fixture
def address(receiver: Receiver) -> Iterator[ReceiverAddress]:
    """Where a real server listens with the receiver behind it."""
    secret = SecretStr("top-secret")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(web_app(receiver, secret), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([free],), daemon=True)
        thread.start()
        wait: Callable[[], bool] = retry(
            retry=retry_if_result(lambda up: not up), wait=wait_fixed(0.02), stop=stop_after_delay(10)
        )(lambda: server.started)
        wait()
        yield ReceiverAddress(f"http://127.0.0.1:{free.getsockname()[1]}", secret)
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture
def url(address: ReceiverAddress) -> SecretStr:
    return address.webhook


@pytest.fixture
def teams(url: SecretStr, clock: Clock) -> Teams:
    return Teams(url, sleep=clock.sleep, clock=clock)


def test_a_card_arrives_once(teams: Teams, receiver: Receiver) -> None:
    told = teams.post(message(a_card()))
    assert (told.taken, told.attempts, told.reason) == (True, 1, "")
    assert list(receiver.cards) == [a_card()]


def test_a_hundred_at_once_stay_within_the_rate_and_none_is_lost(
    teams: Teams, receiver: Receiver, clock: Clock
) -> None:
    told = [teams.post(message(a_card(alert(site=f"site-{number}")))) for number in range(100)]
    assert all(one.taken and one.attempts == 1 for one in told)
    assert len({json.dumps(one) for one in receiver.cards}) == 100
    assert clock.now >= 99 / 4


def test_the_receiver_refuses_what_is_too_fast(receiver: Receiver) -> None:
    body = message(a_card())
    assert [receiver.take(body)[0] for _ in range(5)] == [202, 202, 202, 202, 429]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_go_well_another_time_is_tried_again(teams: Teams, receiver: Receiver, status: int) -> None:
    receiver.answers.extend([status, status])
    told = teams.post(message(a_card()))
    assert (told.taken, told.attempts) == (True, 3)
    assert len(receiver.cards) == 1


def test_retry_after_is_honoured(teams: Teams, receiver: Receiver, clock: Clock) -> None:
    receiver.answers.append(429)
    teams.post(message(a_card()))
    assert max(clock.slept) >= 1.0


def test_who_asks_to_be_left_alone_for_long_gets_another_card_first_and_this_one_later(clock: Clock) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    rude = Rude(manners=[busy])
    teams = Teams(rude.url, sleep=clock.sleep, clock=clock)
    told = teams.post(message(a_card()))
    assert (told.taken, told.again, told.attempts, clock.now) == (False, True, 1, 0.0)
    assert teams.post(message(a_card(alert(site="another")))).taken
    assert clock.now == 600.0  # the channel's own wish holds for every card
    told = teams.post(message(a_card()), attempts=told.attempts)
    rude.close()
    assert (told.taken, told.attempts) == (True, 2)


def test_a_card_that_is_put_off_every_time_is_given_up_in_the_end(clock: Clock) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nRetry-After: 600\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    rude = Rude(manners=[busy] * ATTEMPTS)
    teams, told = Teams(rude.url, sleep=clock.sleep, clock=clock), Delivery(False, 0, again=True)
    while told.again:
        told = teams.post(message(a_card()), attempts=told.attempts)
    rude.close()
    assert (told.taken, told.attempts, told.reason) == (False, ATTEMPTS, "HTTP 503")


@pytest.mark.parametrize(
    "address",
    ["teams.example.com/x", "ftp://127.0.0.1/x", "http://[::1/x", f"http://{'a' * 64}.example.com/?sig=top-secret"],
)
def test_an_address_that_cannot_be_called_is_refused_at_once_and_told_to_nobody(clock: Clock, address: str) -> None:
    told = Teams(SecretStr(address), sleep=clock.sleep, clock=clock).post(message(a_card()))
    assert (told.taken, told.again, told.attempts, clock.slept) == (False, False, 1, [])
    assert told.reason.startswith("the webhook's address cannot be called")
    assert address not in told.reason


def test_the_receiver_on_this_machine_is_not_asked_for_through_a_proxy(
    teams: Teams, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    proxy = Rude(manners=["answers"])
    host = proxy.url.get_secret_value().partition("/webhook")[0]
    monkeypatch.setenv("HTTP_PROXY", host)
    monkeypatch.setenv("http_proxy", host)
    assert teams.post(message(a_card())).taken
    assert (len(receiver.cards), len(proxy.kept.cards)) == (1, 0)
    elsewhere = Teams(SecretStr("http://teams.example.com/webhook"), sleep=lambda _: None)
    assert elsewhere.post(message(a_card())).taken
    proxy.close()
    assert len(proxy.kept.cards) == 1


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("120", 120, 120),
        ("9999999", LONGEST_WAIT, LONGEST_WAIT),
        ("Mon, 02 Mar 2020 12:00:00 GMT", 0, 0),
        ("-5", 0, 0),
        ("soon", 0, 0),
        ("nan", 0, 0),
        (None, 0, 0),
    ],
)
def test_retry_after_is_a_number_of_seconds_within_reason(header: str | None, least: float, most: float) -> None:
    assert least <= _seconds(header) <= most


def test_retry_after_may_be_a_date_to_come() -> None:
    due = datetime.now(UTC) + timedelta(seconds=300)
    assert 200 <= _seconds(format_datetime(due, usegmt=True)) <= 300


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nthis is no header\r\n\r\n",
    ],
)
def test_what_is_no_acceptance_is_not_taken_for_one_and_the_secret_is_in_no_log(
    clock: Clock, caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    caplog.set_level("DEBUG")
    rude = Rude(manners=[answer])
    told = Teams(rude.url, sleep=clock.sleep, clock=clock).post(message(a_card()))
    rude.close()
    assert (told.taken, told.attempts, told.reason[:5]) == (False, 1, "HTTP ")
    assert "top-secret" not in caplog.text


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_what_was_refused_for_good_is_not_tried_again(teams: Teams, receiver: Receiver, status: int) -> None:
    receiver.answers.append(status)
    told = teams.post(message(a_card()))
    assert (told.taken, told.attempts, told.reason) == (False, 1, f"HTTP {status}")


def test_who_fails_every_time_is_given_up_with_the_reason_and_bounded_patience(
    teams: Teams, receiver: Receiver, clock: Clock
) -> None:
    receiver.answers.extend([503] * ATTEMPTS)
    told = teams.post(message(a_card()))
    assert (told.taken, told.attempts, told.reason) == (False, ATTEMPTS, "HTTP 503")
    assert clock.now <= ATTEMPTS * LONGEST_BACKOFF
    assert not receiver.cards


def test_nobody_there_is_a_reason_and_the_url_is_told_to_nobody(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        secret = SecretStr(f"http://127.0.0.1:{taken.getsockname()[1]}/webhook?sig=top-secret")
        teams = Teams(secret, sleep=clock.sleep, clock=clock)
        told = teams.post(message(a_card()))
    assert not told.taken
    assert told.reason == "no answer (ConnectionError)"
    assert "top-secret" not in repr(teams) + repr(vars(teams)) + repr(told) + caplog.text


class Rude(threading.Thread):
    """A receiver that reads a card, keeps it, and then hangs or dies in the middle of its answer; later it behaves."""

    def __init__(self, *, manners: Sequence[str | bytes]) -> None:
        super().__init__(daemon=True)
        self._manners, self.kept, self._over = list(manners), Receiver(), threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = SecretStr(f"http://127.0.0.1:{self._socket.getsockname()[1]}/webhook?sig=top-secret")
        self.start()

    def run(self) -> None:
        while True:
            try:
                line, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line:
            told = b""
            while b"\r\n\r\n" not in told:
                told += line.recv(65_536)
            head, _, body = told.partition(b"\r\n\r\n")
            length = int(
                next(one for one in head.split(b"\r\n") if one.lower().startswith(b"content-length")).split(b":")[1]
            )
            while len(body) < length:
                body += line.recv(65_536)
            self.kept.take(body)
            manner = self._manners.pop(0) if self._manners else "answers"
            if manner == "hangs":
                self._over.wait(5)
            elif isinstance(manner, bytes):
                line.sendall(manner)
            elif manner == "dies":
                line.sendall(b"HTTP/1.1")
            else:
                line.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def close(self) -> None:
        self._over.set()
        self._socket.close()


@pytest.mark.parametrize("manner", ["hangs", "dies"])
def test_who_hangs_or_dies_before_answering_gets_the_card_again_and_shows_it_once(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    monkeypatch.setattr("rtlib.alerts.teams.TIMEOUT_SECONDS", (0.3, 0.3))
    rude = Rude(manners=[manner, manner])
    told = Teams(rude.url, sleep=clock.sleep, clock=clock).post(message(a_card()))
    rude.close()
    assert (told.taken, told.attempts) == (True, 3)
    assert list(rude.kept.cards) == [a_card()]


@pytest.mark.parametrize("manner", ["hangs", "dies"])
def test_who_never_answers_is_given_up_with_the_reason(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    monkeypatch.setattr("rtlib.alerts.teams.TIMEOUT_SECONDS", (0.3, 0.3))
    rude = Rude(manners=[manner] * ATTEMPTS)
    told = Teams(rude.url, sleep=clock.sleep, clock=clock).post(message(a_card()))
    rude.close()
    assert (told.taken, told.attempts) == (False, ATTEMPTS)
    assert told.reason.startswith("no answer (")


def test_a_log_of_everything_does_not_hold_the_secret_either(
    url: SecretStr, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        assert Teams(url, sleep=clock.sleep, clock=clock).post(message(a_card())).taken
    assert "top-secret" not in caplog.text


def test_what_is_no_card_is_refused_by_the_receiver(receiver: Receiver) -> None:
    for body in (b"", b"{}", b"[1]", b'{"type": "message", "attachments": []}', b"\xff"):
        assert receiver.take(body)[0] in (400, 429)
    assert Receiver().take(b" " * (MAX_BYTES + 1))[0] == 413


def test_a_card_that_comes_again_is_taken_and_kept_once_also_after_a_restart(tmp_path: Path) -> None:
    file, body = tmp_path / "cards.jsonl", message(a_card())
    first = Receiver(file)
    assert [first.take(body)[0] for _ in range(2)] == [202, 202]
    file.write_text(file.read_text() + '{"cut by a cra')
    again = Receiver(file)
    assert again.take(body)[0] == 202
    assert list(again.cards) == [a_card()]


def test_the_state_can_be_kept_and_taken_up_again() -> None:
    state, _ = step(RULE, QUIET, at=NOON, value=12.0)
    kept = State(**{name: getattr(state, name) for name in State.__dataclass_fields__})
    assert step(RULE, kept, at=after(60), value=12.0)[1] is Change.RAISED
