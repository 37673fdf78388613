"""Limits: how large and how deeply nested an event may be; producers, queries and the ledger hold to the same."""

from __future__ import annotations

import re

# An event of the domains has some 400 bytes. What is larger is no event, and its content is not looked at.
MAX_EVENT_BYTES = 8 * 1024  # with its frame
MAX_EVENT_DEPTH = 8  # objects and arrays in one another; an event with its attributes has 2

TOO_LARGE = f"larger than {MAX_EVENT_BYTES:,} bytes"
TOO_DEEP = f"nested deeper than {MAX_EVENT_DEPTH} levels"

# Expressions that Java reads as Python does, so that the streaming queries come to the same verdict. None repeats a
# group without end: Java takes a stack frame for each repetition, and a long text would overflow the stack.
ESCAPES = r"\\[\s\S]"
STRINGS = r'"[^"]*+"'
BALANCED = r"\{[^{}\[\]]*+\}|\[[^{}\[\]]*+\]"
DEEP = rf"{BALANCED}|(?:[{{\[][^{{}}\[\]]*+){{{MAX_EVENT_DEPTH + 1}}}"
TAKEN_AWAY = (ESCAPES, STRINGS, *[BALANCED] * MAX_EVENT_DEPTH)

_TAKEN_AWAY, _DEEP = tuple(re.compile(one) for one in TAKEN_AWAY), re.compile(DEEP)


def too_deep(text: str) -> bool:
    """Whether a text opens more brackets in one another than an event may, whether it is JSON or not.

    Strings and then innermost pairs are removed, these as often as they may be nested; no pair may be left then.

    Example:
        >>> too_deep('{"attributes": {"items": 3}}'), too_deep("[" * 9)
        (False, True)
    """
    if text.count("{") + text.count("[") <= MAX_EVENT_DEPTH:  # so most texts cost nothing
        return False
    for one in _TAKEN_AWAY:
        text = one.sub("", text)
    return bool(_DEEP.search(text))
