"""Receiver: stands in for Teams on this machine: the same answers, the same limits, and it keeps what it took.

Whoever sent a card, only what ``sanitize`` allows of it is kept; ``receiver_web`` serves it and shows the page.
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

A_SECOND = 4
KEPT = 200
ON_DISK = 2 * KEPT  # lines of the file before it is written anew with the newest


class Receiver:
    """What was taken, newest last, and how to answer.

    A card whose title carries an ``id`` that was taken before is answered like any other and kept once: who did not
    hear the answer sends it again. Teams itself has no such memory. (Whoever knows the webhook could use up an ``id``
    before its alert comes: the address is a secret for that reason too.)

    Attributes:
        cards: The cards that were taken.
        answers: Status codes to give to the next requests instead of taking them; a test puts them there.

    Args:
        file: Keeps the cards over a restart, one in a line; None forgets them.
        clock: Seconds that only grow.
    """

    def __init__(self, file: Path | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self.cards: deque[dict[str, Any]] = deque(_kept(file), maxlen=KEPT)
        self._lines = ON_DISK  # what an earlier process left is rewritten at the first card
        self.answers: deque[int] = deque()
        self._clock = clock
        self._times: deque[float] = deque()

    def take(self, body: bytes) -> tuple[int, str]:
        """Judge a request body: the status code, and why."""
        if self.answers:
            return self.answers.popleft(), "as it was told to"
        if len(body) > MAX_BYTES:
            return 413, "request entity too large"
        if not self._has_room():
            return 429, "more than four a second"
        found = _card(body)
        if found is None:
            return 400, "not a message with one Adaptive Card"
        if _key(found) is None or _key(found) not in {_key(one) for one in self.cards}:
            self._keep(found)
        return 202, ""

    def _keep(self, found: dict[str, Any]) -> None:
        self.cards.append(found)
        if self._file is None:
            return
        if self._lines >= ON_DISK:
            private.write(self._file, "".join(map(_line, self.cards)))
            self._lines = len(self.cards)
        else:
            private.append(self._file, _line(found))
            self._lines += 1

    def _has_room(self) -> bool:
        now = self._clock()
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        self._times.append(now)
        return len(self._times) <= A_SECOND


def _kept(file: Path | None) -> list[dict[str, Any]]:
    """The cards of a file; a line that was cut by a crash is passed over."""
    if file is None or not file.exists():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines()[-KEPT:]:
        try:
            found.append(sanitize(json.loads(line)))
        except (ValueError, AttributeError, RecursionError):
            continue
    return found


def _line(card: dict[str, Any]) -> str:
    return json.dumps(card) + "\n"


def _key(card: dict[str, Any]) -> str | None:
    first = card["body"][0] if card["body"] else {}
    return first.get("id")


def _card(body: bytes) -> dict[str, Any] | None:
    """The card of a message, without what is not allowed; None when it is no such message, or nested too deeply."""
    try:
        told = json.loads(body)
        (attachment,) = told["attachments"]
        content = attachment["content"]
        good = told["type"] == "message" and attachment["contentType"] == CONTENT_TYPE
        return sanitize(content) if good and content["type"] == "AdaptiveCard" else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
