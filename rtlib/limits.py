"""Limits: the maximum size and nesting depth of an event, shared by producers, queries and the ledger."""

from __future__ import annotations

import re

# An event has about 400 bytes. A record above the limit is rejected unread.
MAX_EVENT_BYTES = 8 * 1024  # including its frame
MAX_EVENT_DEPTH = 8  # nested objects and arrays; an event with attributes has 2

TOO_LARGE = f"larger than {MAX_EVENT_BYTES:,} bytes"
TOO_DEEP = f"nested deeper than {MAX_EVENT_DEPTH} levels"

# Regular expressions with the same meaning in Java and Python, so that the streaming queries reach the same verdict. No
# group repeats without a limit: Java uses a stack frame per repetition, and a long text would overflow the stack.
ESCAPES = r"\\[\s\S]"
STRINGS = r'"[^"]*+"'
BALANCED = r"\{[^{}\[\]]*+\}|\[[^{}\[\]]*+\]"
DEEP = rf"{BALANCED}|(?:[{{\[][^{{}}\[\]]*+){{{MAX_EVENT_DEPTH + 1}}}"
REMOVALS = (ESCAPES, STRINGS, *[BALANCED] * MAX_EVENT_DEPTH)

_REMOVALS, _DEEP = tuple(re.compile(pattern) for pattern in REMOVALS), re.compile(DEEP)


def too_deep(text: str) -> bool:
    """True when the brackets of a text nest deeper than those of an event may; the text need not be JSON.

    Removes strings, then the innermost pairs of brackets as often as the limit allows; a pair that is left is too deep.

    Example:
        >>> too_deep('{"attributes": {"items": 3}}'), too_deep("[" * 9)
        (False, True)
    """
    if text.count("{") + text.count("[") <= MAX_EVENT_DEPTH:  # a cheap test that most texts pass
        return False
    for pattern in _REMOVALS:
        text = pattern.sub("", text)
    return bool(_DEEP.search(text))
