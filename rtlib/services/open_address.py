"""Open address: shows a person an address that carries a secret, without showing it to other users of the machine."""

from __future__ import annotations

import html
import platform
import webbrowser
from pathlib import Path

from pydantic import SecretStr

from rtlib import private


def open_address(address: SecretStr, *, folder: Path) -> None:
    """Open an address that carries a secret in the person's browser.

    By a page (mode 0600) that leads there: the address itself would stand on a command line, which every user of the
    machine can read. A browser of Windows cannot read files of WSL, and gets the address.

    Args:
        address: What to open.
        folder: Where the page is written.
    """
    url = address.get_secret_value()
    if "microsoft" in platform.release().lower():
        webbrowser.open(url)
        return
    page = folder / "open.html"
    private.write(page, _LEADING_TO.format(url=html.escape(url)))
    webbrowser.open(page.as_uri())


_LEADING_TO = """<!doctype html>
<meta charset="utf-8"><meta name="referrer" content="no-referrer">
<meta http-equiv="refresh" content="0; url={url}"><title>rtlib</title><a href="{url}">Go on</a>
"""
