"""Sign-in for the app: exchanges the token for a cookie and removes it from the address. Voilà loads it by name."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from jupyter_server.auth.identity import IdentityProvider, User
from tornado.web import HTTPError

TOKEN = re.compile(r"""token=[^&\s'"]*""")
# A browser goes on to the sign-in page; whatever is not a browser gets the refusal.
REFUSAL = '<!doctype html><meta http-equiv="refresh" content="0; url={address}"><a href="{address}">Sign in</a>'


class AppSignIn(IdentityProvider):
    """Redirects the first visit to the same page without its token; answers 401 to a visit without a valid token.

    With the token, it would stay in the address bar, the history, and the environment of the visitor's kernel.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.cookie_options = {"samesite": "Lax", **self.cookie_options}  # Lax: a link on a Teams card opens the app
        for name in ("tornado.access", "tornado.application", "tornado.general"):
            logging.getLogger(name).addFilter(without_tokens)

    @property
    def auth_enabled(self) -> bool:
        """False without a token, as in tests of the page: every visitor from this machine is admitted."""
        return bool(self.token)

    async def get_user(self, handler: Any) -> User | None:
        """The visitor; None for a stranger.

        Raises:
            HTTPError: The request comes from a page of another origin, for example another user's server on this
                machine: browsers send the cookie with it. Following a link is allowed.
        """
        request = handler.request
        if is_foreign(request.headers, host=request.host):
            raise HTTPError(403, "a page of another origin made this request")
        user = await self._get_user(handler)
        if user and request.method == "GET" and "token" in request.query_arguments:
            handler.redirect(without_token(request.uri))
        elif not user and request.method == "GET" and is_page(request.path):
            handler.set_status(401)
            handler.finish(refusal(handler.get_login_url(), request.uri))
        return user


def is_page(path: str) -> bool:
    """True for the pages that Voilà shows; other addresses refuse a stranger on their own."""
    return path == "/" or path.startswith("/voila/render")


def refusal(login: str, address: str) -> str:
    """The page for a visitor without a valid token: it leads to the sign-in page, and from there to the address."""
    return REFUSAL.format(address=escape(f"{login}?{urlencode({'next': without_token(address)})}"))


def without_tokens(record: logging.LogRecord) -> bool:
    """Logging filter: mask the token in a line that quotes an address."""
    text = record.getMessage()
    if "token=" in text:
        record.msg, record.args = TOKEN.sub("token=[secret]", text), ()
    return True


def is_foreign(headers: Mapping[str, str], *, host: str) -> bool:
    """True when the browser's headers show that a page of another origin made the request.

    A followed link is not foreign: it opens in a tab of its own, which the other page cannot read.
    """
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return True
    other_site = headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site")
    return other_site and headers.get("Sec-Fetch-Dest") != "document"


def without_token(address: str) -> str:
    """An address on this server with every query parameter except the token."""
    parts = urlsplit(address)
    others = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "token"]
    path = "/" + parts.path.lstrip("/")  # two slashes would name another server
    return path + ("?" + urlencode(others) if others else "")
