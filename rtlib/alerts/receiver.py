"""Receiver: stands in for Teams on this machine: the same answers, the same limits, and what it took."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rtlib.alerts.card import CONTENT_TYPE, MAX_BYTES

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

A_SECOND = 4
KEPT = 200


class Receiver:
    """What was taken, newest last, and how to answer.

    Attributes:
        cards: The cards that were taken.
        answers: Status codes to give to the next requests instead of taking them; a test puts them there.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.cards: deque[dict[str, Any]] = deque(maxlen=KEPT)
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
        self.cards.append(found)
        return 202, ""

    def _has_room(self) -> bool:
        now = self._clock()
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        self._times.append(now)
        return len(self._times) <= A_SECOND

    def app(self) -> Starlette:
        """The receiver as a web application: POST /webhook, GET /cards."""
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse, PlainTextResponse
        from starlette.routing import Route

        async def webhook(request: Request) -> Response:
            status, why = self.take(await request.body())
            headers = {"Retry-After": "1"} if status == 429 else {}
            return PlainTextResponse(why, status_code=status, headers=headers)

        async def cards(request: Request) -> Response:
            return JSONResponse(list(self.cards))

        return Starlette(routes=[Route("/webhook", webhook, methods=["POST"]), Route("/cards", cards)])


def _card(body: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(body)
        (attachment,) = told["attachments"]
        content: dict[str, Any] = attachment["content"]
        good = told["type"] == "message" and attachment["contentType"] == CONTENT_TYPE
        return content if good and content["type"] == "AdaptiveCard" else None
    except (ValueError, KeyError, TypeError):
        return None
