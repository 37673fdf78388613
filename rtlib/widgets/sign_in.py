"""Sign-in: the app's token buys a cookie, and then leaves the address. Voilà loads this class by its name."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from jupyter_server.auth.identity import IdentityProvider, User
from tornado.web import HTTPError

TOKEN = re.compile(r"""token=[^&\s'"]*""")


class AppSignIn(IdentityProvider):
    """Answers the first visit by a redirect to the same page without its token.

    The token would otherwise stay in the address bar, in the history, and in the environment of the visitor's kernel.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.cookie_options = {"samesite": "Lax", **self.cookie_options}  # Lax: a card's link in Teams opens the app
        for name in ("tornado.access", "tornado.application", "tornado.general"):
            logging.getLogger(name).addFilter(without_tokens)

    @property
    def auth_enabled(self) -> bool:
        """Without a token, as in tests of the page, everybody on this machine is let in."""
        return bool(self.token)

    async def get_user(self, handler: Any) -> User | None:
        """The visitor; None for a stranger.

        Raises:
            HTTPError: A page of another origin asks, which may be one of another user's server on this machine: the
                browser sends that the cookie too. Following a link is allowed.
        """
        request = handler.request
        if is_foreign(request.headers, host=request.host):
            raise HTTPError(403, "a page of another origin asked for this")
        user = await self._get_user(handler)
        if user and request.method == "GET" and "token" in request.query_arguments:
            handler.redirect(without_token(request.uri))
        return user


def without_tokens(record: logging.LogRecord) -> bool:
    """Replace the token in a log line that quotes an address; a filter of the logging module."""
    text = record.getMessage()
    if "token=" in text:
        record.msg, record.args = TOKEN.sub("token=[secret]", text), ()
    return True


def is_foreign(headers: Mapping[str, str], *, host: str) -> bool:
    """True when a page of another origin sends the request, by what browsers tell of it.

    A followed link is not foreign: it fills a tab of its own, which the other page cannot read.
    """
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return True
    elsewhere = headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site")
    return elsewhere and headers.get("Sec-Fetch-Dest") != "document"


def without_token(address: str) -> str:
    """An address on this server with every parameter but the token."""
    parts = urlsplit(address)
    others = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "token"]
    path = "/" + parts.path.lstrip("/")  # two slashes would name another server
    return path + ("?" + urlencode(others) if others else "")
