"""Open address: opens an address with a secret in the browser, hidden from other users of the machine."""

from __future__ import annotations

import html
import platform
import webbrowser
from pathlib import Path

from pydantic import SecretStr

from rtlib import private


def open_address(address: SecretStr, *, folder: Path) -> None:
    """Open an address with a secret in the user's browser.

    The browser gets a page (mode 0600) that redirects to the address, because every user of the machine can read the
    browser's command line. A Windows browser cannot read files in WSL, so there it gets the address itself.

    Args:
        address: What to open.
        folder: Where the redirecting page is written.
    """
    url = address.get_secret_value()
    if "microsoft" in platform.release().lower():
        webbrowser.open(url)
        return
    page = folder / "open.html"
    private.write(page, _REDIRECT.format(url=html.escape(url)))
    webbrowser.open(page.as_uri())


_REDIRECT = """<!doctype html>
<meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}"><title>rtlib</title><a href="{url}">Go on</a>
"""
