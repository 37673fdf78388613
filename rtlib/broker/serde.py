"""Encoding: an event's JSON object as compact UTF-8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rtlib.errors import EventRefused

COMPACT = (",", ":")


def encode(told: Mapping[str, Any]) -> bytes:
    """The JSON object as bytes.

    Example:
        >>> encode({"site": "north", "value": None})
        b'{"site":"north","value":null}'

    Raises:
        EventRefused: It holds what JSON cannot: NaN, infinity, half of a surrogate pair, an object of Python's own.
    """
    try:
        return json.dumps(told, ensure_ascii=False, allow_nan=False, separators=COMPACT).encode()
    except UnicodeEncodeError as error:
        raise EventRefused("not valid UTF-8", field=_culprit(told)) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise EventRefused(
            "not JSON: only text, finite numbers, true, false and null are", field=_culprit(told)
        ) from error


def encode_anyhow(told: Mapping[str, Any]) -> bytes:
    """The object as near to JSON as it can be told, for whoever has to find out what went wrong."""
    try:
        return json.dumps(told, ensure_ascii=False, separators=COMPACT, default=repr).encode(errors="surrogatepass")
    except (ValueError, TypeError, RecursionError):
        return repr(sorted(told)).encode(errors="backslashreplace")  # deeper than Python can follow: the names alone


def _culprit(told: Mapping[str, Any]) -> str:
    """The dotted path of the first field that cannot be encoded."""
    for name, value in told.items():
        try:
            json.dumps({name: value}, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, TypeError, RecursionError):
            inner = _culprit(value) if name == "attributes" and isinstance(value, Mapping) else ""
            return f"{name}.{inner}" if inner else str(name)
    return ""
