"""Receiver: a local substitute for Teams with the same answers and limits, which keeps the cards it accepted.

It keeps only the parts of a card that ``sanitize`` allows; ``receiver_web`` serves it and shows the page.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rtlib import private
from rtlib.alerts.card import CONTENT_TYPE, MAX_BYTES
from rtlib.alerts.sanitize import sanitize

MAX_PER_SECOND = 4
MAX_CARDS = 200
MAX_LINES = 2 * MAX_CARDS  # of the file; then it is rewritten with the newest cards


class Receiver:
    """The accepted cards, newest last, and the answers to requests.

    A card whose title has a known ``id`` is accepted again but kept once, because a sender that misses the answer
    sends the card again. Teams itself does not do that. (A sender that knows the webhook could use an ``id`` before its
    alert is sent; that is another reason why the address is a secret.)

    Attributes:
        cards: The accepted cards.
        answers: Status codes for the next requests, which are then not accepted; set by tests.

    Args:
        file: Keeps the cards over a restart, one in a line; None keeps them in memory only.
        clock: Returns monotonic seconds.
    """

    def __init__(self, file: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self.cards: deque[dict[str, Any]] = deque(_read(file), maxlen=MAX_CARDS)
        self._lines = MAX_LINES  # so the first card rewrites the file of an earlier process
        self.answers: deque[int] = deque()
        self._clock = clock
        self._times: deque[float] = deque()

    def take(self, body: bytes) -> tuple[int, str]:
        """Accept or refuse a request body; returns the status code and the reason for a refusal."""
        if self.answers:
            return self.answers.popleft(), "a prepared answer"
        if len(body) > MAX_BYTES:
            return 413, "request entity too large"
        if not self._within_rate():
            return 429, "more than four requests per second"
        card = _card(body)
        if card is None:
            return 400, "not a message with one Adaptive Card"
        if _key(card) is None or _key(card) not in {_key(other) for other in self.cards}:
            self._keep(card)
        return 202, ""

    def _keep(self, card: dict[str, Any]) -> None:
        self.cards.append(card)
        if self._file is None:
            return
        if self._lines >= MAX_LINES:
            private.write(self._file, "".join(map(_line, self.cards)))
            self._lines = len(self.cards)
        else:
            private.append(self._file, _line(card))
            self._lines += 1

    def _within_rate(self) -> bool:
        now = self._clock()
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        self._times.append(now)
        return len(self._times) <= MAX_PER_SECOND


def _read(file: Path | None) -> list[dict[str, Any]]:
    """The cards of a file; a line that was cut off by a crash is skipped."""
    if file is None or not file.exists():
        return []
    cards = []
    for line in file.read_text(encoding="utf-8").splitlines()[-MAX_CARDS:]:
        try:
            cards.append(sanitize(json.loads(line)))
        except (ValueError, AttributeError, RecursionError):
            continue
    return cards


def _line(card: dict[str, Any]) -> str:
    return json.dumps(card) + "\n"


def _key(card: dict[str, Any]) -> str | None:
    first = card["body"][0] if card["body"] else {}
    return first.get("id")


def _card(body: bytes) -> dict[str, Any] | None:
    """The sanitized card of a message; None if the body is not such a message, or is nested too deeply."""
    try:
        envelope = json.loads(body)
        (attachment,) = envelope["attachments"]
        content = attachment["content"]
        valid = envelope["type"] == "message" and attachment["contentType"] == CONTENT_TYPE
        return sanitize(content) if valid and content["type"] == "AdaptiveCard" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
