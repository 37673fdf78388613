"""Receiver: stands in for Teams on this machine: the same answers, the same limits, and a page of what it took.

The page draws the cards with the renderer that Microsoft publishes (the npm package adaptivecards, MIT; a copy is in
``web``), so what is seen here is what the format means and not what we think it means.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtlib.alerts.card import CONTENT_TYPE, MAX_BYTES

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

A_SECOND = 4
KEPT = 200
WEB = Path(__file__).with_name("web")


class Receiver:
    """What was taken, newest last, and how to answer.

    A card whose title carries an ``id`` that was taken before is answered like any other and kept once: who did not
    hear the answer sends it again. Teams itself has no such memory.

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
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(found) + "\n")

    def _has_room(self) -> bool:
        now = self._clock()
        while self._times and now - self._times[0] >= 1.0:
            self._times.popleft()
        self._times.append(now)
        return len(self._times) <= A_SECOND

    def app(self) -> Starlette:
        """The receiver as a web application: POST /webhook, GET /cards, and the page at /."""
        from starlette.applications import Starlette
        from starlette.responses import FileResponse, JSONResponse, PlainTextResponse
        from starlette.routing import Mount, Route
        from starlette.staticfiles import StaticFiles

        async def webhook(request: Request) -> Response:
            status, why = self.take(await request.body())
            headers = {"Retry-After": "1"} if status == 429 else {}
            return PlainTextResponse(why, status_code=status, headers=headers)

        async def cards(request: Request) -> Response:
            return JSONResponse(list(self.cards))

        async def page(request: Request) -> Response:
            return FileResponse(WEB / "cards.html")

        return Starlette(
            routes=[
                Route("/", page),
                Route("/webhook", webhook, methods=["POST"]),
                Route("/cards", cards),
                Mount("/web", StaticFiles(directory=WEB)),
            ]
        )


def _kept(file: Path | None) -> list[dict[str, Any]]:
    """The cards of a file; a line that was cut by a crash is passed over."""
    if file is None or not file.exists():
        return []
    found = []
    for line in file.read_text(encoding="utf-8").splitlines()[-KEPT:]:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _key(card: dict[str, Any]) -> str | None:
    body = card.get("body")
    first = body[0] if isinstance(body, list) and body and isinstance(body[0], dict) else {}
    return first.get("id")


def _card(body: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(body)
        (attachment,) = told["attachments"]
        content: dict[str, Any] = attachment["content"]
        good = told["type"] == "message" and attachment["contentType"] == CONTENT_TYPE
        return content if good and content["type"] == "AdaptiveCard" else None
    except (ValueError, KeyError, TypeError):
        return None
