"""Receiver web: the receiver as a web application: the webhook, the cards as JSON, and the page that shows them.

The page draws the cards with Microsoft's own renderer (the npm package adaptivecards, MIT; a copy is in ``web``), so
they look as the format defines and not as we interpret it.

Sending needs the secret, and reading needs the key derived from it (``address``). A browser that opens the page keeps
the key as a cookie of this port; inside another page, where the browser sends no cookies, the address keeps the key.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from rtlib.alerts.address import reading_key
from rtlib.alerts.card import MAX_BYTES
from rtlib.alerts.receiver import Receiver
from rtlib.http_guard import App, Guard

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

WEB = Path(__file__).with_name("web")
REFUSED = "This address needs a key: 'rtlib cards' opens the page, and so does the app's page of alerts.\n"
# Pages that may embed the cards: the app, JupyterLab, and VS Code's notebooks.
FRAMED_BY = "http://127.0.0.1:* http://localhost:* vscode-webview:"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {framed_by}"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def web_app(receiver: Receiver, secret: SecretStr) -> App:
    """The receiver as a web application.

    POST /webhook/<secret> accepts a card. With the key, as a bearer token, a cookie, or the first part of the path
    (/view/<key>/), GET / is the page and GET /cards the cards. Everything else is refused, and so is every request of a
    page of another origin; the receiver's own page only reads, for which browsers send no ``Origin``.
    """
    from starlette.applications import Starlette
    from starlette.responses import FileResponse, JSONResponse, PlainTextResponse
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    key = reading_key(secret)

    async def webhook(request: Request) -> Response:
        if not _same(request.path_params["secret"], secret.get_secret_value()):
            return PlainTextResponse(REFUSED, status_code=401)
        status, reason = receiver.take(await request.body())
        headers = {"Retry-After": "1"} if status == 429 else {}
        return PlainTextResponse(reason, status_code=status, headers=headers)

    async def cards(request: Request) -> Response:
        return JSONResponse(list(receiver.cards))

    async def page(request: Request) -> Response:
        response = FileResponse(WEB / "cards.html")
        if "key" in request.path_params:
            response.set_cookie(_cookie_name(request), key, path="/", httponly=True, samesite="strict")
        return response

    reading = [Route("/", page), Route("/cards", cards), Mount("/web", StaticFiles(directory=WEB))]
    by_path = _Guarded(Starlette(routes=reading), _key_in_path(key), framed_by=FRAMED_BY)
    by_request = _Guarded(Starlette(routes=reading), _key_in_request(key), framed_by="'none'")
    routes = [
        Route("/webhook/{secret}", webhook, methods=["POST"]),
        Mount("/view/{key}", by_path),
        Mount("/", by_request),
    ]
    return Guard(Starlette(routes=routes), max_body_bytes=MAX_BYTES)


class _Guarded:
    """Admits requests with the key, and adds strict security headers to every response."""

    def __init__(self, app: ASGIApp, has_key: Callable[[Request], bool], *, framed_by: str) -> None:
        self._app, self._has_key = app, has_key
        policy = POLICY.format(framed_by=framed_by)
        headers: Mapping[str, str] = {**HEADERS, "Content-Security-Policy": policy}
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.requests import Request
        from starlette.responses import PlainTextResponse

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        allowed = scope["type"] == "http" and self._has_key(Request(scope))
        respond: Any = self._app if allowed else PlainTextResponse(REFUSED, status_code=401)
        await respond(scope, receive, send_with_headers)


def _key_in_path(key: str) -> Callable[[Request], bool]:
    return lambda request: _same(request.path_params["key"], key)


def _key_in_request(key: str) -> Callable[[Request], bool]:
    def has_key(request: Request) -> bool:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        return (kind == "Bearer" and _same(token, key)) or _same(request.cookies.get(_cookie_name(request), ""), key)

    return has_key


def _cookie_name(request: Request) -> str:
    """A name with the port, because a browser sends the cookies of a host to all of its ports."""
    return f"rtlib-cards-{request.url.port}"


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
