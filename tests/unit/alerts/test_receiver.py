"""The local receiver: the limits of Teams, and every card kept once."""

from __future__ import annotations

from pathlib import Path

from rtlib.alerts import message
from rtlib.alerts.card import MAX_BYTES
from rtlib.alerts.receiver import Receiver
from support.alerts import card_of


def test_the_receiver_refuses_the_fifth_request_within_a_second() -> None:
    receiver = Receiver(clock=lambda: 0.0)
    assert [receiver.take(message(card_of()))[0] for _ in range(5)] == [202, 202, 202, 202, 429]


def test_the_receiver_refuses_a_body_that_is_not_a_card() -> None:
    for body in (b"", b"{}", b"[1]", b'{"type": "message", "attachments": []}', b"\xff"):
        assert Receiver().take(body)[0] == 400
    assert Receiver().take(b" " * (MAX_BYTES + 1))[0] == 413


def test_a_repeated_card_is_accepted_and_kept_once_even_after_a_restart(tmp_path: Path) -> None:
    file, body = tmp_path / "cards.jsonl", message(card_of())
    first = Receiver(file)
    assert [first.take(body)[0] for _ in range(2)] == [202, 202]
    file.write_text(file.read_text() + '{"cut by a cra')
    restarted = Receiver(file)
    assert restarted.take(body)[0] == 202
    assert list(restarted.cards) == [card_of()]
